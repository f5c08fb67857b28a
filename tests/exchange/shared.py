"""What the tests of both directions share: methods far from their start, and their bases for transformers."""

import pytest
import torch

from minitune.methods.method import Method
from minitune.outputs import write_folder
from minitune.training.transformers_folder import transformers_files
from minitune.tuned.tuned import TunedMethod
from minitune.tuning.trained import trainable
from tests import tiny

CLOSE = {"rtol": 1e-5, "atol": 1e-5}
TEXTS = ["great soup", "the film was awful , and the hero was dull . it was sad", "it was great !", "a dull plot"]
LORA = {
    "query and value": ("rank=3", "alpha=5"),
    "by the root": ("rank=3", "alpha=5", "rank_stabilized=true"),
    "all": ("rank=2", "alpha=5", "targets=query,key,value,output,up,down", "dropout=0.2"),
    "fewer in one block": ("rank=2", "alpha=5", "targets=blocks.0.attention.query,blocks.1.attention.query,value"),
    "uneven": ("rank=3", "alpha=5", "rank_stabilized=true", "targets=value,up,blocks.1.attention.key"),
}


@pytest.fixture(scope="module")
def bases(tmp_path_factory):
    """The folders of transformers with the tiny models."""
    folder = tmp_path_factory.mktemp("transformers")
    for kind in ("gpt", "bert"):
        write_folder(folder / kind, transformers_files(tiny.checkpoint(kind)))
    return folder


def tuned(kind, name, *settings, question=None, seed=5):
    """A method with everything that it trains drawn anew: far from its start, and no two numbers alike."""
    method, base = Method.parse(name, settings), tiny.checkpoint(kind)
    predictor = method.build(base, question or tiny.question(kind), seed=3)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in trainable(predictor).values():
            parameter.normal_(std=0.3, generator=generator)
    return TunedMethod(method, predictor.eval(), question or tiny.question(kind), base)
