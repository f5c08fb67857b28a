"""A pretraining run from end to end: which text is read, what is measured along the way, and the report at the end."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from minitune.data.texts import counted, read_texts
from minitune.data.tokenizers import Tokenizer, train_tokenizer
from minitune.files import read_text
from minitune.predictors.plan import millions, plan
from minitune.predictors.probes import Probes, news_loss
from minitune.report import interval, new_figure, save_figure, table
from minitune.training.checkpoint import Checkpoint
from minitune.training.pretrain import Pretraining, Result, pretrain
from minitune.training.run import Asked, Run
from minitune.world.entropy import news_and_its_surprise
from minitune.world.folder import world_folder
from minitune.world.tasks import load_split
from minitune.world.world import World
from minitune.writing import write_text

NEWS = 500  # reports that the loss is compared with the grammar's entropy on
WHOLE_WORDS = 180  # a word of the world that occurs so often is one token; the rarest label words stay split


@dataclass(frozen=True)
class Reading:
    """What a run reads, and what is measured of its model along the way and at the end."""

    texts: Sequence[str]
    name: str
    summary: list[str]  # for people
    tokenizer: Callable[[], Tokenizer | None] = lambda: None  # None: one is trained on the texts
    watch: Callable[[Checkpoint], dict[str, float]] = lambda checkpoint: {}
    reached: Callable[[Checkpoint], dict[str, float]] = lambda checkpoint: {}


def reading_of(kind: str, asked: Asked) -> Reading:
    """Raises:
    UserError: the file that was asked for is missing, no text, or has fewer than two words.
    """
    if not asked.text_file:
        return world_reading(kind, asked.world, not asked.unjoined)
    texts = read_texts(Path(asked.text_file), kind, asked.paragraphs, asked.encoding or None)
    return Reading(texts, f"{texts.name}, {texts.rule}", texts.summary())


def world_reading(kind: str, world: int, joined: bool = True) -> Reading:
    """The toy world of a seed: zero-shot accuracy on the dev sets along the way, and more on the test sets at the end.

    Args:
        joined: off, no sentence of the text joins opinions.
    """
    folder = world_folder(world, joined)
    texts = read_text(folder / "text.txt").splitlines()
    dev, test = Probes.load("dev", folder), Probes.load("test", folder)
    name = f"the toy world of seed {world}" + ("" if joined else ", unjoined")
    return Reading(
        texts,
        name,
        [f"{name}: {counted(len(texts), 'text')}"],
        tokenizer=lambda: world_tokenizer(kind, folder, texts),
        watch=dev.summary,
        reached=lambda checkpoint: what_it_reached(checkpoint, test, world),
    )


def pretrain_and_report(
    kind: str,
    reading: Reading,
    out: Path,
    *,
    asked: Asked,
    measure: Callable[[Result], dict[str, list[float]]] = lambda result: {},
    say: Callable[[str], None] = print,
    resume: bool = False,
    **settings,
) -> Result:
    """Say what will be done, pretrain, and write and say what came of it.

    Args:
        measure: measures the finished model, in several draws each.
        settings: those of `pretrain`.
    """

    def begin(work: Pretraining, run: Run, per_step: float | None) -> None:
        say("\n".join([*reading.summary, *plan(work, run, per_step), ""]))

    def finish(result: Result) -> None:
        say(write_report(out, result, reading.reached(result.checkpoint), measure(result)))

    return pretrain(
        kind,
        reading.texts,
        out,
        text_name=reading.name,
        tokenizer=None if resume else reading.tokenizer(),
        watch=reading.watch,
        asked=asked,
        begin=begin,
        finish=finish,
        resume=resume,
        **settings,
    )


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


def write_report(out: Path, result: Result, reached: dict[str, float], measured: dict[str, list[float]]) -> str:
    """Write report.json and report.png beside the checkpoint; returns the report as a table.

    Args:
        measured: by name, the score of each of several draws.
    """
    history = result.history
    every = max(1, len(history.losses) // 400)
    curve = [
        [step + 1, sum(history.losses[step : step + every]) / len(history.losses[step : step + every])]
        for step in range(0, len(history.losses), every)
    ]
    content = {
        "command": exact_command(result.run),
        "run": result.checkpoint.made["run"],
        "reached": reached,
        "measured": measured,
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
        "read": millions(result.tokens_per_step * result.run.steps),
        "minutes": f"{result.seconds / 60:.1f}",
        "held-out loss": f"{history.scores[-1][1]['held-out loss']:.3f}",
        **{name: f"{value:.3f}" for name, value in reached.items()},
        **{name: accuracy(draws) for name, draws in measured.items()},
    }
    return table([f"{result.run.kind}, {result.run.size}", ""], [[name, value] for name, value in facts.items()])


def exact_command(run: Run) -> str:
    """The command that makes the same model again, whatever was said with --minutes or --resume."""
    asked = run.asked
    parts = ["minitune", "pretrain", run.kind]
    parts += ["--text", asked.text_file] if asked.text_file else ["--world", str(asked.world)] * bool(asked.world)
    parts += ["--paragraphs"] * asked.paragraphs + ["--encoding", asked.encoding] * bool(asked.encoding)
    parts += ["--unjoined"] * asked.unjoined + ["--size", run.size] * (run.size != "micro")
    parts += ["--steps", str(run.steps), "--seed", str(run.seed), "--threads", str(run.threads)]
    return shlex.join([*parts, *["--probe", asked.probe] * bool(asked.probe)])


def plot_report(result: Result, curve: list[list[float]], path: Path) -> None:
    """The loss on the left; on the right, what the model could do along the way."""
    steps = [step for step, _ in result.history.scores]
    names = [name for name in result.history.scores[-1][1] if name != "held-out loss"]
    figure, (left, right) = new_figure((10, 3.8), columns=2)
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
    save_figure(figure, path)


def accuracy(draws: Sequence[float]) -> str:
    """The mean, with its interval as far as an accuracy can lie in it."""
    mean, low, high = interval(draws)
    return f"{mean:.3f} [{max(0.0, low):.2f}, {min(1.0, high):.2f}]"
