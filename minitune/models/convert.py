"""Weights from the reference library and for it: its names on the left, ours on the right, every shape checked.

GPT-2 keeps its linear layers transposed, as (in, out), with query, key and value side by side in one
matrix c_attn (D, 3D); here each is an `nn.Linear` of its own. BERT's names translate one to one.
"""

from __future__ import annotations

import re

import torch
from torch import Tensor

from minitune.models.build import Model
from minitune.models.tensor_file import same_numbers

# A pair of braces stands for one piece of a name: the layer's number, or the parameter's own name.
GPT_NAMES = {
    "wte.weight": "token_embedding.weight",
    "wpe.weight": "position_embedding.weight",
    "h.{}.ln_1.{}": "blocks.{}.attention_norm.{}",
    "h.{}.ln_2.{}": "blocks.{}.mlp_norm.{}",
    "h.{}.attn.c_proj.{}": "blocks.{}.attention.output.{}",
    "h.{}.mlp.c_fc.{}": "blocks.{}.mlp.up.{}",
    "h.{}.mlp.c_proj.{}": "blocks.{}.mlp.down.{}",
    "ln_f.{}": "norm.{}",
}
BERT_NAMES = {
    "embeddings.word_embeddings.weight": "token_embedding.weight",
    "embeddings.position_embeddings.weight": "position_embedding.weight",
    "embeddings.token_type_embeddings.weight": "type_embedding.weight",
    "embeddings.LayerNorm.{}": "embedding_norm.{}",
    "encoder.layer.{}.attention.self.query.{}": "blocks.{}.attention.query.{}",
    "encoder.layer.{}.attention.self.key.{}": "blocks.{}.attention.key.{}",
    "encoder.layer.{}.attention.self.value.{}": "blocks.{}.attention.value.{}",
    "encoder.layer.{}.attention.output.dense.{}": "blocks.{}.attention.output.{}",
    "encoder.layer.{}.attention.output.LayerNorm.{}": "blocks.{}.attention_norm.{}",
    "encoder.layer.{}.intermediate.dense.{}": "blocks.{}.mlp.up.{}",
    "encoder.layer.{}.output.dense.{}": "blocks.{}.mlp.down.{}",
    "encoder.layer.{}.output.LayerNorm.{}": "blocks.{}.mlp_norm.{}",
    "pooler.dense.{}": "pooler.{}",
    "cls.seq_relationship.{}": "next_sentence.{}",
    "cls.predictions.transform.dense.{}": "transform.{}",
    "cls.predictions.transform.LayerNorm.{}": "transform_norm.{}",
    "cls.predictions.bias": "decoder_bias",
}
NAMES = {"gpt": GPT_NAMES, "bert": BERT_NAMES}
FUSED = ("query", "key", "value")  # of GPT-2, in this order, in c_attn
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
    check_twins(state)
    for name, tensor in translate(model.kind, state).items():
        if name not in ours:
            raise ValueError(f"the source has {name}, and this {model.kind} has no such parameter: another size?")
        if tensor.shape != ours[name].shape:
            raise ValueError(f"{name} is {tuple(tensor.shape)} in the source and {tuple(ours[name].shape)} here")
        if not tensor.is_floating_point():  # whole numbers, complex ones
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


def check_twins(state: dict[str, Tensor]) -> None:
    """Raises:
    ValueError: a tensor is saved twice, or the output's matrix or bias beside what it is tied to, and the two differ.
    """
    short: dict[str, Tensor] = {}
    for name, tensor in state.items():
        plain = plain_name(name)
        if plain in short and not same_numbers(short[plain], tensor):
            raise ValueError(f"{plain} is there twice, as {name} and under another name, with different numbers")
        short[plain] = tensor
    for twin, name in TIED.items():
        if twin in short and name in short and not same_numbers(short[twin], short[name]):
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
            for part, piece in zip(FUSED, tensor.t().chunk(3), strict=True):  # (3D, D) -> 3 (D, D)
                translated[f"blocks.{fused[1]}.attention.{part}.{fused[2]}"] = piece
            continue
        ours = rename(short, NAMES[kind])
        translated[ours] = tensor.T if is_conv1d(kind, tensor, ours) else tensor
    return translated


def translate_back(kind: str, state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Our `state_dict()` as that of transformers' GPT2LMHeadModel or BertForPreTraining, without what is tied there.

    The inverse of `translate`: GPT-2's matrices as (in, out), query, key and value side by side.
    """
    translated: dict[str, list[Tensor]] = {}
    for name, tensor in state.items():
        path, _, parameter = name.rpartition(".")
        theirs = f"{their_layer(kind, path)}.{parameter}" if is_fused(kind, path) else their_name(kind, name)
        translated.setdefault(theirs, []).append(tensor.T if is_conv1d(kind, tensor, name) else tensor)
    return {name: torch.cat(parts, dim=-1).contiguous() for name, parts in translated.items()}  # 3 (D, D) -> (D, 3D)


def their_name(kind: str, name: str) -> str:
    """What transformers calls one of our parameters; query, key and value of a GPT have no name of their own there.

    Raises:
        ValueError: there is none for it.
    """
    theirs = rename(name, {ours: theirs for theirs, ours in NAMES[kind].items()})
    return theirs if theirs.startswith("cls.") else f"{'transformer' if kind == 'gpt' else 'bert'}.{theirs}"


def their_layer(kind: str, path: str) -> str:
    """What transformers calls one of our linear layers: "blocks.0.mlp.up" -> "transformer.h.0.mlp.c_fc".

    Query, key and value of a GPT are all three one layer there, c_attn.
    """
    if is_fused(kind, path):
        return f"transformer.h.{path.split('.')[1]}.attn.c_attn"
    return their_name(kind, f"{path}.weight").removesuffix(".weight")


def our_layers(kind: str, theirs: str) -> list[str]:
    """The inverse of `their_layer`: one path, or the three of a GPT-2's c_attn. The model's own name may be left out.

    Raises:
        ValueError: ours have no layer like it.
    """
    short = re.sub(r"^(transformer|bert)\.", "", theirs)
    if kind == "gpt" and (fused := re.fullmatch(r"h\.(\d+)\.attn\.c_attn", short)):
        return [f"blocks.{fused[1]}.attention.{part}" for part in FUSED]
    return [rename(f"{short}.weight", NAMES[kind]).removesuffix(".weight")]


def is_fused(kind: str, path: str) -> bool:
    return kind == "gpt" and path.rpartition(".")[2] in FUSED


def is_conv1d(kind: str, tensor: Tensor, ours: str) -> bool:
    return kind == "gpt" and tensor.dim() == 2 and "embedding" not in ours


def rename(name: str, names: dict[str, str]) -> str:
    for left, right in names.items():
        if match := re.fullmatch(re.escape(left).replace(r"\{\}", r"([^.]+)"), name):
            return right.format(*match.groups())
    raise ValueError(f"no place is known for the tensor {name!r}")
