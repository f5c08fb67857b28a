"""Tiny writers that answer instructions, in float64, on a model that says its end now and then."""

import copy
import functools
from dataclasses import replace

import torch

from minitune.methods.method import Method
from minitune.predictors.writer import Writer, Writing
from minitune.questions.question import Question
from minitune.training.checkpoint import Checkpoint
from tests import tiny

TEMPLATE = "human : {text:whole} {text_b} assistant :"
WHATS = {  # the adapters' and prompts' numbers are none of their first ones: see `writer`
    "frozen": [],
    "lora": ["rank=3", "alpha=5", "targets=query,up,down"],
    "prompt-tuning": ["length=3", "start=random"],
    "p-tuning": ["length=3", "inner=7"],
    "prefix-tuning": ["length=5", "inner=11"],
    "p-tuning-v2": ["length=4"],
}
EXAMPLES = [
    Writing("is it good ?", "it was great .", text_b="the soup was great"),
    Writing("say it again .", "great soup !", text_b="great soup !"),
    Writing("what is the plot", "sad", text_b=""),
    Writing("the hero", "the hero was dull . it was sad .", text_b="a dull film with a dull hero ."),
]


OFTEN = 107  # such a token


@functools.cache
def checkpoint() -> Checkpoint:
    """The tiny GPT in float64, with the end of text in the place of a token that it writes often. Never change it."""
    base = tiny.checkpoint("gpt")
    model, end = copy.deepcopy(base.model).double(), base.tokenizer.end_id
    with torch.no_grad():
        table = model.token_embedding.weight
        table[[end, OFTEN]] = table[[OFTEN, end]]
    return replace(base, model=model)


def writer(what: str = "frozen", template: str = TEMPLATE, room: int = 9, base: Checkpoint | None = None) -> Writer:
    """A method's writer as it is after training: every number that it may change is changed."""
    asked = Question((), template, is_pair="{text_b}" in template, kind="reply", room=room)
    made = Method.parse(what, WHATS[what]).build(base or checkpoint(), asked, seed=3)
    generator = torch.Generator().manual_seed(11)
    with torch.no_grad():
        for name, parameter in made.named_parameters():
            if name.endswith(".B"):
                parameter.normal_(std=0.3, generator=generator)
    return made.eval()


def slowly(writer: Writer, ids: list[int], most: int) -> list[int]:
    """The likeliest tokens up to the end, each from a full pass of the tuned model over all before it."""
    ids, written = list(ids), []
    for _ in range(most):
        with torch.no_grad():
            hidden = writer.model(torch.tensor([ids])).hidden[0, -1]
            token = writer.model.logits(hidden).argmax().item()
        if token == writer.tokenizer.end_id:
            break
        written.append(token)
        ids.append(token)
    return written
