"""minitune: how pretrained language models are tuned and prompted, by hand and in pure PyTorch.

    import minitune

    bert = minitune.load("bert")
    reviews = minitune.task("sentiment")
    tuned = minitune.tune("lora+verbalizer", bert, reviews, shots=4, rank=8)
    tuned.predict(["the plot was dull ."])
    tuned.score(reviews.test)
    tuned.save("runs/reviews")

A method is written `what@asked+read`; `minitune methods` lists every answer to the three questions. What a function
needs is imported when it is called, so that `import minitune` waits for no PyTorch.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from minitune.experiments.compare import Row
    from minitune.questions.task_data import TaskData
    from minitune.training.checkpoint import Checkpoint
    from minitune.tuned.tuned import TunedMethod

__all__ = ["compare", "load", "open", "read", "read_instructions", "task", "tune"]
__version__ = "0.1.0"


def load(model: str | Path, device: str = "cpu") -> Checkpoint:
    """A pretrained model with its tokenizer: the shipped "bert" or "gpt", or one that `minitune pretrain` or
    `minitune import` made.

    Args:
        model: bert, gpt, or a folder.
        device: cpu, cuda, mps, or auto (a GPU if there is one).

    Raises:
        UserError: there is no such model or device; a damaged or foreign checkpoint.
    """
    from minitune import given
    from minitune.training.checkpoint import load_checkpoint
    from minitune.training.loop import pick_device

    expected = 'the name of a model or its folder was expected, as in load("bert")'
    return load_checkpoint(given.path("model", model, expected), pick_device(device))


def task(name: str) -> TaskData:
    """A task of the toy world, with its training, dev and test examples: sentiment, topic, entail, relations, rating,
    tags, describe, instruct, or facts:RELATION.

    Raises:
        UserError: there is no such task.
    """
    from minitune import given
    from minitune.questions.from_task import task_data

    return task_data(given.text("name", name, 'the name of a task was expected, as in task("sentiment")'))


def read(
    path: str | Path,
    text: str | None = None,
    label: str | None = None,
    test: str | Path | None = None,
    shots: int | None = None,
    *,
    text_b: str | None = None,
    kind: str | None = None,
    header: bool = True,
    quoting: bool = True,
    encoding: str | None = None,
    separator: str | None = None,
    quote: str = '"',
    skip_bad: bool = False,
) -> TaskData:
    """Your own .csv, .tsv, .jsonl, .json or .conll file: a row an example. Its `notes` say what was guessed.

    Args:
        text, label: the columns of the texts and of their labels; by default "text" and "label", of tags "tokens" and
            "tags".
        test: a file of the same form to test on; without it, a part is kept for the test, of classes as many of each.
        shots: so many examples, a class or of numbers and tags in all, are left to train on.
        text_b: the column of a second text, which makes pairs; by default "text_b", if there is one.
        kind: of the labels: classes, number, tags or instructions; by default it is guessed.
        header: whether the first line names the columns; else they are called "1", "2", "3", ...
        quoting: whether a field may stand between double quotes.
        encoding: such as "latin-1"; by default UTF-8, or UTF-16 with its mark.
        separator: of the columns: a character, or comma, semicolon, tab or pipe; by default it is guessed.
        quote: the character that quotes are.
        skip_bad: leave out rows that cannot be used, and count them in the notes; otherwise they are refused.

    Raises:
        UserError: a file, a column, a text or a label that is missing or malformed, with its place; a single class.
    """
    from minitune import given
    from minitune.data.reading import Layout
    from minitune.questions.from_file import file_data

    path = given.path("path", path, 'a file was expected, as in read("mine.csv")')
    test = given.path_or_none("test", test, "a file to test on was expected")
    name = given.text_or_none
    column = "the name of a column was expected"
    layout = Layout(
        name("text", text, column),
        name("text_b", text_b, column),
        name("label", label, column),
        header=given.true_or_false("header", header),
        quoting=given.true_or_false("quoting", quoting),
        encoding=name("encoding", encoding, 'the name of one was expected, as in "latin-1"'),
        separator=None if separator is None else given.text("separator", separator, 'one was expected, as in ";"'),
        quote=given.text("quote", quote, "a character was expected"),
        kind=name("kind", kind, "classes, number, tags or instructions was expected"),
        skip_bad=given.true_or_false("skip_bad", skip_bad),
    )
    return file_data(Path(path), None if test is None else Path(test), given.shots_of("shots", shots), layout)


def read_instructions(
    path: str | Path,
    fields: Sequence[str] = ("instruction", "input", "output"),
    test: str | Path | None = None,
    shots: int | None = None,
    *,
    encoding: str | None = None,
    skip_bad: bool = False,
) -> TaskData:
    """Your own .json or .jsonl file of instructions, their inputs (which may be empty) and the outputs that are wanted.

    Args:
        fields: what the three are called there; two names leave the input out.
        test: a file of the same form to test on; without it, one record in five is kept for the test.
        shots: so many records are left to train on.
        encoding: such as "gb18030"; by default UTF-8, or UTF-16 with its mark.
        skip_bad: leave out records that cannot be used, and count them in the notes; otherwise they are refused.

    Raises:
        UserError: a file, a record or a field that is missing or malformed, with its place; too few records.
    """
    from dataclasses import replace

    from minitune import given
    from minitune.questions.from_file import file_data, named_fields

    path = given.path("path", path, 'a file was expected, as in read_instructions("mine.json")')
    test = given.path_or_none("test", test, "a file to test on was expected")
    names = given.names("fields", fields, 'two or three names were expected, as in ("instruction", "output")')
    layout = replace(
        named_fields(names),
        encoding=given.text_or_none("encoding", encoding, 'the name of one was expected, as in "latin-1"'),
        skip_bad=given.true_or_false("skip_bad", skip_bad),
    )
    return file_data(Path(path), None if test is None else Path(test), given.shots_of("shots", shots), layout)


def tune(
    method: str,
    model: Checkpoint,
    data: TaskData,
    *,
    shots: int | None = 16,
    seed: int = 0,
    template: str | None = None,
    label_words: str | Mapping[str, str | Sequence[str] | Mapping[str, float]] | None = None,
    **settings: Any,
) -> TunedMethod:
    """Train a method on a few examples. The model itself is not changed; the test examples are not looked at.

    Args:
        method: what@asked+read, such as "lora+head", "frozen+head", "prompt-tuning".
        model: from `load`.
        data: from `task` or `read`.
        shots: examples a class (where there are no classes: in all); None takes all.
        seed: of the draw of examples and of all that is random.
        template: how the question is asked, as in "{text} it was {mask}"; the task's own by default.
        label_words: words for the classes, as in {"positive": ["great:2", "good"], "negative": "bad"}, with weights
            where one should count more.
        settings: of the method or of its training, such as rank=8, lr=3e-3, steps=200; `minitune tune METHOD --help`
            lists them.

    Raises:
        UserError: an unknown method or setting, a value out of range, a template or words that do not fit.
    """
    from minitune.methods.method import Method
    from minitune.tuned.tuned import tune as tune_method

    return tune_method(Method.parse(method, settings), model, data, shots, seed, template, label_words)


def compare(
    methods: str | Sequence[str],
    model: Checkpoint,
    data: TaskData,
    *,
    shots: int | Sequence[int | None] | None = 16,
    draws: int = 5,
    control: str | None = None,
    jobs: int = 1,
    **settings: Any,
) -> list[Row]:
    """Methods side by side: the same draws of examples for all, the same test.

    Args:
        methods: what@asked+read each, in a list or separated by commas.
        shots: examples a class, one number or several; None is all.
        draws: how many draws of them.
        control: shuffled-labels, random-weights or irrelevant-template.
        jobs: processes, of one thread each; the rows are the same whatever their number. In a script, more than one
            needs `if __name__ == "__main__":` around what is run, as all of Python's processes do.
        settings: of methods or of their training, as in `tune`; each method takes those that it has.

    Returns:
        For each method, and for `majority`, `bag-of-words` and `random-weights`, a row at each number of examples.

    Raises:
        UserError: an unknown method or control; a setting that no method has; fewer examples than `shots`.
    """
    from minitune import given
    from minitune.experiments.compare import compare as compare_methods
    from minitune.questions.task_data import TaskData
    from minitune.training.checkpoint import Checkpoint

    methods = list(
        dict.fromkeys(given.names("methods", methods, 'methods were expected, as in ["full+head", "lora+head"]'))
    )
    given.model("model", model, Checkpoint)
    given.data("data", data, TaskData)
    many, draws = given.each_shots("shots", shots), given.whole_number("draws", draws, 1, 2**31 - 1)
    control = given.text_or_none("control", control, "the name of one was expected")
    dataset, question = data.for_model(model)
    return compare_methods(dataset, model, question, methods, many, draws, control, settings, jobs)


def open(folder: str | Path, model: str | Path | None = None, device: str = "cpu") -> TunedMethod:
    """What `TunedMethod.save` or `minitune tune` wrote: the same answers, bit for bit.

    Args:
        model: where its base is now, if not where it was.

    Raises:
        UserError: no such folder, a damaged or foreign file, another base.
    """
    from minitune import given
    from minitune.training.loop import pick_device
    from minitune.tuned.tuned import open_tuned

    folder = given.path("folder", folder, 'the folder of a tuned method was expected, as in open("runs/mine")')
    model = given.path_or_none("model", model, 'the name or the folder of its base was expected, as in "bert"')
    return open_tuned(folder, model, pick_device(device))
