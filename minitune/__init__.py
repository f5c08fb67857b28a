"""minitune: how pretrained language models are tuned and prompted, by hand and in pure PyTorch."""

__version__ = "0.1.0"
