"""Lessons 02 and 03, batches for pretraining: full rows for GPT, pairs with hidden words for BERT, and each batch a
function of its number."""

import random

import numpy as np
import pytest
import torch

from minitune.data.batching import IGNORED, MaskedPairs, PackedRows, TextStore, encoded
from minitune.errors import UserError
from tests.conftest import LINES

CONTEXT = 37
TEXTS = (
    LINES + [line.replace("great", "bad").replace("hero", "bed") for line in LINES] + ["good soup .", "sad", "a b c"]
)


@pytest.fixture
def rows(gpt_tokenizer):
    store = TextStore(gpt_tokenizer.encode_many(TEXTS), CONTEXT - 1)
    return PackedRows(store, gpt_tokenizer, CONTEXT, batch_size=3, seed=5)


@pytest.fixture
def pairs(bert_tokenizer):
    """Many texts of random words, with a full stop after every sixth."""
    rng = random.Random(0)
    stop = bert_tokenizer.encode(".")[0]
    words = [
        i
        for i in range(len(bert_tokenizer.specials), len(bert_tokenizer))
        if bert_tokenizer.tokens([i])[0] not in ".?!"
    ]
    texts = [[rng.choice(words) for _ in range(rng.randrange(2, 50))] for _ in range(600)]
    texts = [[stop if i % 7 == 6 else word for i, word in enumerate(text)] for text in texts]
    return MaskedPairs(TextStore(texts, CONTEXT - 3), bert_tokenizer, CONTEXT, batch_size=16, seed=5)


def original(batch):
    """The ids of a BERT batch before words were hidden."""
    return torch.where(batch["labels"] != IGNORED, batch["labels"], batch["input_ids"])


def parts(batch, tokenizer):
    """Each row's first and second part, without the special tokens between them."""
    for ids, types, mask in zip(original(batch), batch["token_type_ids"], batch["attention_mask"], strict=True):
        first, second = ids[(types == 0) & mask.bool()].tolist(), ids[types == 1].tolist()
        yield first, second


# shapes


def test_a_store_cuts_long_texts_and_keeps_every_token():
    store = TextStore([[1, 2, 3, 4, 5], [6], [], [7, 8]], longest=2)
    assert [store[i].tolist() for i in range(len(store))] == [[1, 2], [3, 4], [5], [6], [7, 8]]
    assert store.cut == 1 and store.ids.dtype == np.int32, "eight bytes a token would be twice the memory"


def test_a_part_of_a_store_is_a_store():
    store = TextStore(iter([[1, 2, 3], [4], [5, 6], [7]]), longest=9)
    part = store.part(np.array([True, False, True, False]))
    assert [part[i].tolist() for i in range(len(part))] == [[1, 2, 3], [5, 6]] and len(store) == 4


@pytest.mark.parametrize("at_once", [1, 150, 10**6])
def test_texts_encoded_in_turn_are_those_encoded_one_by_one(request, at_once):
    texts = ["", "great soup", *TEXTS, " ".join(TEXTS * 40), "zq" * 12_000, "sad", ""]
    for kind in ("gpt", "bert"):
        tokenizer = request.getfixturevalue(f"{kind}_tokenizer")
        found = [ids.tolist() for ids in encoded(tokenizer, texts, at_once)]
        assert [ids for ids, text in zip(found, texts, strict=True) if "zqzq" not in text] == [
            tokenizer.encode(text) for text in texts if "zqzq" not in text
        ], "texts were mixed up at the border of a batch"
        assert len(found[texts.index("zq" * 12_000)]) > 1


@pytest.mark.parametrize("texts", [[], [[]], [[], []]])
def test_a_store_of_nothing_is_refused(texts):
    with pytest.raises(UserError, match="the text is empty"):
        TextStore(texts, 5)


@pytest.mark.lesson02
def test_gpt_rows_are_full(rows, gpt_tokenizer):
    for number in range(2 * rows.per_epoch):
        ids = rows.batch(number)["input_ids"]
        assert ids.shape == (3, CONTEXT) and ids.dtype == torch.int64
        assert gpt_tokenizer.pad_id not in ids, "a row that is not full leaves late positions untrained"


@pytest.mark.lesson03
def test_bert_batches_have_like_shapes(pairs):
    for number in range(pairs.per_epoch):
        batch = pairs.batch(number)
        shape = batch["input_ids"].shape
        assert shape[0] == 16 and shape[1] <= CONTEXT
        per_token = ("attention_mask", "token_type_ids", "position_ids", "labels")
        assert all(batch[name].shape == shape and batch[name].dtype == torch.int64 for name in per_token)
        assert batch["next_sentence"].shape == (16,)


# by hand


@pytest.mark.lesson02
def test_a_row_is_texts_with_the_end_token_between(gpt_tokenizer):
    end = gpt_tokenizer.end_id
    rows = PackedRows(TextStore([[20, 21]], 8), gpt_tokenizer, context=8, batch_size=2, seed=0)
    expected = [20, 21, end, 20, 21, end, 20, 21]
    assert rows.batch(0)["input_ids"].tolist() == [expected] * 2


@pytest.mark.lesson03
def test_a_single_sentence_is_cut_in_its_middle(bert_tokenizer):
    t = bert_tokenizer
    one = MaskedPairs(TextStore([[20, 21, 22, 23]], 30), t, CONTEXT, batch_size=1, seed=0, mask_share=0, gap_share=0)
    batch = one.batch(0)
    assert original(batch).tolist() == [[t.cls_id, 20, 21, t.sep_id, 22, 23, t.sep_id]]
    assert batch["token_type_ids"].tolist() == [[0, 0, 0, 0, 1, 1, 1]]
    assert batch["position_ids"].tolist() == [[0, 1, 2, 3, 4, 5, 6]]
    assert batch["next_sentence"].tolist() == [0], "the only other text is the text itself: it follows"


@pytest.mark.lesson03
def test_one_word_at_the_least_is_guessed(bert_tokenizer):
    ids = np.array([[2, 20, 21, 3], [2, 22, 23, 3]])
    pairs = MaskedPairs(TextStore([[20]], 30), bert_tokenizer, CONTEXT, batch_size=1, seed=0, mask_share=0)
    labels = pairs.hide_words(ids, np.ones((2, 4), dtype=bool), np.random.default_rng(0))
    assert (labels != IGNORED).any(), "the mean over no words is NaN"


@pytest.mark.lesson03
def test_a_text_is_cut_where_a_sentence_ends(bert_tokenizer):
    t = bert_tokenizer
    ids = t.encode("a great film . it was good ! was it ? yes .")
    store = TextStore([ids], 30)
    seen = set()
    for number in range(40):
        batch = MaskedPairs(store, t, CONTEXT, batch_size=1, seed=number).batch(0)
        ((first, second),) = parts(batch, t)
        assert first[1:-1] + second[:-1] == ids
        seen.add(t.decode(first))
    assert len(seen) == 3 and all(text[-1] in ".!?" for text in seen), seen


# invariants


@pytest.mark.lesson02
def test_every_gpt_row_starts_with_the_start_of_a_text(rows, gpt_tokenizer):
    texts = [text.tolist() for text in map(rows.store.__getitem__, range(len(rows.store)))]
    for number in range(rows.per_epoch):
        for row in rows.batch(number)["input_ids"].tolist():
            pieces, piece = [], []
            for token in row:
                if token == gpt_tokenizer.end_id:
                    pieces.append(piece)
                    piece = []
                else:
                    piece.append(token)
            assert all(whole in texts for whole in pieces), "a text was broken, or the end token is not between two"
            assert not piece or any(text[: len(piece)] == piece for text in texts)
            assert pieces or len(piece) == CONTEXT


@pytest.mark.lesson02
def test_every_text_is_read_by_gpt(rows):
    packed = [rows.pack(np.random.default_rng(epoch)) for epoch in range(3)]
    for epoch in packed:
        used = [text for row in epoch for text in row]
        assert len(used) == len(set(used)), "a text stands twice in an epoch"
    assert {text for epoch in packed for row in epoch for text in row} == set(range(len(rows.store)))


@pytest.mark.lesson03
def test_every_text_is_read_by_bert_and_long_ones_as_often(bert_tokenizer):
    """Batches are full, so an epoch leaves some texts out: at random, not the longest."""
    texts = [[20] * length for length in range(2, 32)]
    pairs = MaskedPairs(TextStore(texts, CONTEXT - 3), bert_tokenizer, CONTEXT, batch_size=16, seed=5)
    read = np.zeros(30)
    for epoch in range(200):
        pairs.batch(epoch)
        read[np.searchsorted(pairs.store.start, pairs.pairs[pairs.order.ravel()][:, 0])] += 1
    assert read.sum() == 200 * 16 and read.min() > 0
    assert read[15:].sum() == pytest.approx(read[:15].sum(), rel=0.1), "the longest texts are left out"


@pytest.mark.lesson03
def test_special_tokens_types_and_padding_are_where_they_belong(pairs, bert_tokenizer):
    t = bert_tokenizer
    for number in range(pairs.per_epoch):
        batch = pairs.batch(number)
        rows = zip(
            original(batch).tolist(), batch["token_type_ids"].tolist(), batch["attention_mask"].sum(1), strict=True
        )
        for ids, types, length in rows:
            seps = [i for i, token in enumerate(ids) if token == t.sep_id]
            assert ids[0] == t.cls_id and len(seps) == 2 and seps[1] == length - 1
            assert ids[length:] == [t.pad_id] * (len(ids) - length)
            expected = [0] * (seps[0] + 1) + [1] * (seps[1] - seps[0]) + [0] * (len(ids) - length)
            assert types == expected, "the first [SEP] belongs to the first part, the second to the second"
            assert not set(ids[1 : seps[0]]) & set(range(len(t.specials)))
        assert torch.equal(batch["attention_mask"], (original(batch) != t.pad_id).long())


@pytest.mark.lesson03
def test_half_of_the_second_parts_do_not_follow_and_the_label_says_which(pairs, bert_tokenizer):
    whole = {tuple(pairs.store[i].tolist()) for i in range(len(pairs.store))}
    follows = count = chance = 0
    for number in range(3 * pairs.per_epoch):
        batch = pairs.batch(number)
        for (first, second), label in zip(parts(batch, bert_tokenizer), batch["next_sentence"].tolist(), strict=True):
            joined = first[1:-1] + second[:-1]
            if len(joined) < CONTEXT - 3 and label == 0:  # longer ones were cut, and cannot be told
                assert tuple(joined) in whole, "0 means that the second part follows the first"
            chance += label == 1 and tuple(joined) in whole  # another text's end may look the same, if it is short
            follows, count = follows + (label == 0), count + 1
    assert chance < 0.02 * count, "1 means that the second part is another text's"
    assert abs(follows / count - 0.5) < 4 * 0.5 / count**0.5


@pytest.mark.lesson03
def test_labels_are_the_words_that_were_there_and_80_10_10(pairs, bert_tokenizer):
    t = bert_tokenizer
    guessed, hidden, kept, words, drawn = 0, 0, 0, 0, []
    rng = np.random.default_rng(1)
    for _ in range(60):
        before = rng.integers(0, len(t), (16, 30))
        ids, real = before.copy(), np.arange(30) < rng.integers(5, 31, (16, 1))
        labels = pairs.hide_words(ids, real, rng)
        chosen = labels != IGNORED
        assert (labels[chosen] == before[chosen]).all() and (ids[~chosen] == before[~chosen]).all()
        assert not chosen[before < len(t.specials)].any(), "a special token is to be guessed"
        assert not chosen[~real].any(), "padding is to be guessed"
        words += (real & (before >= len(t.specials))).sum()
        guessed += chosen.sum()
        hidden += (ids[chosen] == t.mask_id).sum()
        kept += (ids[chosen] == before[chosen]).sum()
        drawn += ids[chosen & (ids != before) & (ids != t.mask_id)].tolist()
    assert min(drawn) >= len(t.specials), "a random word must be a word, never a special token"
    assert max(drawn) == len(t) - 1 and len(set(drawn)) > 0.9 * (len(t) - len(t.specials))
    for share, expected, of in (
        (guessed / words, 0.35, words),
        (hidden / guessed, 0.8, guessed),
        (kept / guessed, 0.1 + 0.1 / len(t), guessed),
        (len(drawn) / guessed, 0.1 - 0.1 / len(t), guessed),
    ):
        assert abs(share - expected) < 4 * (expected * (1 - expected) / of) ** 0.5, (share, expected)


@pytest.mark.lesson03
def test_cls_stands_at_0_and_every_position_of_the_context_is_trained(pairs):
    seen, gaps = torch.zeros(CONTEXT), []
    for number in range(2 * pairs.per_epoch):
        batch = pairs.batch(number)
        positions, real = batch["position_ids"], batch["attention_mask"].bool()
        assert (positions[:, 0] == 0).all() and positions.max() < CONTEXT
        steps = positions.diff(dim=1)[:, 1:][real[:, 2:]]
        assert (steps == 1).all(), "after the gap the positions count on one by one"
        gaps += (positions[:, 1] - 1).tolist()
        seen += torch.bincount(positions[real], minlength=CONTEXT)
    assert (seen > 0).all(), f"never trained: {(seen == 0).nonzero().flatten().tolist()}"
    share = sum(gap > 0 for gap in gaps) / len(gaps)
    assert 0.25 < share < 0.5, "half of the rows have a gap, but for those whose gap was drawn as 0"


@pytest.mark.lesson03
def test_there_is_little_padding(pairs):
    real = total = 0
    for number in range(pairs.per_epoch):
        mask = pairs.batch(number)["attention_mask"]
        real, total = real + mask.sum().item(), total + mask.numel()
    assert real / total > 0.85, "the lengths in a batch are not alike"


@pytest.mark.parametrize("name", [pytest.param("rows", marks=pytest.mark.lesson02), "pairs"])
def test_a_batch_depends_on_its_number_alone(request, name):
    batches = request.getfixturevalue(name)
    numbers = list(range(2 * batches.per_epoch + 1))
    in_order = [batches.batch(number) for number in numbers]
    for number in random.Random(3).sample(numbers, len(numbers)):
        again = batches.batch(number)
        message = f"batch {number} differs when it is asked in another order: resuming would not repeat the run"
        assert all(torch.equal(again[key], in_order[number][key]) for key in again), message


@pytest.mark.parametrize("name", ["rows", "pairs"])
def test_epochs_and_seeds_differ(request, name):
    batches = request.getfixturevalue(name)
    other = type(batches)(
        batches.store,
        request.getfixturevalue(f"{'gpt' if name == 'rows' else 'bert'}_tokenizer"),
        CONTEXT,
        batches.batch_size,
        seed=6,
    )
    first = batches.batch(0)["input_ids"]
    for another in (batches.batch(batches.per_epoch)["input_ids"], other.batch(0)["input_ids"]):
        assert first.shape != another.shape or not torch.equal(first, another)


@pytest.mark.lesson03
def test_a_text_is_hidden_otherwise_each_time_it_is_read(bert_tokenizer):
    one = MaskedPairs(TextStore([list(range(20, 40))], 30), bert_tokenizer, CONTEXT, batch_size=1, seed=0)
    labels = {str(one.batch(number)["labels"].tolist()) for number in range(10)}
    gaps = {one.batch(number)["position_ids"][0, 1].item() for number in range(40)}
    assert len(labels) == 10 and len(gaps) > 5, "the same words are hidden, or the same gap is left, in every epoch"


@pytest.mark.lesson03
@pytest.mark.parametrize("texts", [[[20]], [[20]] * 3, [[20, 21], [22]]])
def test_very_little_text_still_makes_batches(bert_tokenizer, texts):
    small = MaskedPairs(TextStore(texts, 20), bert_tokenizer, CONTEXT, batch_size=4, seed=0)
    for number in range(5):
        batch = small.batch(number)
        assert batch["input_ids"].shape[0] == 4 and (batch["labels"] != IGNORED).any()
