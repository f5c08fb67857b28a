"""A model of another library becomes a checkpoint: its sizes and its tokenizer first, then its weights.

What a folder lacks is named in the checkpoint and gets random weights: a BERT may come without the head that guesses
words, without the pooler, without the head that tells whether a second text follows. A method that needs a part that
is lacking is refused, see `minitune.methods.method`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from minitune.data.foreign_tokenizer import ForeignTokenizer, read_foreign_tokenizer
from minitune.errors import UserError
from minitune.files import machine_memory
from minitune.models.build import KINDS, SIZES, ModelConfig, count_in_blocks, parameter_count, random_model
from minitune.models.convert import PARTS, lacking, load_transformers
from minitune.models.foreign_config import read_foreign_config
from minitune.models.foreign_weights import find_weights, read_foreign_weights
from minitune.models.grow import grow_vocabulary
from minitune.report import size, table
from minitune.training.checkpoint import Checkpoint

SMALLEST = 2  # bytes of a number in a file: float16
WEIGHT, TRAINED = 4, 12  # bytes of a number; and of its gradient and the optimizer's two averages beside it
AT_ONCE = 2  # the weights as the file has them, and the model's own, while one becomes the other
SHIPPED_SIZE = "micro"


@dataclass(frozen=True)
class Plan:
    """What is known of a folder before its weights are read."""

    folder: Path
    kind: str
    config: ModelConfig  # as in the file
    tokenizer: ForeignTokenizer

    @property
    def parameters(self) -> int:
        """Of the model, new tokens included."""
        per_token = self.config.width + (self.kind == "bert")  # BERT's word scores have a bias
        return parameter_count(self.config) + len(self.tokenizer.added) * per_token

    @property
    def times_the_work(self) -> float:
        """The work for one token, in units of the shipped model's of the same kind."""
        shipped = KINDS[self.kind][1](1, **SIZES[SHIPPED_SIZE])
        return count_in_blocks(self.config) / count_in_blocks(shipped)

    def __str__(self) -> str:
        c, t = self.config, self.tokenizer
        weights, full = WEIGHT * self.parameters, (WEIGHT + TRAINED) * self.parameters
        rows = [
            ["layers, width, heads, inner width", f"{c.layers}, {c.width}, {c.heads}, {c.inner}"],
            ["context", f"{c.context} tokens"],
            ["dropout", f"{c.dropout:g}, on embeddings and layers; none on attention weights"],
            ["vocabulary", f"{c.vocab_size:,} tokens, and {len(t.added)} new ones with new embeddings"],
            ["new tokens", " ".join(t.added) or "none"],
            ["special tokens that it had", ", ".join(f"{name} = {role}" for role, name in t.found.items())],
            ["parameters", f"{self.parameters:,}"],
            ["memory of the model", f"{size(weights)}, and {size(AT_ONCE * weights)} while it is read"],
            ["memory to tune it in full", f"{size(full)}, and what a batch takes"],
            ["work for each token", f"{rounded(self.times_the_work)} times that of the shipped {self.kind}"],
        ]
        if t.unnamed:
            rows.insert(4, ["rows that no token had", f"{t.unnamed:,}, kept under names of their own"])
        return table([f"a {self.kind}", str(self.folder)], rows)


def plan_import(folder: Path) -> Plan:
    """Read all of a folder but its weights.

    Raises:
        UserError: whatever is missing, damaged, or computed otherwise here.
    """
    config = read_foreign_config(folder)
    kind = next(kind for kind, (_, its_config) in KINDS.items() if its_config is type(config))
    check_room(folder, config)
    return Plan(folder, kind, config, read_foreign_tokenizer(folder, kind, config.vocab_size))


def check_room(folder: Path, config: ModelConfig) -> None:
    """Raises:
    UserError: the files of weights are too small for a model of this size; whatever is wrong with their names.
    """
    needed = count_in_blocks(config) + (config.vocab_size + config.context) * config.width
    files = list(find_weights(folder))
    there = sum(file.stat().st_size for file in files)
    if SMALLEST * needed > there:
        raise UserError(
            f"{files[0]} is damaged or of another model: a model of the sizes in config.json takes "
            f"{size(SMALLEST * needed)} at least, and the files of weights have {size(there)}; save the model anew"
        )


def check_memory(plan: Plan) -> None:
    """Raises:
    UserError: the machine has less memory than reading the weights takes.
    """
    needed, there = AT_ONCE * WEIGHT * plan.parameters, machine_memory()
    if there is not None and needed > there:
        raise UserError(
            f"to read the weights of {plan.folder} takes {size(needed)} of memory, and this machine has {size(there)}: "
            "take a smaller model"
        )


def carry_out(plan: Plan, seed: int = 0) -> Checkpoint:
    """Read the weights into a model of ours.

    Args:
        seed: of what is new: the embeddings of new tokens, and the parts that the folder lacks.

    Raises:
        UserError: no weights, damaged ones, or weights that do not fit `config.json`.
    """
    tensors = read_foreign_weights(plan.folder)
    model = random_model(plan.config, seed)
    try:
        lacks = lacking(plan.kind, tensors)
        load_transformers(model, tensors, tuple(name for part in lacks for name in PARTS[part]))
    except (ValueError, RuntimeError) as error:
        raise UserError(
            f"the weights in {plan.folder} do not fit its config.json: {error}; save the model anew"
        ) from None
    grow_vocabulary(model, len(plan.tokenizer.added), seed)
    made = {"imported": {"from": plan.folder.name, "new tokens": list(plan.tokenizer.added), "seed": seed}}
    return Checkpoint(model.eval(), plan.tokenizer.tokenizer, made, lacks=lacks)


def pooler_is_new(checkpoint: Checkpoint) -> bool:
    """Whether a BERT's pooler is there and no training has ever moved it: every bias is still 0. So it is with models
    that read a text by the mean of its tokens."""
    return checkpoint.kind == "bert" and "pooler" not in checkpoint.lacks and not checkpoint.model.pooler.bias.any()


def rounded(times: float) -> str:
    """Whole from 10 on: below that two digits tell more from less."""
    return f"{times:,.0f}" if times >= 10 else f"{times:.2g}"
