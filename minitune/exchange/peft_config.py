"""The `adapter_config.json` of a LoRA of peft: what is read of it, what may be there, and what is refused by its name.

What an option does to the base or to the update decides: those that only say how training was to start or to run, and
those that choose the layers (the file of tensors names them), are passed over. Any other that is on, known or not,
would be another function than s B A x, and is refused.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from minitune.errors import UserError
from minitune.files import read_made_json
from minitune.schema import shown

FILE = "adapter_config.json"
TASKS = (None, "SEQ_CLS", "CAUSAL_LM", "FEATURE_EXTRACTION")
PASSED_OVER = {  # they change no number of what was trained
    *("auto_mapping", "base_model_name_or_path", "revision", "peft_version", "inference_mode", "runtime_config"),
    *("target_modules", "exclude_modules", "layers_to_transform", "layers_pattern", "modules_to_save"),
    *("eva_config", "loftq_config", "corda_config", "lora_ga_config", "megatron_config", "megatron_core"),
    *("qalora_group_size", "ensure_weight_tying"),  # of another option, which is refused where it is on
    "fan_in_fan_out",  # peft itself sets it as the layer's class asks
}
MAY_BE_NONE = ("task_type", "rank_pattern", "alpha_pattern")
STARTS = (True, False, "gaussian", "orthogonal", "eva")  # of A and B; others change the base's weights as well


PATTERN = re.compile(r"(?:[A-Za-z0-9_|^$-]|\\?\.|(?<=\.)\*)+")
MOST_STARS = 3  # of ".*" in one pattern: the time to match grows with the length of a name to their power
EXPECTED = {
    "task_type": f"; expected {', '.join(filter(None, TASKS))}, or none",
    **dict.fromkeys(
        ("rank_pattern", "alpha_pattern"),
        ": a pattern may be names of layers, with dots, alternatives (|) and up to three plain .* between them; write "
        "the layers' names out",
    ),
}


@dataclass(frozen=True)
class PeftLoRA:
    """What is read of the file, by peft's own names."""

    r: int = 8
    lora_alpha: float = 8
    lora_dropout: float = 0.0
    use_rslora: bool = False
    task_type: str | None = None
    rank_pattern: dict[str, int] = field(default_factory=dict)
    alpha_pattern: dict[str, float] = field(default_factory=dict)

    def rank(self, layer: str) -> int:
        return of_pattern(self.rank_pattern, layer, self.r)

    def scale(self, layer: str) -> float:
        rank = self.rank(layer)
        alpha = of_pattern(self.alpha_pattern, layer, self.lora_alpha)
        return alpha / (math.sqrt(rank) if self.use_rslora else rank)


def of_pattern(patterns: dict[str, Any], layer: str, otherwise: Any) -> Any:
    """The value of the first pattern that the layer's whole name ends in, as in peft."""
    return next((v for p, v in patterns.items() if re.match(rf"(.*\.)?({p})$", layer)), otherwise)


def read_config(folder: Path) -> tuple[PeftLoRA, dict[str, Any]]:
    """What is needed of the file, and all that is in it.

    Raises:
        UserError: it is missing or damaged, of another method, or has an option that is another function.
    """
    path = folder / FILE
    content = read_made_json(path)
    if not isinstance(content, dict) or "peft_type" not in content:
        raise UserError(f"{path} has no peft_type, so it describes no adapter of peft; check the folder")
    if content["peft_type"] != "LORA":
        raise UserError(f"{path} describes {shown(content['peft_type'])}; of peft's methods minitune imports LORA")
    known = set(PeftLoRA.__dataclass_fields__) | PASSED_OVER | {"peft_type", "bias", "init_lora_weights"}
    options = {name: value for name, value in content.items() if name not in known and value}
    if content.get("bias", "none") != "none":
        options["bias"] = content["bias"]
    if content.get("init_lora_weights", True) not in STARTS:
        options["init_lora_weights"] = content["init_lora_weights"]
    if options:
        name, value = next(iter(options.items()))
        raise UserError(
            f"{path} has {name}={shown(value)}: minitune's LoRA is W + s B A and nothing else, and "
            "with that option the numbers are others; import an adapter that was trained without it"
        )
    given = {name: content[name] for name in PeftLoRA.__dataclass_fields__ if name in content}
    read = {name: value for name, value in given.items() if value is not None or name not in MAY_BE_NONE}
    check_values(path, read)
    return PeftLoRA(**read), content


def check_values(path: Path, read: dict[str, Any]) -> None:
    """Raises:
    UserError: a value of another kind or out of range, or a task that has no counterpart here.
    """
    good = {
        "r": is_rank,
        "lora_alpha": is_alpha,
        "lora_dropout": lambda value: is_number(value) and 0 <= value < 1,
        "use_rslora": lambda value: isinstance(value, bool),
        "task_type": lambda value: value in TASKS,
        "rank_pattern": lambda value: is_pattern(value, is_rank),
        "alpha_pattern": lambda value: is_pattern(value, is_alpha),
    }
    for name, value in read.items():
        if not good[name](value):
            expected = EXPECTED.get(name, "; check the file")
            raise UserError(f"{path} has {name}={shown(value)}, which cannot be imported{expected}")


def is_rank(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value < 2**31


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e30


def is_alpha(value: Any) -> bool:
    return is_number(value) and value != 0


def is_pattern(value: Any, is_good: Any) -> bool:
    """A mapping from patterns to numbers. In peft a pattern is any regular expression, and some of these take longer
    than the world to be matched: here it is what people write."""
    if not isinstance(value, dict):
        return False
    return all(
        PATTERN.fullmatch(pattern) and pattern.count(".*") <= MOST_STARS and is_good(number)
        for pattern, number in value.items()
    )
