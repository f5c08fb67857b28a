"""Training a method on examples: the same few lines for the commands, the comparison and the lessons."""

from __future__ import annotations

from collections.abc import Sequence

from minitune.methods.method import WHAT, Method
from minitune.predictors.predictor import ExampleBatches, Joined
from minitune.training.loop import History, train
from minitune.tuning.trained import trainable

BATCH_SIZE = 16


def steps_for(examples: int) -> int:
    """100 steps, or 10 epochs where that is more, but no more than 1,000."""
    return min(1000, max(100, 10 * examples // BATCH_SIZE))


def fit(
    method: Method, joined: Joined, train_set: Sequence, dev: Sequence, seed: int, steps: int | None = None
) -> History:
    """Train what `method` has made trainable; the weights that did best on dev stay.

    Without anything trainable nothing is done: a zero-shot classifier is a method as well.
    """
    chosen = trainable(joined)
    if not chosen:
        return History()
    config = method.training(steps or steps_for(len(train_set)), seed)
    what = WHAT[method.what]
    rates, before_step = None, None
    if what.rates:
        rates = {f"model.{name}": rate for name, rate in what.rates(joined.model, method.settings).items()}
    if what.before_step:
        before_step = what.before_step(joined.model, method.settings, config.steps)
    batches = ExampleBatches(joined, train_set, BATCH_SIZE, seed)
    dev_items = joined.items(dev) if dev else []
    evaluate = (lambda: joined.measure(dev_items)) if dev else None
    history = train(
        joined, batches.batch, config, evaluate=evaluate, rates=rates, before_step=before_step, label=method.name
    )
    for parameter in chosen.values():  # a short gradual unfreezing does not come to the last layer
        parameter.requires_grad_(True)
    return history
