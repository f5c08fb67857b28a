"""From a user's own file to examples and a question."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from minitune.data.labelled import are_numbers, number_of
from minitune.data.own import class_dataset, dataset_in_all, number_dataset, read_own, repeated
from minitune.data.rows import Layout, read_rows
from minitune.data.tagged import CONLL, Tagged, names_of, read_tagged
from minitune.errors import UserError
from minitune.files import at_home
from minitune.predictors.tagger import TaggedWords
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData

OWN_KINDS = ("classes", "number", "tags")  # what a user's labels may be
ASKED_OF_ANY_TEXT = ("it was", "this is", "in short ,")  # what may stand before the label of any text


def file_data(
    path: Path,
    test_path: Path | None = None,
    shots: int | None = None,
    layout: Layout | None = None,
    kind: str | None = None,
) -> TaskData:
    """A user's file; without a test file, a part of it is kept for the test.

    Args:
        shots: so many examples, a class or in all, must be left for training.
        kind: classes, number or tags; None is guessed, and said.

    Raises:
        UserError: an unknown kind; whatever is wrong with the file.
    """
    if kind is not None and kind not in OWN_KINDS:
        raise UserError(f"there is no kind {kind!r} of labels; choose one of {', '.join(OWN_KINDS)}")
    path, test_path, layout = at_home(path), at_home(test_path) if test_path else None, layout or Layout()
    check_is_another(test_path, path)
    if kind == "tags" or (kind is None and looks_tagged(path, layout)):
        data = tag_data(path, test_path, shots or 1, layout)
    else:
        data = label_data(path, test_path, shots or 1, layout, kind)
    return with_repeats_told(data)


def check_is_another(test_path: Path | None, path: Path) -> None:
    """Raises:
    UserError: the test file is the training file.
    """
    if test_path and test_path.exists() and path.exists() and test_path.samefile(path):
        raise UserError(f"{test_path} is the training file itself; test on rows that are not trained on")


def with_repeats_told(data: TaskData) -> TaskData:
    """With a note on test examples that stand among the training rows too."""
    found = repeated(data.dataset)
    if not found:
        return data
    stand, its = ("stands", "its") if found == 1 else ("stand", "their")
    note = f"{found} of the {len(data.test)} test examples {stand} in the training rows too, word for word: {its}"
    return replace(data, notes=(*data.notes, f"{note} score is no measure of what is new"))


def label_data(path: Path, test_path: Path | None, shots: int, layout: Layout, kind: str | None) -> TaskData:
    """Texts, or pairs of texts, with a class or a number each."""
    own = read_own(path, test_path, layout)
    comma = own.table.delimiter == ";"
    is_pair = own.columns.text_b is not None
    several = len({row.label for row in own.rows})
    if kind == "number" or (kind is None and are_numbers(own.rows, comma)):
        if kind is None:
            own.table.notes.append(
                f"the labels are taken as numbers, for there are {several} different ones in {len(own.rows)} rows; "
                "--kind classes takes each as a class"
            )
        dataset = number_dataset(own, shots)
        template = "{text} {sep} {text_b}" if is_pair else "{text}"
        return TaskData(dataset, Question((), template, is_pair=is_pair, kind="number"), tuple(own.notes))
    if kind is None and all(number_of(row.label, comma) is not None for row in own.rows):
        own.table.notes.append(
            f"the labels are numbers, and are taken as {several} classes; --kind number learns the number itself"
        )
    dataset = class_dataset(own, shots)
    texts = "{text} {text_b}" if is_pair else "{text}"
    template, *patterns = (f"{texts} {asked} {{mask}}" for asked in ASKED_OF_ANY_TEXT)
    question = Question(dataset.labels, template, is_pair=is_pair, patterns=tuple(patterns))
    return TaskData(dataset, question, tuple(own.notes))


def looks_tagged(path: Path, layout: Layout) -> bool:
    """By its ending, or by a first row with a list of tokens and a list of tags."""
    if path.suffix.lower() != ".jsonl":
        return path.suffix.lower() in CONLL
    _, row = next(read_rows(path, layout))
    return all(isinstance(row.get(name), list) for name in (layout.text or "tokens", layout.label or "tags"))


def tag_data(path: Path, test_path: Path | None, shots: int, layout: Layout) -> TaskData:
    """Sentences with a tag for each word, scored by the spans that the tags make."""
    train = read_tagged(path, layout)
    test = read_tagged(test_path, layout) if test_path else None
    labels = names_of(train)
    if len(labels) < 2:
        raise UserError(f"every token of {path} has the tag {labels[0]}; there is nothing to find")
    examples = tagged_words(train, labels, path)
    dataset = dataset_in_all(
        path, labels, examples, None if test is None else tagged_words(test, labels, test_path), shots
    )
    return TaskData(dataset, Question(labels, "{text}", kind="spans"))


def tagged_words(sentences: list[Tagged], labels: tuple[str, ...], path: Path) -> tuple[TaggedWords, ...]:
    """Raises:
    UserError: a tag that the training data lacks.
    """
    place = {label: index for index, label in enumerate(labels)}
    for sentence in sentences:
        if unseen := sorted(set(sentence.tags) - set(labels)):
            raise UserError(
                f"{path}, the sentence that ends on line {sentence.line}, has tags that the training data lacks: "
                f"{unseen}; the training data has {list(labels)}"
            )
    return tuple(TaggedWords(s.words, tuple(place[tag] for tag in s.tags)) for s in sentences)
