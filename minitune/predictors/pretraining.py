"""The pretrain command: which text is read, what is measured along the way, and the report at the end."""

from __future__ import annotations

import json
from pathlib import Path

from minitune.data.tokenizers import Tokenizer, train_tokenizer
from minitune.errors import UserError
from minitune.files import read_text, write_safely, write_text
from minitune.predictors.probes import Probes, news_loss
from minitune.report import table
from minitune.training.checkpoint import Checkpoint
from minitune.training.pretrain import Result, pretrain
from minitune.world.entropy import news_and_its_surprise
from minitune.world.folder import world_folder
from minitune.world.tasks import load_split
from minitune.world.world import World

NEWS = 500  # reports that the loss is compared with the grammar's entropy on
WHOLE_WORDS = 180  # a word of the world that occurs so often is one token; the rarest label words stay split


def pretrain_on_world(
    kind: str, world: int, out: Path, joined: bool = True, **settings
) -> tuple[Result, dict[str, float]]:
    """Pretrain on the toy world of a seed, looking at zero-shot accuracy on the dev sets along the way.

    Returns the result, and what the model reached on the test sets. With `joined` off, no sentence of the text joins
    opinions. `settings` are those of `pretrain`.
    """
    folder = world_folder(world, joined)
    texts = read_text(folder / "text.txt").splitlines()
    dev, test = Probes.load("dev", folder), Probes.load("test", folder)
    tokenizer = None if settings.get("resume") else world_tokenizer(kind, folder, texts)
    result = pretrain(
        kind, texts, out, text_name=f"the toy world of seed {world}", tokenizer=tokenizer, watch=dev.summary, **settings
    )
    return result, what_it_reached(result.checkpoint, test, world)


def what_it_reached(checkpoint: Checkpoint, test: Probes, world: int) -> dict[str, float]:
    """All that is measured of a finished model; for GPT, the distance of its loss to the grammar's entropy too."""
    reached = test.full(checkpoint)
    if checkpoint.kind == "gpt":
        loss, entropy = news_loss(checkpoint, news_and_its_surprise(World(world), NEWS))
        reached |= {"news: loss (nats a token)": loss, "news: the grammar's entropy": entropy}
    return reached


def world_tokenizer(kind: str, folder: Path, texts: list[str]) -> Tokenizer:
    """Trained on the world's text. The words of `instruct`, which the text lacks, are added often enough to count."""
    rows = load_split("instruct", "train", folder)
    known = {word for text in texts for word in text.split()}
    wording = " ".join(f"{row['instruction']} {row['input']} {row['output']}" for row in rows)
    new = sorted({word for word in f"{wording} human : assistant :".split() if word not in known})
    return train_tokenizer(kind, [*texts, *[" ".join(new)] * WHOLE_WORDS], WHOLE_WORDS)


def pretrain_on_file(kind: str, path: Path, out: Path, **settings) -> Result:
    """Pretrain on any UTF-8 text: texts are parted by empty lines if there are any, else each line is one.

    Raises:
        UserError: the file is missing, not UTF-8, or has fewer than two words.
    """
    content = read_text(path)
    parts = content.split("\n\n") if "\n\n" in content.strip() else content.splitlines()
    texts = [" ".join(part.split()) for part in parts if len(part.split()) > 1]
    if not texts:
        raise UserError(f"{path} has no text to learn from; it needs a line of two words at the least")
    return pretrain(kind, texts, out, text_name=path.name, **settings)


def write_report(out: Path, result: Result, reached: dict[str, float], command: str) -> str:
    """Write report.json and report.png beside the checkpoint; returns the report as a table."""
    history = result.history
    every = max(1, len(history.losses) // 400)
    curve = [
        [step + 1, sum(history.losses[step : step + every]) / len(history.losses[step : step + every])]
        for step in range(0, len(history.losses), every)
    ]
    content = {
        "command": command,
        "run": result.checkpoint.made["run"],
        "reached": reached,
        "tokens_per_step": result.tokens_per_step,
        "seconds": result.seconds,
        "losses": curve,
        "looks": history.scores,
    }
    write_text(out / "report.json", json.dumps(content) + "\n")
    plot_report(result, curve, out / "report.png")
    facts = {
        "parameters": f"{result.parameters:,}",
        "steps": f"{result.run.steps:,}",
        "tokens read": f"{result.tokens_per_step * result.run.steps / 1e6:.1f} million",
        "minutes": f"{result.seconds / 60:.1f}",
        "held-out loss": f"{history.scores[-1][1]['held-out loss']:.3f}",
        **{name: f"{value:.3f}" for name, value in reached.items()},
    }
    return table([f"{result.run.kind}, {result.run.size}", ""], [[name, value] for name, value in facts.items()])


def plot_report(result: Result, curve: list[list[float]], path: Path) -> None:
    """The loss on the left; on the right, what the model could do along the way."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    steps = [step for step, _ in result.history.scores]
    names = [name for name in result.history.scores[-1][1] if name != "held-out loss"]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 3.8), constrained_layout=True)
    left.plot(*zip(*curve, strict=True), color="tab:blue", alpha=0.5, label="training")
    held_out = [look["held-out loss"] for _, look in result.history.scores]
    left.plot(steps, held_out, color="black", label="held-out text")
    left.set(xlabel="step", ylabel="loss (nats)", title=f"{result.run.kind}, {result.run.size}: loss")
    left.legend(frameon=False)
    for name in names:
        right.plot(steps, [look[name] for _, look in result.history.scores], label=name)
    right.set(xlabel="step", ylabel="accuracy, zero-shot", ylim=(0, 1.02), title="what it can do untrained")
    if names:
        right.legend(frameon=False, fontsize=8)
    else:
        right.set_axis_off()
    write_safely(path, lambda file: figure.savefig(file, dpi=120, format="png"))
    plt.close(figure)
