"""What was read from a user's own file, and what that means for a model: said before anything is trained."""

from __future__ import annotations

from collections.abc import Sequence

from minitune.data.examples import report_texts
from minitune.methods.method import Method
from minitune.prompting.template import Template
from minitune.questions.about import SHOWN
from minitune.questions.kinds import KINDS, writer
from minitune.questions.question import Question
from minitune.questions.task_data import TaskData
from minitune.training.checkpoint import Checkpoint

# Of the words of the shipped models' own tasks at most 7% are split, of plain sentences in their words ("the food was
# bad and the room was cold") 9%, of film reviews as people write them 21% (BERT) and 33% (GPT), of this project's
# README 54%. At 49% every method stood at chance.
SOME_SPLIT, MANY_SPLIT = 0.15, 0.30


def describe(data: TaskData, checkpoint: Checkpoint) -> list[str]:
    """What was read, in a few lines: rows, labels, what was guessed, and how the tokenizer took the texts."""
    dataset, kind = data.dataset, KINDS[data.question.kind]
    examples = [*dataset.pool, *dataset.dev, *dataset.test]
    rows = f"{dataset.name}: {len(examples)} {kind.called}"
    lines = [f"{rows}, {len(dataset.test)} of them for the test; {kind.summary(dataset)}", *data.notes]
    texts = [kind.texts(example) for example in examples]
    report = report_texts(texts, checkpoint.tokenizer, checkpoint.model.config.context)
    lines.append(f"the {checkpoint.kind} tokenizer: {report}")
    if kind.is_turn:
        lines += about_replies(data, checkpoint)
    elif report.cut:
        lost = "not read, and their tags not counted" if kind.is_by_word else "not read"
        lines.append(f"{report.cut} texts are longer than the context: their ends are {lost}")
    if report.split_words > SOME_SPLIT:
        many = report.split_words > MANY_SPLIT
        known = "hardly knows such text, and may do no better than chance" if many else "knows such text in part"
        lines.append(
            f"{report.split_words:.0%} of the words had to be split: this model {known}; one pretrained on it will "
            f"serve better (minitune pretrain {checkpoint.kind} --text FILE, then --model DIR)"
        )
    return lines


def about_replies(data: TaskData, checkpoint: Checkpoint) -> list[str]:
    """How long the records are with their template, and how much of them is trained on.

    Raises:
        UserError: the model writes no text; a record whose instruction and output do not fit.
    """
    template = Template.parse(data.question.template)
    untuned = writer(checkpoint.model, checkpoint, template, data.question, lambda: None, 0)
    trained = untuned.items(data.train)
    items = [*trained, *untuned.items(data.dev), *untuned.items(data.test)]
    longest, cut = max(len(item.rendered.ids) for item in items), sum(item.rendered.cut > 0 for item in items)
    answers, tokens = (sum(len(i.rendered.ids) - part * i.start for i in trained) for part in (1, 0))
    return [
        f"with the template {str(template)!r}: the longest record has {longest} tokens, and the context holds "
        f"{untuned.model.context}; inputs that are cut: {cut}",
        f"trained on are the outputs and their ends, {answers:,} of {tokens:,} tokens of the records to draw from",
    ]


def words_asked(question: Question, methods: Sequence[str], model_kind: str) -> list[str]:
    """Of methods that read words at the blank: the question with the words that answer it, or that there are none."""
    reading = [method for method in map(Method.parse, methods) if method.needs_label_words]
    if question.kind != "classes" or not reading:
        return []
    if not question.label_words:
        example = ";".join(f"{label}=..." for label in question.labels[:2])
        return [
            f"the labels {', '.join(question.labels[:SHOWN])} are not single words of the model, so methods "
            f'that read words have none, and compare leaves them out; give words, as in --label-words "{example}", or '
            "let +petal search for them"
        ]
    words = [", ".join(question.label_words[label]) for label in question.labels[:SHOWN]]
    asked = str(reading[0].template(question, model_kind)).replace("{mask}", " / ".join(words))
    asked = asked.replace("{text}", "...").replace("{text_b}", "...")
    return [f"{reading[0].name} asks: {asked!r} (other words: --label-words)"]
