"""Training a method on examples: the same few lines for the commands, the comparison and the lessons."""

from __future__ import annotations

from minitune.data.examples import DevSet, TrainSet, as_part
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.methods.what import WHAT
from minitune.predictors.predictor import ExampleBatches, Predictor
from minitune.training.loop import History, train
from minitune.tuning.trained import trainable

BATCH_SIZE = 16


def steps_for(examples: int, most: int = 1000) -> int:
    """100 steps, or 10 epochs where that is more, but no more than `most`."""
    return min(most, max(100, 10 * examples // BATCH_SIZE))


def fit(
    method: Method, predictor: Predictor, train_set: TrainSet, dev: DevSet, seed: int, steps: int | None = None
) -> History:
    """Train what `method` has made trainable; the weights that did best on dev stay.

    Without anything trainable nothing is done: a zero-shot classifier is a method as well.

    Raises:
        TypeError: what is trained on or chosen by is the test set.
    """
    train_set, dev = as_part(TrainSet, train_set), as_part(DevSet, dev)
    chosen = trainable(predictor)
    if not chosen:
        return History()
    config = method.training(predictor, steps or steps_for(len(train_set)), seed)
    what, before_step = WHAT[method.what], None
    rates = what.rates(predictor.model, method.settings) if what.rates else {}
    rates = {f"model.{name}": rate for name, rate in rates.items()}
    if own := READ[method.read].rate:
        part = own[predictor.model.kind] / method.rate(predictor)
        rates |= {name: part for name in chosen if name.startswith("readout.")}
    if what.before_step:
        before_step = what.before_step(predictor.model, method.settings, config.steps)
    batches = ExampleBatches(predictor, train_set, BATCH_SIZE, seed)
    dev_items = predictor.items(dev) if dev else []
    evaluate = (lambda: predictor.measure(dev_items)) if dev else None
    history = train(
        predictor,
        batches.batch,
        config,
        evaluate=evaluate,
        rates=rates,
        before_step=before_step,
        label=method.name,
        keep_by_loss=predictor.kept_by_loss,
    )
    for parameter in chosen.values():  # a short gradual unfreezing does not come to the last layer
        parameter.requires_grad_(True)
    return history
