"""A tuned method as a folder that the library peft loads onto transformers' model: the same scores.

`adapter_config.json`, `adapter_model.safetensors`, for a GPT's head `head.safetensors` beside them, and `README.md`,
which says what the folder is to be loaded onto, how it is asked and how its answer is read. What the base is, peft does
not keep: `minitune export BASE --transformers DIR` writes it.

LoRA, prompt tuning, P-tuning, prefix tuning and P-tuning v2 can be written so; what else a method may change, peft has
no file for.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from minitune.errors import UserError
from minitune.exchange.peft_form import TRIED, Form, form_of, head_of, how_to_feed, how_to_read
from minitune.exchange.peft_prompt import prefix_for_peft, prompt_for_peft, split_at_prompt
from minitune.models.tensor_file import to_bytes
from minitune.prompting.slots import Part
from minitune.prompting.template import Template
from minitune.training.checkpoint import fingerprint
from minitune.training.transformers_folder import as_json
from minitune.tuned.tuned import TunedMethod
from minitune.tuning.doors import Prefix, Tuned, fold
from minitune.tuning.lora_peft import names_of, peft_settings, updates_for_peft

EXPORTED = ("lora", "prompt-tuning", "p-tuning", "prefix-tuning", "p-tuning-v2")


def peft_files(tuned: TunedMethod, out: Path) -> tuple[dict[str, bytes | None], list[str]]:
    """Each file of the folder, by name (None: there must be none), and the lines of its README.

    Args:
        out: where the folder will be, for the README.

    Raises:
        UserError: peft has no place for what the method changes, where its prompt stands, or how it is read.
    """
    if tuned.method.what not in EXPORTED:
        raise UserError(
            f"peft has no file for what {tuned.method.name} trains; what can be exported is {', '.join(EXPORTED)}"
        )
    check_asked(tuned.predictor.template)
    parts, length, model = tuned.predictor.template.parts, 0, tuned.predictor.model
    has_prefix = isinstance(model, Tuned) and isinstance(model.door, Prefix)
    form = form_of(tuned.base.kind, tuned.question, tuned.method.read, has_prefix)
    if not isinstance(model, Tuned):
        settings, tensors = lora_files(tuned, form)
    else:
        check_types(tuned, form)
        fold(model)
        if has_prefix:
            settings, table = prefix_for_peft(model)
        else:
            ids, parts = split_at_prompt(tuned.predictor.template, tuned.base.tokenizer)
            settings, table = prompt_for_peft(model, ids)
            length = len(ids)
        tensors = {"prompt_embeddings": table}
    head = head_of(getattr(tuned.predictor, "readout", None))
    if form.has_classifier:
        inside = "base_model" if isinstance(model, Tuned) else "base_model.model"
        tensors |= {f"{inside}.classifier.{name}": tensor for name, tensor in head.items()}
    config = {
        "task_type": form.task,
        "base_model_name_or_path": None,
        "inference_mode": True,
        "modules_to_save": ["classifier"] if form.has_classifier else None,
        **settings,
    }
    lines = readme(tuned, form, parts, length, settings["peft_type"], out)
    return {
        "adapter_model.safetensors": to_bytes(tensors),
        "head.safetensors": to_bytes(head) if form.reads == "beside" else None,
        "README.md": ("\n".join([f"# {tuned.method.name}, for peft", "", *lines]) + "\n").encode(
            errors="backslashreplace"
        ),
        "adapter_config.json": as_json(config),
    }, lines


def check_asked(template: Template) -> None:
    """Raises:
    UserError: it shows demonstrations, or tokens by their ids: a folder of peft has no place for either.
    """
    held = "demonstrations" if template.demonstrations else "words that a search found"
    if template.demonstrations or any(part.kind == "tokens" for part in template.parts):
        raise UserError(
            f"this method is asked with {held}, and a folder of peft has no place for them; what can be exported is "
            "asked as it was given, @bare or @manual"
        )


def lora_files(tuned: TunedMethod, form: Form) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """LoRA's settings and tensors.

    Raises:
        UserError: an adapted layer that transformers' class does not have.
    """
    updates = updates_for_peft(tuned.predictor.model)
    ours = tuned.method.settings.targets
    if lacking := [target for target in ours if target.rpartition(".")[2] in form.lacks]:
        raise UserError(
            f"{tuned.method.name} adapts {names_of(lacking)}, and {form.model} has no such layer; to export it, "
            "tune with other targets"
        )
    if form.model == "GPT2Model":  # the bare model, without a name before its layers
        updates = {name.removeprefix("transformer."): update for name, update in updates.items()}
    settings = {"peft_type": "LORA", "bias": "none", "fan_in_fan_out": tuned.base.kind == "gpt"}
    tensors = {
        f"base_model.model.{name}.lora_{matrix}.weight": getattr(update, matrix)
        for name, update in updates.items()
        for matrix in "AB"
    }
    return settings | peft_settings(updates, tuned.method.settings), tensors


def check_types(tuned: TunedMethod, form: Form) -> None:
    """Raises:
    UserError: the template has token types other than 0, and with a prompt peft leaves them out.
    """
    has_two = any(part.kind == "sep" for part in tuned.predictor.template.parts)
    if tuned.base.kind == "bert" and has_two and not form.keeps_types:
        raise UserError(
            f"the template {str(tuned.predictor.template)!r} has token types behind its {{sep}}, and peft hands "
            f"{form.model} none where a prompt or a prefix stands before the text; of what reads pairs, lora can be "
            "exported, and a soft prompt that is read by head"
        )


def readme(tuned: TunedMethod, form: Form, parts: Sequence[Part], length: int, peft_type: str, out: Path) -> list[str]:
    """What to load the folder onto, what to feed it, what to read: one item a line.

    Args:
        parts: of the template, that are to be fed.
        length: how many places the adapter takes before them; 0 for a prefix, which has no places.
    """
    base, tokenizer, door = tuned.base, tuned.base.tokenizer, getattr(tuned.predictor.model, "door", None)
    count = f", num_labels={len(tuned.labels)}" if form.has_classifier else ""
    own = door.length if isinstance(door, Prefix) else length
    taken = f", {own} of them the {'prefix' if isinstance(door, Prefix) else 'prompt'}'s" if own else ""
    types = base.kind == "bert" and any(part.kind == "sep" for part in parts)
    cls, sep = (tokenizer.library.id_to_token(i or 0) for i in (tokenizer.cls_id, tokenizer.sep_id))  # a BERT's
    fed = how_to_feed(parts, tokenizer, before=length > 0)
    lines = [
        f"- an adapter of peft, {peft_type} for the task type {form.task}, to be loaded onto {form.model}",
        f"- base: {base.name}, fingerprint {fingerprint(base.model)}; "
        f"`minitune export {base.name} --transformers BASE` writes it for transformers",
        f'- load: `PeftModel.from_pretrained({form.model}.from_pretrained("BASE"{count}), "{out}").eval()`',
        f'- feed: `tokenizer("{fed}", add_special_tokens=False)`, at most {base.model.context} tokens in all{taken}'
        + f"; token_type_ids are 1 behind the first {sep}" * types
        + "; a text begins with a space, which this tokenizer puts there" * (base.kind == "gpt")
        + "; where {text_b} is empty, leave out the space before it too" * (base.kind == "gpt" and " {text_b}" in fed),
        f"- read: {how_to_read(form, tuned.question, tokenizer, length, door is not None)}",
        f"- tried with: {TRIED}",
    ]
    if length and base.kind == "bert":
        lines.insert(4, f"- {cls} is not fed: the adapter holds it, before the prompt's vectors")
    return lines
