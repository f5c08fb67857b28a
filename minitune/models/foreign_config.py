"""The sizes of a model of another library: `config.json` as `transformers` writes it, read into a config of ours.

What our GPT and BERT do not compute is refused by name: a model that is nearly the same says other things, and nothing
would tell. A key that the file leaves out has the value that the reference library gives it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from minitune.errors import UserError
from minitune.files import read_made_json
from minitune.models.bert import BERTConfig
from minitune.models.build import KINDS, ModelConfig
from minitune.models.gpt import GPTConfig
from minitune.schema import LONGEST, shown

KIND_OF = {"gpt2": "gpt", "bert": "bert"}  # by model_type
OURS = {  # our field: its key, and its value where the file has none
    "gpt": {
        "vocab_size": ("vocab_size", 50257),
        "layers": ("n_layer", 12),
        "width": ("n_embd", 768),
        "heads": ("n_head", 12),
        "inner": ("n_inner", None),
        "context": ("n_positions", 1024),
        "dropout": ("resid_pdrop", 0.1),
        "spread": ("initializer_range", 0.02),
        "norm_eps": ("layer_norm_epsilon", 1e-5),
    },
    "bert": {
        "vocab_size": ("vocab_size", 30522),
        "layers": ("num_hidden_layers", 12),
        "width": ("hidden_size", 768),
        "heads": ("num_attention_heads", 12),
        "inner": ("intermediate_size", 3072),
        "context": ("max_position_embeddings", 512),
        "token_types": ("type_vocab_size", 2),
        "dropout": ("hidden_dropout_prob", 0.1),
        "spread": ("initializer_range", 0.02),
        "norm_eps": ("layer_norm_eps", 1e-12),
    },
}
COMPUTED = {  # by key: the values that our model computes, the library's own first
    "gpt": {
        "activation_function": ("gelu_new", "gelu_pytorch_tanh"),  # two names of the tanh GELU
        "scale_attn_weights": (True,),
        "scale_attn_by_inverse_layer_idx": (False,),
        "tie_word_embeddings": (True,),
        "add_cross_attention": (False,),
    },
    "bert": {
        "hidden_act": ("gelu",),
        "position_embedding_type": ("absolute",),
        "is_decoder": (False,),
        "tie_word_embeddings": (True,),
        "add_cross_attention": (False,),
    },
}
LARGEST = 1e30  # whole numbers of any length can be written in JSON
SHARES = ("dropout",)  # from 0 to 1
SIZES_ABOVE_0 = ("spread", "norm_eps")


def read_foreign_config(folder: Path) -> ModelConfig:
    """The config of the GPT-2 or BERT that is saved in a folder.

    Raises:
        UserError: there is no such folder or no `config.json` in it, it is damaged, of another kind of model, or of one
            that computes something that ours does not.
    """
    path = folder / "config.json"
    if not folder.is_dir():
        raise UserError(
            f"there is no folder {folder}; give one that transformers saved with save_pretrained (minitune downloads "
            "nothing)"
        )
    if not path.exists():
        raise UserError(f"{folder} has no config.json; a folder that transformers saved with save_pretrained has one")
    values = read_made_json(path)
    model_type = values.get("model_type") if isinstance(values, dict) else None
    if not isinstance(model_type, str) or model_type not in KIND_OF:
        raise UserError(f"{path} is of a model of the type {shown(model_type)}; minitune reads {' and '.join(KIND_OF)}")
    kind = KIND_OF[model_type]
    for key, computed in COMPUTED[kind].items():
        if (value := values.get(key, computed[0])) not in computed:
            raise UserError(
                f"{path} says {key} {show(value)}, and the {model_type} that minitune computes has "
                f"{' or '.join(map(show, computed))}: this one cannot be brought in"
            )
    for key in ("quantization_config", "pruned_heads"):
        if values.get(key):
            raise UserError(f"{path} has a {key}; minitune reads a model that is whole, in floating point")
    ours = {field: checked(path, field, key, values.get(key, default)) for field, (key, default) in OURS[kind].items()}
    if ours["inner"] is None:
        ours["inner"] = 4 * ours["width"]
    if ours["width"] % ours["heads"]:
        raise UserError(f"{path} has a width of {ours['width']}, which does not divide into {ours['heads']} heads")
    config_class: type[GPTConfig] | type[BERTConfig] = KINDS[kind][1]
    try:
        return config_class(**ours)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def checked(path: Path, field: str, key: str, value: Any) -> Any:
    """Raises:
    UserError: no number, or one out of range.
    """
    if field == "inner" and value is None:
        return None
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < LARGEST
    if field in SHARES:
        good, expected = is_number and 0 <= value < 1, "a number from 0 to 1"
    elif field in SIZES_ABOVE_0:
        good, expected = is_number and value > 0, "a number above 0"
    else:
        good, expected = is_number and isinstance(value, int) and 0 < value < 2**31, "a whole number above 0"
    if not good:
        raise UserError(f"{path} says {key} {show(value)}, and {expected} was expected; save the model anew")
    return value


def show(value: Any) -> str:
    """The beginning of a value as it is written in JSON."""
    text = json.dumps(value, default=str)
    return text if len(text) <= LONGEST else text[:LONGEST] + "..."
