"""Weights from the reference library: its names on the left, ours on the right, every shape checked.

GPT-2 keeps its linear layers transposed, as (in, out), with query, key and value side by side in one
matrix c_attn (D, 3D); here each is an `nn.Linear` of its own. BERT's names translate one to one.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from minitune.models.build import Model

GPT_NAMES = {
    r"wte\.weight": "token_embedding.weight",
    r"wpe\.weight": "position_embedding.weight",
    r"h\.(\d+)\.ln_1\.(\w+)": r"blocks.\1.attention_norm.\2",
    r"h\.(\d+)\.ln_2\.(\w+)": r"blocks.\1.mlp_norm.\2",
    r"h\.(\d+)\.attn\.c_proj\.(\w+)": r"blocks.\1.attention.output.\2",
    r"h\.(\d+)\.mlp\.c_fc\.(\w+)": r"blocks.\1.mlp.up.\2",
    r"h\.(\d+)\.mlp\.c_proj\.(\w+)": r"blocks.\1.mlp.down.\2",
    r"ln_f\.(\w+)": r"norm.\1",
}
BERT_NAMES = {
    r"embeddings\.(word|position|token_type)_embeddings\.weight": r"\1_embedding.weight",
    r"embeddings\.LayerNorm\.(\w+)": r"embedding_norm.\1",
    r"encoder\.layer\.(\d+)\.attention\.self\.(query|key|value)\.(\w+)": r"blocks.\1.attention.\2.\3",
    r"encoder\.layer\.(\d+)\.attention\.output\.dense\.(\w+)": r"blocks.\1.attention.output.\2",
    r"encoder\.layer\.(\d+)\.attention\.output\.LayerNorm\.(\w+)": r"blocks.\1.attention_norm.\2",
    r"encoder\.layer\.(\d+)\.intermediate\.dense\.(\w+)": r"blocks.\1.mlp.up.\2",
    r"encoder\.layer\.(\d+)\.output\.dense\.(\w+)": r"blocks.\1.mlp.down.\2",
    r"encoder\.layer\.(\d+)\.output\.LayerNorm\.(\w+)": r"blocks.\1.mlp_norm.\2",
    r"pooler\.dense\.(\w+)": r"pooler.\1",
    r"cls\.seq_relationship\.(\w+)": r"next_sentence.\1",
    r"cls\.predictions\.transform\.dense\.(\w+)": r"transform.\1",
    r"cls\.predictions\.transform\.LayerNorm\.(\w+)": r"transform_norm.\1",
    r"cls\.predictions\.bias": "decoder_bias",
}
RENAMED = {"word_embedding": "token_embedding", "token_type_embedding": "type_embedding"}
NOT_WEIGHTS = re.compile(r"(\.attn\.bias|\.attn\.masked_bias|position_ids|decoder\.(weight|bias)|lm_head\.weight)$")
OTHER_HEADS = re.compile(r"(classifier|score|qa_outputs|multiple_choice_head)\.")  # of tasks that it was tuned for
TIED = {  # a second name of a tensor, which may be saved as well
    "lm_head.weight": "wte.weight",
    "cls.predictions.decoder.weight": "embeddings.word_embeddings.weight",
    "cls.predictions.decoder.bias": "cls.predictions.bias",
}
PARTS = {  # of a BERT that a source may lack, with the beginnings of our parameters' names
    "MLM head": ("transform", "decoder_bias"),
    "pooler": ("pooler",),
    "next-sentence head": ("next_sentence",),
}


@torch.no_grad()
def load_transformers(model: Model, state: dict[str, Tensor], missing: tuple[str, ...] = ()) -> Model:
    """Copy the `state_dict()` of a transformers GPT-2 or BERT into `model`, in place; returns it.

    Args:
        missing: beginnings of our parameters' names that the source may lack (a BERT without its pretraining heads
            lacks "transform", "decoder_bias", "next_sentence").

    Raises:
        ValueError: a name that is not known, a shape that differs, whole numbers, a parameter that nothing was found
            for, two tensors that differ and are one here.
    """
    ours = dict(model.named_parameters())
    found: set[str] = set()
    check_tied(state)
    for name, tensor in translate(model.kind, state).items():
        if name not in ours:
            raise ValueError(f"the source has {name}, and this {model.kind} has no such parameter: another size?")
        if tensor.shape != ours[name].shape:
            raise ValueError(f"{name} is {tuple(tensor.shape)} in the source and {tuple(ours[name].shape)} here")
        if not tensor.is_floating_point():
            raise ValueError(f"{name} is of {tensor.dtype} in the source, and here it holds floating-point numbers")
        ours[name].copy_(tensor)
        found.add(name)
    lost = [name for name in ours if name not in found and not name.startswith(missing or ("\0",))]
    if lost:
        raise ValueError(f"the source has nothing for {lost}")
    return model


def lacking(kind: str, state: dict[str, Tensor]) -> tuple[str, ...]:
    """The parts of our model, as named in `PARTS`, that the source has nothing for."""
    found = tuple(translate(kind, state))
    parts = PARTS.items() if kind == "bert" else ()
    return tuple(part for part, names in parts if not any(name.startswith(names) for name in found))


def check_tied(state: dict[str, Tensor]) -> None:
    """Raises:
    ValueError: the output's matrix or bias is saved twice, and the two differ.
    """
    short = {plain_name(name): tensor for name, tensor in state.items()}
    for twin, name in TIED.items():
        if twin in short and name in short and not torch.equal(short[twin], short[name]):
            raise ValueError(f"{twin} and {name} differ, and here the output is tied to the embedding: they are one")


def plain_name(name: str) -> str:
    """A tensor's name without the model's own, and without the two old names of a norm's gain and shift."""
    short = re.sub(r"^(transformer|bert)\.", "", name)
    return re.sub(r"\.gamma$", ".weight", re.sub(r"\.beta$", ".bias", short))


def translate(kind: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under our names: GPT-2's matrices turned to (out, in), c_attn cut in three."""
    translated: dict[str, Tensor] = {}
    for name, tensor in state.items():
        short = plain_name(name)
        if short == "cls.predictions.decoder.bias" and "cls.predictions.bias" not in state:
            short = "cls.predictions.bias"
        if NOT_WEIGHTS.search(short) or OTHER_HEADS.match(short):
            continue
        if kind == "gpt" and (fused := re.fullmatch(r"h\.(\d+)\.attn\.c_attn\.(\w+)", short)):
            for part, piece in zip(("query", "key", "value"), tensor.t().chunk(3), strict=True):  # (3D, D) -> 3 (D, D)
                translated[f"blocks.{fused[1]}.attention.{part}.{fused[2]}"] = piece
            continue
        ours = rename(short, GPT_NAMES if kind == "gpt" else BERT_NAMES)
        is_conv1d = kind == "gpt" and tensor.dim() == 2 and "embedding" not in ours
        translated[ours] = tensor.T if is_conv1d else tensor
    return translated


def rename(name: str, names: dict[str, str]) -> str:
    for pattern, ours in names.items():
        if match := re.fullmatch(pattern, name):
            new = match.expand(ours)
            head = new.partition(".")[0]
            return new.replace(head, RENAMED.get(head, head), 1)
    raise ValueError(f"no place is known for the source's tensor {name!r}")
