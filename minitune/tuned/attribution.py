r"""Which tokens moved an answer: gradient times input, and leaving each word out.

    gradient times input    (d log p / d e_t) . e_t        e_t: (D), the embedding that the model takes at place t
    leaving out             log p(text) - log p(text without the word)

p is the probability of the answer that the predictor gave; of a number, which has none, the number stands for log p.
The first is what a small change of the embedding along itself would do, all tokens in one backward pass; the second is
what really happens, a forward pass for each word. Where they disagree, believe the second.

Simonyan et al. 2013, section 3, and Denil et al. 2014, section 3 (gradients); Li et al. 2016, "Understanding Neural
Networks through Representation Erasure", section 3 (leaving out).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from minitune.errors import UserError
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor, over
from minitune.predictors.tagger import TaggedWords, Tagger
from minitune.predictors.writer import Writer
from minitune.prompting.slots import TEXT_SLOTS
from minitune.prompting.template import Rendered
from minitune.report import in_figure, new_figure, save_figure, shortened

MOST = 60  # bars that a figure shows


@dataclass(frozen=True)
class Attribution:
    """What each part of what was read did for the answer; above 0 is towards it."""

    answer: str
    tokens: list[str]
    by_gradient: list[float]  # of each token
    words: list[str]
    by_leaving_out: list[float | None]  # of each word of the text; None where nothing can be left out


def attribute(predictor: Predictor, example: Any) -> Attribution:
    """Both, for one example of the predictor's kind."""
    answered, answer = with_answer(predictor, example)
    tokens = predictor.tokenizer.tokens(predictor.render([answered])[0].ids)
    words, without = left_out(answered)
    whole = log_chances(predictor, [answered])[0]
    effects: list[float | None] = []
    for shorter in without:
        try:
            effects.append(whole - log_chances(predictor, [shorter])[0])
        except UserError:  # nothing is left to read
            effects.append(None)
    return Attribution(answer, tokens, gradient_times_input(predictor, answered), words, effects)


def with_answer(predictor: Predictor, example: Any) -> tuple[Any, str]:
    """The example with what the predictor says of it in the label's place, and that in words."""
    (answer,) = predictor.answers([example])
    if isinstance(predictor, Classifier):
        return replace(example, label=predictor.labels.index(answer)), answer
    if isinstance(predictor, Writer):
        return replace(example, answer=answer), answer
    if isinstance(predictor, Tagger):
        (tags,) = predictor.tags([example])  # a tag's name may have a space
        return replace(example, tags=tuple(map(predictor.place_of, tags))), answer
    return example, answer


def left_out(example: Any) -> tuple[list[str], list]:
    """Each word of the example, and the example without it."""
    if isinstance(example, TaggedWords):
        count = range(len(example.words))
        keep = [[i for i in count if i != gone] for gone in count]
        return list(example.words), [
            TaggedWords(tuple(example.words[i] for i in kept), tuple(example.tags[i] for i in kept)) for kept in keep
        ]
    words, shorter = [], []
    for slot in TEXT_SLOTS:
        its = (getattr(example, slot, None) or "").split()
        words += its
        shorter += [replace(example, **{slot: " ".join(its[:i] + its[i + 1 :])}) for i in range(len(its))]
    return words, shorter


def log_chances(predictor: Predictor, examples: list) -> list[float]:
    """The log probability of each example's own label."""
    return over(predictor, predictor.items(examples), predictor.log_chance).tolist()


def gradient_times_input(predictor: Predictor, example: Any) -> list[float]:
    """Of each token that is read."""
    (item,) = predictor.items([example])
    if getattr(item, "hidden", None) is not None:  # of a frozen model: it shall read once more, with gradients
        item = item._replace(hidden=None)
    device = next(predictor.parameters()).device
    batch = {name: tensor.to(device) for name, tensor in predictor.collate([item]).items()}
    predictor.eval()
    with torch.enable_grad(), watched(inner_model(predictor)) as seen:
        chance = predictor.log_chance(batch)
    (gradient,) = torch.autograd.grad(chance.sum(), seen)
    products = (gradient * seen[0]).sum(dim=-1).tolist()  # (K, T, D) -> (K, T)
    (rendered,) = predictor.render([example])
    return joined(rendered, getattr(item, "variations", ()) or (item.rendered,), products)


def joined(rendered: Rendered, read: Sequence[Rendered], products: Sequence[Sequence[float]]) -> list[float]:
    """What every token of the question did in all the variations that were read, for each token of the question itself.

    Whatever a variation has in its blank counts for the blank; a writer's own answer, which it reads too, is left out.
    """
    total = [0.0] * len(rendered.ids)
    blank = [place for place, part in enumerate(rendered.origin) if part == "mask"]
    others = [place for place, part in enumerate(rendered.origin) if part != "mask"]
    for its, row in zip(read, products, strict=True):
        parted = list(zip(row, its.origin, strict=False))
        for place, value in zip(others, (v for v, part in parted if part != "mask"), strict=False):
            total[place] += value
        if blank:
            total[blank[0]] += sum(v for v, part in parted if part == "mask")
    return total


def inner_model(predictor: Predictor) -> nn.Module:
    """The GPT or BERT itself, behind whatever stands before it."""
    return getattr(predictor.model, "model", predictor.model)


@contextmanager
def watched(model: nn.Module) -> Iterator[list[Tensor]]:
    """The embeddings that a model takes in, each call's, as leaves that gradients reach: (B, T, D)."""
    seen: list[Tensor] = []

    def take(module: nn.Module, arguments: tuple, inputs: dict) -> tuple[tuple, dict]:
        ids = arguments[0] if arguments else inputs.pop("input_ids", None)
        embeds = inputs.pop("inputs_embeds", None)
        embeds = module.token_embedding(ids) if embeds is None else embeds
        seen.append(embeds.detach().requires_grad_())
        return (), {**inputs, "inputs_embeds": seen[-1]}

    handle = model.register_forward_pre_hook(take, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


def plot(found: Attribution, title: str, path: Path) -> None:
    """Both as bars: to the right what speaks for the answer, to the left what speaks against it."""
    effects = zip(found.words, found.by_leaving_out, strict=True)
    sides = {
        "gradient times input, each token": list(zip(found.tokens, found.by_gradient, strict=True)),
        "leaving the word out": [(word, effect) for word, effect in effects if effect is not None],
    }
    rows = max(min(MOST, len(bars)) for bars in sides.values())
    figure, axes = new_figure((9, 1.6 + 0.22 * rows), columns=2)
    for axis, (name, bars) in zip(axes, sides.items(), strict=True):
        shown = strongest(bars)
        values = [value for _, value in shown]
        axis.barh(range(len(shown)), values, color=["tab:green" if value > 0 else "tab:red" for value in values])
        axis.set_yticks(range(len(shown)), [in_figure(shortened(label, 24)) for label, _ in shown], fontsize=9)
        axis.set_ylim(rows - 0.4, -0.6)
        axis.axvline(0, color="black", linewidth=0.8)
        axis.set_title(name + (f" (the {MOST} strongest)" if len(bars) > MOST else ""), fontsize=10)
        axis.set_xlabel("change of the answer's log probability", fontsize=9)
    figure.suptitle(in_figure(shortened(title, 90)), fontsize=11)
    save_figure(figure, path)


def strongest(bars: Sequence[tuple[str, float]]) -> list[tuple[str, float]]:
    """At most `MOST` of them, in their order."""
    kept = sorted(range(len(bars)), key=lambda i: -abs(bars[i][1]))[:MOST]
    return [bars[i] for i in sorted(kept)]
