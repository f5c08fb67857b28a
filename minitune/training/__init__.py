"""The training loop, pretraining, checkpoints."""
