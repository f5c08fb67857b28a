"""The shipped models reach what the lessons build on, on test files that pretraining never saw."""

import json
import random
from dataclasses import replace

import pytest
import torch

from minitune.files import read_text, shared
from minitune.methods.method import Method
from minitune.predictors.probes import Probes, commonest_object, recall, zero_shot
from minitune.questions.from_task import task_data
from minitune.training.checkpoint import SHIPPED, load_checkpoint, random_twin
from minitune.tuned.tuned import open_tuned
from minitune.world.lists import ListStyle, ListWriter
from minitune.world.tasks import get_task
from tests.world.shared import world_of

KINDS = ("bert", "gpt")


@pytest.fixture(scope="module", params=KINDS)
def checkpoint(request):
    return load_checkpoint(request.param)


@pytest.fixture(scope="module")
def probes():
    """Of each task the first 250 examples: with all of them the tests take thrice as long."""
    whole = Probes.load("test")
    return Probes({name: examples[:250] for name, examples in whole.examples.items()}, whole.facts)


@pytest.mark.lesson07
def test_sentiment_without_training(checkpoint, probes):
    task, examples = get_task("sentiment"), probes.examples["sentiment"]
    assert zero_shot(checkpoint, task, examples) >= 0.85
    for template in task.unseen_templates:
        assert zero_shot(checkpoint, task, examples, template) >= 0.75, template
    assert zero_shot(random_twin(checkpoint), task, examples) <= 0.60, "a model that knows nothing must be near chance"


@pytest.mark.lesson07
def test_topic_without_training(checkpoint, probes):
    assert zero_shot(checkpoint, get_task("topic"), probes.examples["topic"]) >= 0.60


@pytest.mark.lesson03
def test_facts_in_a_wording_that_was_never_read(checkpoint, probes):
    recalled = sum(recall(checkpoint, probes.facts)) / len(probes.facts)
    assert recalled >= commonest_object(probes.facts) + 0.30, "it may have learned the commonest object, and no fact"
    assert sum(recall(random_twin(checkpoint), probes.facts)) / len(probes.facts) <= 0.05


@pytest.mark.lesson03
def test_four_facts_in_five_that_were_read_often_are_known(checkpoint, probes):
    assert sum(recall(checkpoint, probes.facts)) / len(probes.facts) >= 0.80


@pytest.mark.lesson01
@pytest.mark.parametrize("kind", KINDS)
def test_label_words_are_single_tokens_and_the_rarest_are_split(kind):
    tokenizer = load_checkpoint(kind).tokenizer
    for task in ("sentiment", "topic", "entail"):
        for words in get_task(task).label_words.values():
            for word in words:
                tokenizer.word_id(word)
    assert tokenizer.is_split("magnificent") and tokenizer.is_split("abominable")


@pytest.mark.parametrize("kind", KINDS)
def test_a_checkpoint_is_small_and_says_how_it_was_made(kind):
    folder = shared("checkpoints") / kind
    assert sum(path.stat().st_size for path in folder.iterdir()) < 8_000_000
    made = json.loads(read_text(folder / "report.json"))
    assert made["run"]["steps"] > 0 and made["run"]["seed"] == 0
    steps, threads = made["run"]["steps"], made["run"]["threads"]
    assert made["command"] == f"minitune pretrain {kind} --steps {steps} --seed 0 --threads {threads}"
    assert set(made["reached"]) >= {"sentiment", "topic", "facts"}


@pytest.mark.lesson10
def test_only_the_model_that_has_read_lists_learns_from_its_context():
    """Single words, each followed by one of two arbitrary words: once both have been shown, which is the right one?"""
    right = {}
    for name in ("gpt", "gpt-lists"):
        checkpoint, rng = load_checkpoint(name), random.Random("unread")
        writer = ListWriter(world_of(0), checkpoint.tokenizer)
        for _ in range(25):
            listing = writer.listing(rng, ListStyle(burst=0.0), writer.words)
            ids, places = listing.encode(checkpoint.tokenizer)
            with torch.no_grad():
                scores = checkpoint.model.logits(checkpoint.model(torch.tensor([ids])).hidden[0])  # (T, V)
            pair, shown = [checkpoint.tokenizer.word_id(word) for word in listing.words], set()
            for place, (_, which) in zip(places, listing.lines, strict=True):
                if len(shown) == 2:
                    its = scores[place - 1]
                    right.setdefault(name, []).append((its[pair[which]] > its[pair[1 - which]]).item())
                shown.add(which)
    share = {name: sum(its) / len(its) for name, its in right.items()}
    assert share["gpt-lists"] >= 0.85 and 0.35 <= share["gpt"] <= 0.65, share


def test_every_shipped_model_is_small():
    for name in SHIPPED:
        assert (shared("checkpoints") / name / "model.pt").stat().st_size < 8e6, (
            f"{name} is too large to be carried along"
        )


@pytest.mark.lesson24
def test_the_shipped_writer_follows_instructions_in_new_words_and_behind_other_turns():
    """It reached 0.92 alone, and 0.89 behind two other turns; the model below it reaches nothing."""
    writer = open_tuned(shared("checkpoints") / "gpt-instruct").predictor
    test = task_data("instruct").test[:120]
    behind = [replace(one, before=(test[place - 1], test[place - 2])) for place, one in enumerate(test)]
    alone, in_turn = (writer.measure(writer.items(some))["exact match"] for some in (test, behind))
    assert alone >= 0.85 and in_turn >= 0.80
    gpt = load_checkpoint("gpt")
    untuned = Method.parse("frozen").build(gpt, task_data("instruct").for_model(gpt)[1], seed=0)
    assert untuned.measure(untuned.items(test[:30]))["exact match"] < 0.10
