"""A tuned method as a person uses it: it predicts, is scored, explained, saved and opened again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from minitune import given
from minitune.data.examples import Example, Part
from minitune.errors import UserError
from minitune.experiments.experiment import Learned, learn
from minitune.methods.ask import as_example, placed, read_each
from minitune.methods.fitting import steps_for
from minitune.methods.method import Method
from minitune.methods.read import READ
from minitune.predictors.classifier import Classifier
from minitune.predictors.predictor import Predictor
from minitune.predictors.tagger import TaggedWords
from minitune.predictors.writer import Writing
from minitune.questions.kinds import KINDS
from minitune.questions.otherwise import asked_otherwise
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from minitune.report import plain, size, table
from minitune.training.checkpoint import Checkpoint
from minitune.tuned.explain import explain
from minitune.tuned.saved import base_of, learned_tensors, read_tuned, rebuild, save_tuned
from minitune.tuning.trained import count, trainable, trainable_table

Text = str | tuple[str, str]  # a text, or a pair of texts


@dataclass
class TunedMethod:
    """A method, trained: what `tune` makes and `open_tuned` reads.

    Texts are strings; where the question is about two texts, pairs of strings.
    """

    method: Method
    predictor: Predictor
    question: Question
    base: Checkpoint
    learned: Learned | None = None  # how it was trained, until it is closed
    made: dict[str, Any] = field(default_factory=dict)  # the same in a few words, which are saved with it

    @property
    def labels(self) -> tuple[str, ...]:
        return self.question.labels

    @property
    def columns(self) -> dict[str, str]:
        """Of the file that it was trained on: the names of the columns `text` and `text_b`, where they were given."""
        columns = self.made.get("columns")
        return {k: v for k, v in columns.items() if isinstance(v, str)} if isinstance(columns, dict) else {}

    def predict(self, texts: Iterable[Text]) -> list[str]:
        """Each text's class; or its tags, one for each word (- for a word that was not read), or the text that is
        written for it.

        Raises:
            UserError: no text, an empty one, or one text where two belong, or one of which the model reads nothing.
        """
        return self.predictor.answers(self.examples(texts))

    def probabilities(self, texts: Iterable[Text]) -> Tensor:
        """(N, C), in the order of `labels`; each row sums to 1.

        Raises:
            UserError: as of `predict`; a tagger or a writer, which has no classes.
        """
        if not isinstance(self.predictor, Classifier):
            raise UserError(f"{self.method.name} has no classes here, so no probabilities of them; use predict")
        return self.predictor.scores(self.examples(texts)).softmax(dim=-1)

    def score(self, examples: Part) -> float:
        """On labelled examples, such as a task's test set: accuracy; for tags F1, for numbers the rank
        correlation, for written texts their score."""
        return next(iter(self.measure(examples).values()))

    def measure(self, examples: Part) -> dict[str, float]:
        """All that is measured of labelled examples, the loss among it; the first is the score.

        Raises:
            UserError: no examples, or others than this was tuned on; a label that this was not tuned for.
        """
        examples = checked(examples, self.question)
        return self.predictor.measure(self.predictor.items(renumbered(examples, self.labels)))

    def explain(self, text: Text) -> str:
        """What is read, token by token, where, and what is made of it."""
        return explain(self.predictor, self.examples([text])[0], self.base.lacks, self.question.found)

    def save(self, folder: str | Path) -> Path:
        """Write what was trained; returns the file.

        Raises:
            UserError: nothing was trained; the folder cannot be written.
        """
        folder = given.path("folder", folder, 'a folder was expected, as in save("runs/mine")')
        if not learned_tensors(self.predictor) and not self.question.found:
            raise UserError(
                f"{self.method.name} has nothing to train: every parameter is frozen; minitune compare measures it as "
                "it is"
            )
        return save_tuned(Path(folder), self.method, self.predictor, self.question, self.base, self.made)

    def examples(self, texts: Iterable[Text]) -> list:
        """Texts as they are asked about.

        Raises:
            UserError: as of `predict`.
        """
        if isinstance(texts, str):
            raise UserError(f"a list of texts was expected, and {str(texts)!r} is one text; write [{str(texts)!r}]")
        texts = given.several("texts", texts, "a list of texts was expected")
        if not texts:
            raise UserError("the list of texts is empty; give at least one")
        examples, where = [], [f"text {number}" for number in range(1, len(texts) + 1)]
        for text, place in zip(texts, where, strict=True):
            with placed(place):
                examples.append(as_example(*both_of(text, self.question), self.question))
        read_each(self.predictor, examples, where)
        return examples


def tune(
    method: Method,
    base: Checkpoint,
    data: TaskData,
    shots: int | None = 16,
    seed: int = 0,
    template: str | None = None,
    label_words: str | Mapping[str, Any] | None = None,
    folder: Path | None = None,
) -> TunedMethod:
    """Train a method on one draw of `shots` examples a class (None: all). The test set stays unseen.

    Args:
        folder: where a long search keeps its log, and finds it again.

    Raises:
        UserError: whatever the method, the data, the template or the label words find wrong.
    """
    given.model("model", base, Checkpoint)
    given.data("data", data, TaskData)
    shots, seed = given.shots_of("shots", shots), given.whole_number("seed", seed)
    if label_words is not None and READ[method.read].search:
        raise UserError(
            f"{method.name} searches for label words itself: leave out those that are given, or read with +verbalizer"
        )
    needs_blank = method.needs_blank(data.question)
    dataset, question = data.for_model(base)
    question = asked_otherwise(question, template, label_words, base, needs_blank)
    learned = learn(method, base, question, dataset, shots, seed, folder=folder)
    steps = steps_for(len(learned.train), KINDS[question.kind].most_steps)
    config = method.training(learned.predictor, steps, seed)
    made = {"task": data.name, "shots": shots, "seed": seed, "training": asdict(config)}
    return TunedMethod(method, learned.predictor, learned.question, base, learned, made)


def open_tuned(folder: str | Path, model: str | Path | None = None, device: torch.device | str = "cpu") -> TunedMethod:
    """What `TunedMethod.save` wrote: the same answers, bit for bit.

    Args:
        model: where its base is now, if not where it was.

    Raises:
        UserError: no such file, a damaged or foreign one, another base.
    """
    content = read_tuned(Path(folder))
    base = base_of(Path(folder), content, model, device)
    return TunedMethod(*rebuild(Path(folder), content, base), base, made=content.made)


def both_of(text: Any, question: Question) -> tuple[str, str | None]:
    """The one text, or the two, that Python was given.

    Raises:
        UserError: it is neither.
    """
    parts = given.plain(text)
    if isinstance(parts, str):
        if question.is_pair and question.kind != "reply":
            raise UserError('this was trained on pairs of texts; write both, as in ("one text", "another text")')
        return parts, None
    are_two = isinstance(parts, (list, tuple)) and len(parts) == 2 and isinstance(parts[0], str)
    if not are_two or not isinstance(parts[1], (str, type(None))):
        one = "a text or " if question.kind == "reply" else ""
        pair = f'{one}a pair of texts was expected, as in ("one text", "another text")'
        raise given.wrong("it", text, pair if question.is_pair else "a text was expected")
    return parts[0], parts[1]


def checked(examples: Any, question: Question) -> Part | list:
    """Labelled examples of the kind that a question is about.

    Raises:
        UserError: they are something else, or none, or have labels that no question of this kind has.
    """
    if isinstance(examples, TaskData):
        raise UserError("a task is not a list of examples; score its test part, as in score(reviews.test)")
    expected = "labelled examples were expected, as in score(reviews.test)"
    if not isinstance(examples, Part):
        examples = given.several("examples", examples, expected)
    if not examples:
        raise UserError(f"the list of examples is empty; {expected}")
    kind = type(KINDS[question.kind].example("a", None, 0))
    for number, example in enumerate(examples, start=1):
        if not isinstance(example, kind):
            raise given.wrong(f"example {number}", example, f"{given.an(kind.__name__)} was expected")
        if not isinstance(examples, Part):  # a part was read from a file, and looked at there
            with placed(f"example {number}"):
                check_example(example, question)
    return examples


def check_example(example: Example | TaggedWords | Writing, question: Question) -> None:
    """Raises:
    UserError: a text that is none; a label that is not the place of one of the classes, or not a number; a word
        without a tag.
    """
    is_tagged = isinstance(example, TaggedWords)
    for text in example.words if is_tagged else (example.text, example.text_b, getattr(example, "answer", "")):
        if not isinstance(text, str) and (text is not None or text is example.text):
            raise given.wrong("a text of it", text, "a text was expected")
    if is_tagged and len(example.words) != len(example.tags):
        raise UserError(f"it has {len(example.words)} words and {len(example.tags)} tags; one for each was expected")
    classes = len(question.labels)
    labels = example.tags if is_tagged else () if isinstance(example, Writing) else (example.label,)
    for label in map(given.plain, labels):
        is_number = type(label) in (int, float) and -1e300 < label < 1e300
        if not is_number or (question.kind != "number" and label not in range(classes)):
            expected = "a number" if question.kind == "number" else f"a place among the {classes} labels, from 0 on,"
            raise given.wrong("its label", label, f"{expected} was expected")


def renumbered(examples: Part, labels: Sequence[str]) -> Part:
    """The same examples, their labels counted as in `labels`.

    Raises:
        UserError: a label that is not among them.
    """
    own = getattr(examples, "labels", ())
    if not own or tuple(own) == tuple(labels)[: len(own)]:
        return examples
    place = {label: index for index, label in enumerate(labels)}
    if unknown := sorted(set(own) - set(place)):
        raise UserError(f"the examples have labels that this was not tuned for: {unknown}; it knows {list(labels)}")
    moved = (replace(example, label=place[own[example.label]]) for example in examples)
    return type(examples)(moved, labels)


def tuning_report(tuned: TunedMethod, tested: int, control: tuple[str, float] | None = None) -> str:
    """What was trained on how much, and what it reached, as two tables.

    Args:
        tested: the examples of the test set, whose scores `made` holds.
        control: what needs no language model, and its score there.
    """
    learned, made, history = tuned.learned, tuned.made, tuned.learned.history
    score, value = next(iter(made["test"].items()))
    rows = [
        ["training examples / dev / test", f"{len(learned.train)} / {len(learned.dev)} / {tested}"],
        ["steps, learning rate", f"{made['training']['steps']}, {made['training']['lr']:g}"],
        ["seconds", f"{learned.seconds:.1f}"],
        [
            f"{score} on dev, best look",
            f"{history.best(tuned.predictor.kept_by_loss):.3f}" if history.scores else "none: no dev set",
        ],
        [f"{score} on test", f"{value:.3f}"],
        *([[f"{score} on test, {control[0]}", f"{control[1]:.3f}"]] if control else []),
        ["loss on test", f"{made['test']['loss']:.3f}"],
    ]
    if "mean absolute error" in made["test"]:
        rows.insert(5, ["mean absolute error on test", plain(made["test"]["mean absolute error"], 4)])
    if "balanced accuracy" in made["test"]:
        rows.insert(5, ["mean accuracy of the classes on test", f"{made['test']['balanced accuracy']:.3f}"])
    if "token accuracy" in made["test"]:
        rows.insert(
            5, ["tokens of right answers that were likeliest, on test", f"{made['test']['token accuracy']:.3f}"]
        )
    if cut := sum(item.rendered.cut > 0 for item in tuned.predictor.items(learned.train)):
        rows.insert(1, ["training texts that pass the context and are cut", str(cut)])
    return f"{trainable_table(tuned.predictor)}\n\n{table([tuned.method.name, made['task']], rows)}"


def stored(tuned: TunedMethod, path: Path) -> str:
    """What its file holds, in words."""
    return f"{path}: {count(trainable(tuned.predictor)):,} numbers, {size(path.stat().st_size)}"
