"""The two pretrained models, by hand: attention, GPT, BERT, generation, and weights from elsewhere."""

from minitune.models.bert import BERT, BERTConfig
from minitune.models.common import Output
from minitune.models.generate import generate
from minitune.models.gpt import GPT, GPTConfig

__all__ = ["BERT", "GPT", "BERTConfig", "GPTConfig", "Output", "generate"]
