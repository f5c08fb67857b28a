"""Lesson 3's exercises, checked: on the lesson's own solutions, or with `--mine DIR` on a learner's.

Each failure names the likely mistake and asks the question that leads to the fix. `WRONG` holds wrong versions of each
exercise, as (what is wrong, text of the solution, text in its place, what the failure must say).
"""

import random

import pytest
import torch
from torch import nn

from minitune.models.bert import BERT, BERTConfig

HIDE = "scores.masked_fill(~real[:, None, None, :], -torch.inf)"
WRONG = {
    "03.1": [
        ("no mask", HIDE, "scores", "padding is not hidden"),
        ("hidden as a query", HIDE, "scores.masked_fill(~real[:, None, :, None], -torch.inf)", "a whole row of scores"),
        ("hidden by a zero", HIDE, "scores.masked_fill(~real[:, None, None, :], 0.0)", "a score of 0 is not"),
        (
            "hidden after the softmax",
            f"{HIDE}\n    return scores.softmax(dim=-1) @ value",
            "scores.softmax(dim=-1) * real[:, None, None, :]\n    return scores @ value",
            "sum to 1",
        ),
        ("the wrong way round", HIDE, "scores.masked_fill(real[:, None, None, :], -torch.inf)", "wrong way round"),
        ("still causal", HIDE, f"{HIDE} + torch.full(scores.shape[-2:], -torch.inf).triu(1)", "a causal mask left"),
        ("not scaled", " / math.sqrt(query.shape[-1])", "", "divided by sqrt"),
        ("scaled by all heads' width", "query.shape[-1]", "query.shape[-1] * query.shape[1]", "divided by sqrt"),
        ("softmax over the queries", "scores.softmax(dim=-1)", "scores.softmax(dim=-2)", "over which axis"),
    ],
    "03.2": [
        (
            "pre-LN",
            "x = self.attention_norm(x + self.attention(x, real))\n        return self.mlp_norm(x + self.mlp(x))",
            "x = x + self.attention(self.attention_norm(x), real)\n        return x + self.mlp(self.mlp_norm(x))",
            "pre-LN",
        ),
        ("nothing is added", "self.attention_norm(x + self.", "self.attention_norm(self.", "added to its input"),
        (
            "the second is not added",
            "self.mlp_norm(x + self.mlp(x))",
            "self.mlp_norm(self.mlp(x))",
            "added to its input",
        ),
        ("one norm twice", "return self.mlp_norm(x", "return self.attention_norm(x", "a norm of its own"),
        (
            "PyTorch's eps",
            "self.attention_norm = nn.LayerNorm(width, eps=1e-12)",
            "self.attention_norm = nn.LayerNorm(width)",
            "attention_norm has eps=1e-05",
        ),
        (
            "another name",
            "self.mlp_norm = nn.LayerNorm(width, eps=1e-12)",
            "self.norm = nn.LayerNorm(width)",
            "missing: mlp_norm",
        ),
        ("no GELU", "F.gelu(bert.transform(hidden))", "bert.transform(hidden)", "without GELU"),
        (
            "GELU with tanh",
            "F.gelu(bert.transform(hidden))",
            "F.gelu(bert.transform(hidden), approximate='tanh')",
            "with tanh",
        ),
        (
            "the norm before GELU",
            "bert.transform_norm(F.gelu(bert.transform(hidden)))",
            "F.gelu(bert.transform_norm(bert.transform(hidden)))",
            "before GELU",
        ),
        (
            "no norm",
            "bert.transform_norm(F.gelu(bert.transform(hidden)))",
            "F.gelu(bert.transform(hidden))",
            "without the norm",
        ),
        ("no bias", ".token_embedding.weight.T + bert.decoder_bias", ".token_embedding.weight.T", "without the bias"),
        (
            "no transform",
            "changed = bert.transform_norm(F.gelu(bert.transform(hidden)))",
            "changed = hidden",
            "is not transformed",
        ),
    ],
    "03.3": [
        ("specials too", "torch.isin(ids, words) & (", "(", "special token"),
        (
            "labels of what is read",
            "return torch.where(swapped, any_words, inputs), labels",
            "x = torch.where(swapped, any_words, inputs)\n    return x, x.masked_fill(~chosen, -100)",
            "after it was hidden",
        ),
        ("labels everywhere", "labels = ids.masked_fill(~chosen, -100)", "labels = ids.clone()", "-100"),
        ("labels of 0", "masked_fill(~chosen, -100)", "masked_fill(~chosen, 0)", "-100"),
        ("all are hidden", "chosen & (fate < 0.8), mask_id", "chosen, mask_id", "are hidden; 80%"),
        (
            "a second draw",
            "(fate >= 0.8) & (fate < 0.9)",
            "(torch.rand(ids.shape, generator=generator) < 0.1)",
            "are hidden; 80%.*One draw",
        ),
        ("none stays", "(fate >= 0.8) & (fate < 0.9)", "(fate >= 0.8)", "are left as they are; 10%"),
        ("none is exchanged", "(fate >= 0.8) & (fate < 0.9)", "(fate > 1)", "are left as they are; 10%"),
        (
            "replaced where not chosen",
            "chosen & (fate >= 0.8) & (fate < 0.9)",
            "(fate >= 0.8) & (fate < 0.9)",
            "not to be guessed",
        ),
        (
            "any id as a random word",
            "words[torch.randint(len(words), ids.shape, generator=generator)]",
            "torch.randint(int(words.max()) + 1, ids.shape, generator=generator)",
            "not an ordinary token",
        ),
        ("in place", "inputs = ids.masked_fill(", "inputs = ids.masked_fill_(", "was changed"),
        (
            "one decision per row",
            "(torch.rand(ids.shape, generator=generator) < share)",
            "(torch.rand(len(ids), 1, generator=generator) < share)",
            "whole rows",
        ),
        (
            "another generator",
            "fate = torch.rand(ids.shape, generator=generator)",
            "fate = torch.rand(ids.shape)",
            "from `generator`",
        ),
        ("the share is fixed", "< share)", "< 0.15)", "share"),
    ],
    "03.4": [
        ("labels exchanged", "document[cut:], 0", "document[cut:], 1", "which number means"),
        ("never another one", "rng.random() < 0.5", "rng.random() < 0", "half of the time"),
        ("always another one", "rng.random() < 0.5", "rng.random() < 1", "half of the time"),
        (
            "itself as another one",
            "documents[other + (other >= index)]",
            "documents[other]",
            "labeled as not following",
        ),
        (
            "an empty part",
            "cut = rng.randrange(1, len(document))",
            "cut = rng.randrange(len(document))",
            "a part is empty",
        ),
        ("one place to cut", "cut = rng.randrange(1, len(document))", "cut = 1", "always cut"),
        (
            "all of the other one",
            "stranger[rng.randrange(1, len(stranger)) :]",
            "stranger",
            "whole of another document",
        ),
        (
            "no [SEP] in the middle",
            "+ [sep_id] for part in (first, second))\n    first = [cls_id, *first]",
            "for part in (first, second))\n    first, second = [cls_id, *first], [*second, sep_id]",
            "one \\[SEP\\]",
        ),
        (
            "the first [SEP] is of type 1",
            "[0] * len(first) + [1] * len(second)",
            "[0] * (len(first) - 1) + [1] * (len(second) + 1)",
            "first \\[SEP\\]",
        ),
        ("one type", "[0] * len(first) + [1] * len(second)", "[0] * len(first + second)", "types of the second part"),
    ],
}


# ---- 03.1 attend ----


def three(seed=0, heads=2, length=4, width=8):
    return torch.randn(3, 2, heads, length, width, generator=torch.Generator().manual_seed(seed))


REAL = torch.tensor([[True, True, True, False], [True] * 4])


def by_hand(query, key, value, real):
    """One weight after another, without a mask: what is padding is not in the list."""
    mixed = torch.zeros_like(query)
    for b, h, t in torch.cartesian_prod(*map(torch.arange, query.shape[:3])).tolist():
        seen = [s for s in range(query.shape[2]) if real[b, s]]
        scores = torch.stack([query[b, h, t] @ key[b, h, s] for s in seen]) / query.shape[-1] ** 0.5
        mixed[b, h, t] = sum(weight * value[b, h, s] for weight, s in zip(scores.softmax(0), seen, strict=True))
    return mixed


def test_03_1_takes_nothing_from_padding(mine):
    query, key, value = three()
    mixed = mine.attend(query, key, value, REAL)
    assert mixed.shape == query.shape, f"the output is {tuple(mixed.shape)}; {tuple(query.shape)} is needed"
    if not mixed.isfinite().all():
        pytest.fail(
            "the mask is the wrong way round: what is hidden are the real tokens"
            if mixed[0].isfinite().all()
            else "a whole row of scores is minus infinity, and its softmax is 0 / 0: padding may ask, but it must not "
            "be asked. Which axis is that?"
            if mixed[0, :, :3].isfinite().all()
            else "all outputs of a text with padding are not numbers: over which axis is the softmax?"
        )
    ones = mine.attend(query, key, torch.ones_like(value), REAL)
    assert torch.allclose(ones, torch.ones_like(ones), atol=1e-5), (
        "the weights that a position gives do not sum to 1: was padding hidden after the softmax?"
    )
    other_key, other = key.clone(), value.clone()
    other_key[0, :, 3], other[0, :, 3] = 100.0, 1000.0
    if not torch.allclose(mine.attend(query, other_key, other, REAL), mixed, atol=1e-5):
        loud = torch.zeros_like(key)
        loud[:, :, 0] = 50.0  # a score so high that a padded score of 0 counts for nothing beside it
        quiet = mine.attend(torch.ones_like(query), loud, other, REAL)
        pytest.fail(
            "a score of 0 is not a weight of 0: what does e^0 contribute to the softmax?"
            if quiet[0].max() < 100 and mine.attend(query, other_key, value, REAL).allclose(mixed)
            else "padding is not hidden: what comes out depends on it"
        )


def test_03_1_sees_both_sides(mine):
    query, key, value = three()
    mixed = mine.attend(query, key, value, REAL)
    assert not torch.allclose(mixed[:, :, 0], value[:, :, 0], atol=1e-5), (
        "the first position sees only itself: is there a causal mask left from lesson 2?"
    )
    right = by_hand(query, key, value, REAL)
    assert torch.allclose(mixed, right, atol=1e-5), (
        "the mixture differs from one computed by hand: is a score the product of query and key, divided by sqrt(D/H), "
        "the width of one head?"
    )


# ---- 03.2 BERTBlock and word_scores ----


def a_block(mine):
    torch.manual_seed(1)
    return mine.BERTBlock(8, 2, 12)


def test_03_2_the_names_are_those_of_the_weights(mine):
    wanted = {name for name, _ in BERT(BERTConfig(9, 1, 8, 2, 12, 5)).blocks[0].named_parameters()}
    found = {name for name, _ in a_block(mine).named_parameters()}
    missing = sorted({name.rpartition(".")[0] for name in wanted - found})
    extra = sorted({name.rpartition(".")[0] for name in found - wanted})
    assert not missing and not extra, (
        f"pretrained weights are found by name; missing: {', '.join(missing) or 'nothing'}; unknown: "
        f"{', '.join(extra) or 'nothing'}"
    )


def test_03_2_the_norms_are_berts(mine):
    block = a_block(mine)
    for name in ("attention_norm", "mlp_norm"):
        eps = getattr(block, name).eps
        assert eps == 1e-12, f"{name} has eps={eps}, PyTorch's default or another; BERT's is 1e-12"


def test_03_2_changes_adds_and_then_normalizes(mine):
    block = a_block(mine)
    with torch.no_grad():
        for seed, norm in enumerate((block.attention_norm, block.mlp_norm)):  # two that can be told apart
            norm.weight.uniform_(0.5, 2, generator=torch.Generator().manual_seed(seed))
            norm.bias.normal_(generator=torch.Generator().manual_seed(seed + 5))
        x = 3 * torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(2))
        got = block(x, REAL)
        attended, fed = lambda y: block.attention(y, REAL), block.mlp
        n1, n2 = block.attention_norm, block.mlp_norm
        middle = n1(x + attended(x))
        right = n2(middle + fed(middle))
        pre = x + attended(n1(x))
        slips = {
            "this is pre-LN, the block of lesson 2: here the sum is normalized, not the input": pre + fed(n2(pre)),
            "what attention gives must be added to its input": n2(n1(attended(x)) + fed(n1(attended(x)))),
            "what the feed-forward part gives must be added to its input": n2(fed(middle)),
            "the second sum needs a norm of its own, mlp_norm": n1(middle + fed(middle)),
        }
    check(got, right, slips, "the block computes something else than LN(a + FF(a)) with a = LN(x + Attention(x))")


def check(got, right, slips, otherwise):
    assert got.shape == right.shape, f"the output is {tuple(got.shape)}; {tuple(right.shape)} is needed"
    if not torch.allclose(got, right, atol=1e-5):
        slip = next((name for name, wrong in slips.items() if torch.allclose(got, wrong, atol=1e-5)), otherwise)
        pytest.fail(slip)


class Parts(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(3)
        self.token_embedding = nn.Embedding(9, 8)
        self.transform, self.transform_norm = nn.Linear(8, 8), nn.LayerNorm(8, eps=1e-12)
        self.decoder_bias = nn.Parameter(torch.randn(9))
        nn.init.uniform_(self.transform_norm.weight, 0.5, 2)
        nn.init.normal_(self.transform_norm.bias)


@torch.no_grad()
def test_03_2_the_head(mine):
    bert, hidden = Parts(), 2 * torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(4))
    table, bias, gelu = bert.token_embedding.weight.T, bert.decoder_bias, nn.functional.gelu
    line, norm = bert.transform(hidden), bert.transform_norm
    right = norm(gelu(line)) @ table + bias
    slips = {
        "the hidden state is not transformed before it meets the embedding": hidden @ table + bias,
        "the transform is without GELU": norm(line) @ table + bias,
        "GELU is approximated with tanh, as in GPT-2; BERT's is exact": norm(gelu(line, approximate="tanh")) @ table
        + bias,
        "the norm is before GELU; it comes after it": gelu(norm(line)) @ table + bias,
        "the transform is without the norm": gelu(line) @ table + bias,
        "the scores are without the bias of each word": norm(gelu(line)) @ table,
    }
    check(
        mine.word_scores(bert, hidden),
        right,
        slips,
        "the scores are not LN(GELU(W h + b)) times E transposed, plus the bias",
    )


# ---- 03.3 corrupt ----

WORDS, MASK = torch.arange(5, 45), 3  # 0 to 4 and from 45 on: special tokens


def some_ids():
    ids = torch.randint(5, 45, (300, 12), generator=torch.Generator().manual_seed(0))
    ids[:, 0], ids[:, 7], ids[:, 11] = 1, 2, 47
    ids[::2, 8:] = 0
    return ids


def corrupted(mine, share=0.4, seed=1):
    ids = some_ids()
    inputs, labels = mine.corrupt(ids, WORDS, MASK, share, torch.Generator().manual_seed(seed))
    assert torch.equal(ids, some_ids()), "the tensor that was given was changed: work on a copy, or the labels are lost"
    assert inputs.shape == labels.shape == ids.shape, f"inputs and labels must be {tuple(ids.shape)}"
    return ids, inputs, labels


def test_03_3_only_ordinary_tokens_are_guessed(mine):
    ids, _, labels = corrupted(mine)
    chosen = labels != -100
    assert not chosen.all(), "every position has a label: where nothing is to be guessed it must be -100"
    assert not (labels[~torch.isin(ids, WORDS)] == 0).any() or not (labels[torch.isin(ids, WORDS)] == 0).any(), (
        "labels of 0: cross_entropy ignores -100 and nothing else"
    )
    assert torch.isin(ids[chosen], WORDS).all(), (
        "a special token is to be guessed: is [SEP] or padding something that the text could teach?"
    )


def test_03_3_the_labels_are_what_was_there(mine):
    ids, inputs, labels = corrupted(mine)
    chosen = labels != -100
    wrong = (labels[chosen] != ids[chosen]).float().mean().item()
    assert wrong == 0, (
        f"{wrong:.0%} of the labels are not the original token: was the label read after it was hidden? Then the model "
        "is asked for what it sees"
    )
    assert torch.equal(inputs[~chosen], ids[~chosen]), (
        "a token that is not to be guessed was replaced: is the fate only that of chosen ones?"
    )


def test_03_3_the_shares(mine):
    ids, inputs, labels = corrupted(mine)
    chosen, is_word = labels != -100, torch.isin(ids, WORDS)
    share = chosen[is_word].float().mean().item()
    assert abs(share - 0.4) < 0.05, (
        f"at a share of 40%, {share:.0%} of the ordinary tokens are chosen: is `share` used?"
    )
    rows = chosen.any(dim=1).float().mean().item()
    assert rows > 0.8, "whole rows are chosen or left alone: decide for each token, not for each text"
    masked, kept = ((inputs == what)[chosen].float().mean().item() for what in (MASK, ids))
    assert abs(masked - 0.8) < 0.04, (
        f"{masked:.0%} of the chosen tokens are hidden; 80% are needed. Were some exchanged after they were hidden? "
        "One draw per token decides its fate"
    )
    assert 0.06 < kept < 0.15, (
        f"{kept:.0%} of the chosen tokens are left as they are; 10% are needed, and 10% are exchanged"
    )


def test_03_3_random_words_are_words(mine):
    _, inputs, labels = corrupted(mine)
    put = inputs[(labels != -100) & (inputs != MASK)]
    assert torch.isin(put, WORDS).all(), "a random word is not an ordinary token: it is drawn from `words`, is it not?"


def test_03_3_the_generator_decides(mine):
    torch.manual_seed(0)
    first = corrupted(mine)
    torch.manual_seed(1)
    again, other = corrupted(mine), corrupted(mine, seed=2)
    same = all(torch.equal(a, b) for a, b in zip(first, again, strict=True))
    assert same, "the same generator gives different words: all random numbers must come from `generator`"
    assert not torch.equal(first[2], other[2]), "another generator chooses the same words: is `generator` used at all?"


# ---- 03.4 make_pair ----

CLS, SEP = 1, 2
DOCUMENTS = [[[100 * d + 10 * s + 5, 100 * d + 10 * s + 6] for s in range(4)] for d in range(1, 4)]


def pairs(mine):
    """(types, label, first part, second part) of many rows of document 1."""
    rows = []
    for seed in range(200):
        ids, types, label = mine.make_pair(DOCUMENTS, 1, CLS, SEP, random.Random(seed))
        ends = [place for place, i in enumerate(ids) if i == SEP]
        assert len(ends) == 2, f"{ids} holds {'one' if len(ends) == 1 else len(ends)} [SEP]; each part ends with one"
        assert ids[0] == CLS and ids.count(CLS) == 1 and ends[1] == len(ids) - 1, (
            "[CLS] first [SEP] second [SEP] is wanted"
        )
        first, second = ids[1 : ends[0]], ids[ends[0] + 1 : -1]
        assert first and second, "a part is empty: where may the cut be?"
        assert len(types) == len(ids), f"{len(types)} types for {len(ids)} tokens"
        assert types[ends[0]] == 0, "the first [SEP] ends the first part: it is of type 0"
        assert types == [0] * (ends[0] + 1) + [1] * (len(second) + 1), (
            "the types of the second part are 1, its [SEP] included"
        )
        rows.append((label, first, second))
    return rows


def test_03_4_the_row(mine):
    whole = [i for sentence in DOCUMENTS[1] for i in sentence]
    for label, first, second in pairs(mine):
        assert first == whole[: len(first)], "the first part must be the beginning of document `index`"
        follows = first + second == whole
        assert not (follows and label), (
            "a second part that follows is labeled as not following: which number means that it follows, and can the "
            "other document be the same one?"
        )
        assert label == int(not follows), (
            f"label {label}, and the second part {'follows' if follows else 'does not follow'}"
        )


def test_03_4_half_of_the_time(mine):
    rows = pairs(mine)
    share = sum(label for label, _, _ in rows) / len(rows)
    assert 0.35 < share < 0.65, (
        f"{share:.0%} of the second parts are from another document; it must be half of the time"
    )


def test_03_4_the_cuts(mine):
    rows = pairs(mine)
    assert len({len(first) for _, first, _ in rows}) > 1, (
        "the document is always cut at the same place: let `rng` choose"
    )
    assert {second[0] // 100 for label, _, second in rows if label} == {1, 3}, (
        "the second part comes from any other document"
    )
    assert not any(len(second) == 8 for label, _, second in rows if label), (
        "the second part is the whole of another document: cut it as well, or the model can know it by its beginning"
    )


# ---- the package computes what the lesson computes ----


@torch.no_grad()
def test_the_package_agrees(mine):
    torch.manual_seed(5)
    theirs = BERT(BERTConfig(30, layers=2, width=8, heads=2, inner=12, context=6))
    for parameter in theirs.parameters():
        nn.init.normal_(parameter)
    ours = mine.BERT(30, context=6, width=8, layers=2, heads=2, inner=12)
    ours.load_state_dict(theirs.state_dict())
    ids, types = torch.randint(30, (2, 4)), torch.randint(2, (2, 4))
    hidden = theirs(ids, attention_mask=REAL.long(), token_type_ids=types).hidden
    gap = (mine.word_scores(ours, ours(ids, types, REAL)) - theirs.logits(hidden))[REAL].abs().max().item()
    assert gap < 1e-3, f"your model's scores and the package's differ by {gap:.1e}"
