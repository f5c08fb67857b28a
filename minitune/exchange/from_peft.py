"""A LoRA that the library peft saved, as a tuned method: the same scores on the same base.

The tensors say which layers are adapted; GPT-2's fused c_attn comes apart into query, key and value. A classifier on
BERT's pooler, or the `score` of a GPT-2, is our head, and makes `lora+head`. Without one the answer is read from words,
`lora+verbalizer`, and the words and the template must be said: peft keeps neither.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from torch import Tensor

from minitune.errors import UserError
from minitune.exchange.peft_config import FILE, read_config
from minitune.exchange.peft_weights import check_whole, read_head, read_updates, read_weights
from minitune.methods.method import Method
from minitune.questions.otherwise import asked_otherwise
from minitune.questions.question import Question
from minitune.readout.verbalizer import parse_label_words
from minitune.settings import settings_of
from minitune.training.checkpoint import Checkpoint
from minitune.tuned.tuned import TunedMethod
from minitune.tuning.lora import linear_layers
from minitune.tuning.lora_peft import one_config, put_updates, updates_from_peft


def is_adapter(folder: Path) -> bool:
    """Whether peft saved an adapter there."""
    return (folder / FILE).is_file()


def from_peft(
    folder: Path,
    base: Checkpoint,
    labels: Sequence[str] = (),
    template: str | None = None,
    label_words: str | None = None,
) -> TunedMethod:
    """The adapter in `folder`, on a copy of the base's model.

    Args:
        labels: the classes in the order of the classifier's rows; LABEL_0, LABEL_1, ... where none are given.
        template: how the text is asked; under a classifier the bare text, where none is given.
        label_words: where there is no classifier, words for the classes, "good=great;bad=awful,sad".

    Raises:
        UserError: a file is missing or damaged; an option, a layer or a shape that has no counterpart here; labels,
            words or a template that are missing or do not belong.
    """
    config, content = read_config(folder)
    tensors = read_weights(folder)
    head = read_head(folder, tensors, base)
    theirs = read_updates(folder, tensors, config, base)
    check_whole(folder, content, theirs, base)
    ours = updates_from_peft(base.kind, theirs)
    updates = {path: ours[path] for path in linear_layers(base.model) if path in ours}  # in the model's order
    if not updates:
        raise UserError(f"the adapter in {folder} changes nothing: every B of it is zero; train it first")
    question = question_for(head, labels, template, label_words, base)
    settings = one_config(updates, config.lora_dropout, config.use_rslora)
    method = Method.parse("lora+head" if head else "lora+verbalizer", settings_of(settings))
    predictor = method.build(base, question, seed=0)
    put_updates(predictor.model, updates)
    if head:
        with torch.no_grad():
            predictor.readout.linear.weight.copy_(head["weight"])
            predictor.readout.linear.bias.copy_(head["bias"])
    made = {"imported from": str(folder), "peft": str(content.get("peft_version"))}
    return TunedMethod(method, predictor.eval(), question, base, made=made)


def question_for(
    head: Mapping[str, Tensor] | None,
    labels: Sequence[str],
    template: str | None,
    label_words: str | None,
    base: Checkpoint,
) -> Question:
    """Raises:
    UserError: what is needed is missing, or does not fit.
    """
    if head and label_words:
        raise UserError("the adapter has a classifier, which reads no words; leave --label-words out")
    if head:
        count = len(head["weight"])
        names = tuple(labels) or tuple(f"LABEL_{at}" for at in range(count))
        if len(set(names)) != count:
            raise UserError(
                f"{len(set(names))} labels are given, and the classifier has {count} classes; name each once"
            )
        asked = Question(names, template or "{text}", is_pair="{text_b}" in (template or ""))
        return asked_otherwise(asked, asked.template, None, base, needs_blank=False)
    if labels:
        raise UserError("the adapter has no classifier, so its classes are those of --label-words; leave --labels out")
    if not (label_words and template):
        raise UserError(
            "the adapter has no classifier, so its answer is read from words at a blank: say how, with --template "
            '"{text} it was {mask} ." and --label-words "good=great;bad=awful"'
        )
    words = parse_label_words(label_words)
    asked = Question(tuple(words), template, is_pair="{text_b}" in template)
    return asked_otherwise(asked, template, words, base)
