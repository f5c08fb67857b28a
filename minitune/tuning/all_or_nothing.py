"""The two ends of "what may change?": every weight of the pretrained model, or none.

Full fine-tuning trains all N parameters of the model and stores all of them again for each task. A frozen model
trains and stores none: what learns then is the read-out alone, if it has anything to learn.

Devlin et al. 2019, sections 4.1 (fine-tuning) and 5.3 (a frozen model as a source of features; arXiv 1810.04805).
"""

from __future__ import annotations

from minitune.models.build import Model, ModelConfig, parameter_count


def tune_everything(model: Model) -> Model:
    """Make every parameter trainable, in place; returns the model."""
    return model.requires_grad_(True)


def freeze(model: Model) -> Model:
    """Make no parameter trainable, in place; returns the model."""
    return model.requires_grad_(False)


def all_parameters(config: object, model: ModelConfig) -> int:
    """N, all of the model's."""
    return parameter_count(model)


def no_parameters(config: object, model: ModelConfig) -> int:
    """0."""
    return 0
