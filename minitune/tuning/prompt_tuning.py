r"""Prompt tuning: learn a few input vectors, and leave the model as it is.

A template writes P placeholder tokens; their embeddings are the only thing that is learned:

    [e_1 ... e_P ; E[x_1] ... E[x_T]]        e_i: (D,)    E: (V, D), the model's own token embedding

The model adds its positions to them as to any tokens. P D numbers are trained and stored. The vectors start as the
embeddings of words, or at random with the embeddings' own mean and spread: numbers of another size are far from all
that the model has read. They need a learning rate some hundred times that of full fine-tuning.

Lester et al. 2021, "The Power of Scale for Parameter-Efficient Prompt Tuning", section 2 (arXiv 2104.08691). There the
prompt stands before the text; here it stands wherever the template wrote it.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from minitune.data.tokenizers import Tokenizer
from minitune.errors import UserError
from minitune.models.build import Model, ModelConfig
from minitune.tuning.doors import Learned, SoftPrompt, Tuned, check_room

STARTS = ("random", "vocabulary", "text", "labels")


@dataclass(frozen=True)
class PromptConfig:
    length: int = 8  # P, the placeholders of the template
    start: str = "vocabulary"  # what the vectors are at first: random, words drawn from the vocabulary, a text, labels
    text: str = ""  # text: its tokens, over and over; labels: the label words, and then words of the vocabulary
    spread: float = 1.0  # of a random start, in units of the embeddings' own standard deviation

    def __post_init__(self):
        if self.length < 1:
            raise UserError(f"the prompt's length is {self.length}; it must be 1 or more")
        if not 0 <= self.spread <= 100:
            raise UserError(f"the spread is {self.spread}; it must be from 0 to 100, in units of the embeddings' own")
        if self.start not in STARTS:
            raise UserError(f"a prompt cannot start from {self.start!r}; choose one of {', '.join(STARTS)}")
        if self.start == "text" and not self.text.split():
            raise UserError("a prompt that starts from a text needs one: set text")


def add_prompt(model: Model, config: PromptConfig, tokenizer: Tokenizer) -> Tuned:
    """Freeze `model` and put a soft prompt before it. Changes no weight of it.

    Raises:
        UserError: a prompt longer than the context; a text to start from that has no token.
    """
    check_room(config.length, model)
    vectors = first_vectors(model, config, tokenizer)
    model.requires_grad_(False)
    return Tuned(model, SoftPrompt(Learned(vectors), tokenizer.soft_id))


@torch.no_grad()
def first_vectors(model: Model, config: PromptConfig, tokenizer: Tokenizer) -> Tensor:
    """(P, D), with the dtype and on the device of the model's embedding."""
    embedding = model.token_embedding.weight  # (V, D)
    if config.start == "random":
        drawn = torch.randn(config.length, embedding.shape[1]).to(embedding)
        return embedding.mean() + drawn * embedding.std() * config.spread
    ids = tokenizer.encode(config.text) if config.start in ("text", "labels") else []
    if config.start == "text" and not ids:
        raise UserError(f"nothing is left of the text {config.text!r} as the tokenizer reads it; take another")
    if config.start != "text":
        words = tokenizer.word_ids()
        ids += [words[i] for i in torch.randperm(len(words))]
    return embedding[[ids[i % len(ids)] for i in range(config.length)]]


def prompt_parameters(config: PromptConfig, model: ModelConfig) -> int:
    """P D."""
    return config.length * model.width


@torch.no_grad()
def nearest_words(tuned: Tuned, tokenizer: Tokenizer, count: int = 3) -> list[list[tuple[str, float]]]:
    """For each vector of the prompt, the tokens whose embeddings have the highest cosine with it."""
    vectors, embedding = tuned.door.source(), tuned.model.token_embedding.weight
    cosine = torch.cosine_similarity(vectors[:, None], embedding[None], dim=-1)  # (P, 1, D), (1, V, D) -> (P, V)
    best = cosine.topk(count, dim=-1)
    return [
        list(zip(tokenizer.tokens(ids), values.tolist(), strict=True))
        for ids, values in zip(best.indices, best.values, strict=True)
    ]
