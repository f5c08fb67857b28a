"""Lesson 18, prompt tuning. Six questions that every method's tests answer, in this order: shapes, numbers worked by
hand, invariants, parity with an independent computation, gradients, and whether it learns. How the vectors come into
the text is tested with the doors; names, types and modes with those of all methods."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import nn

from minitune.errors import UserError
from minitune.models.build import random_model
from minitune.tuning.prompt_tuning import PromptConfig, add_prompt, first_vectors, nearest_words, prompt_parameters
from tests.conftest import make_bert, make_gpt
from tests.tuning.shared import assert_drawn_apart, assert_drawn_from_the_seed, assert_the_door_alone_trains

pytestmark = pytest.mark.lesson18
STARTS = (
    {"start": "random"},
    {"start": "vocabulary"},
    {"start": "text", "text": "great hero"},
    {"start": "labels", "text": "great awful"},
)


@pytest.fixture
def model(tokenizer):
    return (make_gpt if tokenizer.kind == "gpt" else make_bert)(len(tokenizer))


def rows_of(model, vectors):
    """Which words' embeddings the vectors are."""
    table = model.token_embedding.weight
    found = (vectors[:, None] == table[None]).all(dim=2).nonzero()
    assert found[:, 0].tolist() == list(range(len(vectors))), "a vector is no word's embedding, or that of two words"
    return found[:, 1].tolist()


# what is trained, and shapes


def test_the_prompt_trains_and_the_model_does_not(model, tokenizer):
    for start in STARTS:
        tuned = add_prompt(model.requires_grad_(True), PromptConfig(length=3, **start), tokenizer)
        assert_the_door_alone_trains(tuned)
    assert tuned.door.placeholder == tokenizer.soft_id, "the vectors stand at another token than the template writes"


@pytest.mark.parametrize("start", STARTS)
@pytest.mark.parametrize("length", [1, 5])
def test_as_many_vectors_as_placeholders(model, tokenizer, start, length):
    tuned = add_prompt(model, PromptConfig(length=length, **start), tokenizer)
    assert tuned.door.source().shape == (length, 24)
    assert prompt_parameters(PromptConfig(length=length), model.config) == length * 24


# numbers worked by hand


def test_a_start_from_a_text_is_its_tokens_over_and_over(model, tokenizer):
    great, hero = tokenizer.encode("great hero")
    config = PromptConfig(length=5, start="text", text="great hero")
    rows = rows_of(model, first_vectors(model, config, tokenizer))
    assert rows == [great, hero, great, hero, great], "the text's tokens in their order, and again from the first"
    assert rows_of(model, first_vectors(model, replace(config, length=1), tokenizer)) == [great]


def test_a_start_from_labels_is_these_and_then_words(model, tokenizer):
    great, awful = tokenizer.encode("great awful")
    config = PromptConfig(length=5, start="labels", text="great awful")
    rows = rows_of(model, first_vectors(model, config, tokenizer))
    assert rows[:2] == [great, awful], "the label words come first"
    assert set(rows[2:]) <= set(tokenizer.word_ids()), "behind them come words of the vocabulary"
    assert rows_of(model, first_vectors(model, replace(config, length=1), tokenizer)) == [great]


def test_a_start_from_the_vocabulary_is_whole_words_each_drawn_once(model, tokenizer):
    one, other = (rows_of(model, first_vectors(model, PromptConfig(length=20), tokenizer)) for _ in range(2))
    assert one != other, "two prompts start from the same words: the first of the vocabulary? They are drawn"
    torch.manual_seed(0)
    seen = set()
    for _ in range(60):
        rows = rows_of(model, first_vectors(model, PromptConfig(length=20), tokenizer))
        assert len(set(rows)) == 20, "drawn with replacement"
        seen |= set(rows)
    words = set(tokenizer.word_ids())
    assert seen <= words, "the first rows of the table are no words, and single bytes and pieces are hardly trained"
    assert len(seen) > 0.9 * len(words), "only some part of the vocabulary is drawn from"


def test_a_random_start_has_the_spread_of_the_embeddings(model, tokenizer):
    """N(0, 1), the habit of an embedding layer, is many times too wide beside embeddings of 0.02."""
    with torch.no_grad():
        model.token_embedding.weight.mul_(0.1).add_(0.4)
    torch.manual_seed(0)
    for spread in (1.0, 0.5):
        vectors = first_vectors(model, PromptConfig(length=200, start="random", spread=spread), tokenizer)
        expected = spread * model.token_embedding.weight.std().item()
        assert_drawn_apart(vectors[:5], "vectors", "numbers of a vector")
        message = f"the vectors spread {vectors.std().item():.3f}, {spread} of the embeddings' spread is {expected:.3f}"
        assert vectors.std().item() == pytest.approx(expected, rel=0.05), message
        assert vectors.mean().item() == pytest.approx(0.4, rel=0.02), "the embeddings' mean, 0.4 here, is left out"


def test_nearest_words(model, tokenizer):
    great, hero = tokenizer.encode("great hero")
    tuned = add_prompt(model, PromptConfig(length=2, start="text", text="great hero"), tokenizer)
    with torch.no_grad():
        tuned.door.source.table.mul_(torch.tensor([[3.0], [-0.5]]))  # cosine asks for the direction, not for the length
    first, second = nearest_words(tuned, tokenizer, count=2)
    assert first[0][0] == tokenizer.tokens([great])[0] and first[0][1] == pytest.approx(1.0, abs=1e-12)
    assert len(first) == len(second) == 2 and first[0][1] >= first[1][1]
    table, vector = model.token_embedding.weight, -0.5 * model.token_embedding.weight[hero]
    cosine = (table @ vector) / (table.norm(dim=1) * vector.norm())
    best = cosine.argmax().item()
    assert second[0][0] == tokenizer.tokens([best])[0] and best != hero
    assert second[0][1] == pytest.approx(cosine[best].item(), abs=1e-12)


# invariants


@pytest.mark.parametrize("start", STARTS)
def test_no_weight_of_the_model_changes_and_none_is_shared_with_it(model, tokenizer, start):
    state = copy.deepcopy(model.state_dict())
    tuned = add_prompt(model, PromptConfig(length=3, **start), tokenizer)
    with torch.no_grad():
        tuned.door.source.table += 1.0
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items()), (
        "the vectors are a view of the embedding: training them writes into it"
    )


def test_the_same_seed_gives_the_same_prompt(model, tokenizer):
    for start in ("random", "vocabulary"):
        assert_drawn_from_the_seed(lambda start=start: first_vectors(model, PromptConfig(start=start), tokenizer))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "the prompt's length is 0; it must be 1 or more"),
        ({"start": "zeros"}, "cannot start from 'zeros'; choose one of random, vocabulary, text, labels"),
        ({"start": "text"}, "needs one: set text"),
        ({"start": "text", "text": " "}, "needs one: set text"),
    ],
)
def test_settings_out_of_range_are_refused(settings, message):
    with pytest.raises(UserError, match=message):
        PromptConfig(**settings)


def test_a_text_that_the_tokenizer_leaves_nothing_of_is_refused(bert_tokenizer):
    model = make_bert(len(bert_tokenizer))
    with pytest.raises(UserError, match="nothing is left of the text"):
        add_prompt(model, PromptConfig(start="text", text="\u200b"), bert_tokenizer)
    assert all(p.requires_grad for p in model.parameters()), "refused, and the model is frozen nevertheless"


# parity: through the whole of it, from the words of a text to the model's output


def test_a_prompt_that_starts_from_a_text_equals_that_text(model, tokenizer):
    """Before any step: prompt tuning starts from the hard prompt that it was given."""
    prompt = tokenizer.encode("the plot was great")
    text = tokenizer.encode("a dull hero")
    config = PromptConfig(length=len(prompt), start="text", text="the plot was great")
    hard = torch.tensor([prompt + text, text + prompt, text[:1] + prompt + text[1:]])
    soft = torch.tensor([tokenizer.soft_id] * len(prompt))
    soft = torch.tensor(
        [[*soft, *text], [*text, *soft], [*text[:1], *soft, *text[1:]]],
    )
    expected = model(hard).hidden
    hidden = add_prompt(model, config, tokenizer)(soft).hidden
    torch.testing.assert_close(hidden, expected, rtol=0, atol=1e-10)


# gradients and learning: a few rows by heart, at a rate of its own


def test_learns_a_few_rows_by_heart_and_moves_nothing_else(model, tokenizer):
    model = random_model(replace(model.config, spread=0.2), seed=3).double().eval()
    state = copy.deepcopy(model.state_dict())
    torch.manual_seed(0)
    tuned = add_prompt(model, PromptConfig(length=4), tokenizer)
    ids = torch.randint(20, len(tokenizer), (4, 11), generator=torch.Generator().manual_seed(3))
    ids[:, 3:7] = tokenizer.soft_id
    labels, first = torch.tensor([0, 1, 1, 0]), tuned.door.source.table.detach().clone()
    optimizer = torch.optim.Adam([p for p in tuned.parameters() if p.requires_grad], lr=0.1)
    losses = []
    for _ in range(25):
        loss = nn.functional.cross_entropy(tuned.logits(tuned(ids).hidden[:, -1])[:, [13, 15]], labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0], "rates of fine-tuning are far too low for a prompt: take 0.03 or more"
    assert (tuned.door.source.table != first).any(dim=1).all(), "a vector has not moved"
    assert (tuned.door.source.table != first).any(dim=1).all(), "a vector has not moved"
    assert all(torch.equal(tensor, state[name]) for name, tensor in model.state_dict().items()), "the model has moved"
