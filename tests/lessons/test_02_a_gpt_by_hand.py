"""Lesson 2's exercises, checked: on the lesson's own solutions, or with `--mine DIR` on a learner's.

Each failure names the likely mistake and asks the question that leads to the fix. `WRONG` holds wrong versions of each
exercise, as (what is wrong, text of the solution, text in its place, what the failure must say).
"""

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from minitune.models import generate
from minitune.models.build import random_model
from minitune.models.gpt import GPTConfig

SCORES = "query @ key.transpose(-2, -1) / math.sqrt(query.shape[-1])"
MASKED = "scores.masked_fill(future, -torch.inf).softmax(dim=-1)"
JOINED = "mixed.transpose(1, 2).flatten(2)"
CROSS = "scores[:, :-1].flatten(0, 1), ids[:, 1:].flatten()"
TOO_LIKELY = "(before >= top_p) & (torch.arange(len(p), device=p.device) > 0)"
WRONG = {
    "02.1": [
        ("no mask", MASKED, "scores.softmax(dim=-1)", "sees later positions"),
        ("not even itself", "diagonal=1)", "diagonal=0)", "position must see itself|nan"),
        ("one of the future", "diagonal=1)", "diagonal=2)", "sees the position right after"),
        ("the mask on its side", ".triu(diagonal=1)", ".tril(diagonal=-1)", "past is hidden"),
        ("no scale", " / math.sqrt(query.shape[-1])", "", "divided by nothing"),
        ("divided by d", "math.sqrt(query.shape[-1])", "query.shape[-1]", "divided by d"),
        ("masked with zero", "masked_fill(future, -torch.inf)", "masked_fill(future, 0.0)", "e to the 0 is 1"),
        (
            "masked after the softmax",
            MASKED,
            "scores.softmax(dim=-1).masked_fill(future, 0.0)",
            "rows sum to .* mask before the softmax",
        ),
        ("softmax over queries", MASKED, MASKED.replace("dim=-1", "dim=-2"), "each column|over the keys"),
        ("transposed by .T", "key.transpose(-2, -1)", "key.T", "last two dimensions"),
        ("values forgotten", "attention_weights(query, key) @ value", "attention_weights(query, key) @ key", "values"),
    ],
    "02.2": [
        (
            "view in place of a transposition",
            "x.unflatten(-1, (self.heads, -1)).transpose(1, 2)",
            "x.reshape(len(x), self.heads, x.shape[1], -1)",
            "mixes positions",
        ),
        (
            "every H-th entry",
            "x.unflatten(-1, (self.heads, -1)).transpose(1, 2)",
            "x.unflatten(-1, (-1, self.heads)).permute(0, 3, 1, 2)",
            "h-th part of each vector",
        ),
        ("joined without transposing back", JOINED, "mixed.reshape(x.shape)", "back"),
        ("no output layer", f"self.output({JOINED})", JOINED, "`output`"),
        ("exact GELU", 'F.gelu(self.up(x), approximate="tanh")', "F.gelu(self.up(x))", "exact GELU"),
        ("ReLU", 'F.gelu(self.up(x), approximate="tanh")', "F.relu(self.up(x))", "not tanh GELU"),
        (
            "the residual forgotten at attention",
            "x = x + self.attention(",
            "x = self.attention(",
            "added to x",
        ),
        ("the residual forgotten at the mlp", "return x + self.mlp(", "return self.mlp(", "added to x"),
        (
            "post-LN",
            "x = x + self.attention(self.attention_norm(x))\n        return x + self.mlp(self.mlp_norm(x))",
            "x = self.attention_norm(x + self.attention(x))\n        return self.mlp_norm(x + self.mlp(x))",
            "after the addition",
        ),
        (
            "added to the normalized copy",
            "x = x + self.attention(self.attention_norm(x))",
            "x = self.attention_norm(x)\n        x = x + self.attention(x)",
            "x itself",
        ),
        ("both parts from the same x", "return x + self.mlp(self.mlp_norm(x))", "return x + self.mlp(x)", "mlp_norm"),
    ],
    "02.3": [
        ("no positions", " + self.position_embedding(positions)", "", "order"),
        (
            "positions from 1",
            "torch.arange(ids.shape[1], device=ids.device)",
            "torch.arange(ids.shape[1], device=ids.device) + 1",
            "count from 0",
        ),
        ("no last norm", "self.norm(x) @ self", "x @ self", "last LayerNorm"),
        (
            "blocks in a list",
            "nn.ModuleList(Block(width, heads, inner) for _ in range(layers))",
            "[Block(width, heads, inner) for _ in range(layers)]",
            "nn.ModuleList",
        ),
        (
            "one block over and over",
            "nn.ModuleList(Block(width, heads, inner) for _ in range(layers))",
            "nn.ModuleList([Block(width, heads, inner)] * layers)",
            "the same block",
        ),
        ("the loss not shifted", CROSS, "scores.flatten(0, 1), ids.flatten()", "its own token"),
        ("shifted the wrong way", CROSS, "scores[:, 1:].flatten(0, 1), ids[:, :-1].flatten()", "token before"),
        ("shifted by two", CROSS, "scores[:, :-2].flatten(0, 1), ids[:, 2:].flatten()", "one too many"),
        (
            "probabilities for scores",
            CROSS,
            "scores[:, :-1].flatten(0, 1).softmax(-1), ids[:, 1:].flatten()",
            "softmax itself",
        ),
        ("a sum", f"F.cross_entropy({CROSS})", f'F.cross_entropy({CROSS}, reduction="sum")', "mean"),
    ],
    "02.4": [
        ("times the temperature", "scores / temperature", "scores * temperature", "multiplied"),
        ("no temperature", "(scores / temperature)", "scores", "temperature changes nothing"),
        ("division by zero", "if temperature == 0:", "if temperature < 0:", "temperature 0"),
        ("not back in order", ".scatter(0, order, p / p.sum())", ".copy_(p / p.sum())", "sorted"),
        ("top-k keeps one more", "ranked[top_k:]", "ranked[top_k + 1 :]", "keeps 3 tokens"),
        ("top-p stops too early", "before >= top_p", "p.cumsum(dim=-1) > top_p", "past p"),
        ("top-p keeps one more", "before >= top_p", "before - p >= top_p", "one too many|more than"),
        ("top-p keeps nothing", TOO_LIKELY, "before >= top_p - 1e-3", "at least one"),
        ("not rescaled", "p / p.sum())", "p)", "sum to"),
        (
            "top-p before top-k",
            "        ranked[top_k:] = -torch.inf\n    p = ranked.softmax(dim=-1)\n",
            "        pass\n    p = ranked.softmax(dim=-1)\n",
            "top_k",
        ),
    ],
}


def numbers(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ---- 02.1 attention ----


def weights_of(mine, query, key):
    try:
        got = mine.attention_weights(query, key)
    except NotImplementedError:  # a stub, which is a RuntimeError to Python, is still to do
        raise
    except RuntimeError as error:
        pytest.fail(
            f"of (2, 3, 5, 4) twice it stops ({error}): are only the last two dimensions of the keys transposed?"
        )
    shape = (*query.shape[:-1], key.shape[-2])
    assert got.shape == shape, (
        f"the weights are {tuple(got.shape)} and not {tuple(shape)}: transpose the last two dimensions"
    )
    return got


def test_02_1_the_future_is_hidden(mine):
    query, key = numbers(2, 3, 5, 4), numbers(2, 3, 5, 4, seed=1)
    got = weights_of(mine, query, key)
    assert not got.isnan().any(), "some weights are nan: the first position has nothing left to see; it must see itself"
    later, past = got.triu(diagonal=1), got.tril(diagonal=-1)
    assert past.any(), (
        "the past is hidden in place of the future: which triangle of the matrix lies right of the diagonal?"
    )
    assert got.triu(diagonal=2).any() or not later.any(), (
        "a position sees the position right after it: does the mask begin one diagonal too late?"
    )
    raw = (query @ key.transpose(-2, -1) / 2).masked_fill(torch.ones(5, 5).triu(1).bool(), 0).softmax(dim=-1)
    assert not torch.allclose(got, raw, atol=1e-5), (
        "the future's scores are set to 0, and e to the 0 is 1: what has weight 0?"
    )
    assert not later.any(), "a position sees later positions: where is the causal mask?"


def test_02_1_weights_sum_to_one(mine):
    got = weights_of(mine, numbers(2, 3, 5, 4), numbers(2, 3, 5, 4, seed=1))
    columns = got.sum(dim=-2)
    assert not torch.allclose(columns, torch.ones_like(columns), atol=1e-5), (
        "each column sums to 1, not each row: the softmax must go over the keys"
    )
    rows = got.sum(dim=-1)
    assert torch.allclose(rows, torch.ones_like(rows), atol=1e-5), (
        f"rows sum to {rows.min().item():.2f} and more, not to 1: apply the mask before the softmax, not after"
    )


def test_02_1_scores_are_scaled(mine):
    query, key = numbers(2, 3, 5, 4), numbers(2, 3, 5, 4, seed=1)
    got, products = weights_of(mine, query, key), query @ key.transpose(-2, -1)
    future = torch.ones(5, 5).triu(1).bool()

    def divided(by):
        return (products / by).masked_fill(future, -torch.inf).softmax(dim=-1)

    for by, what in ((1.0, "nothing"), (4.0, "d"), (5**0.5, "the square root of T")):
        assert not torch.allclose(got, divided(by), atol=1e-5), f"the scores are divided by {what}; sqrt(d) is needed"
    assert torch.allclose(got, divided(2.0), atol=1e-5), "the weights are not softmax(Q K^T / sqrt(d)): what differs?"


def test_02_1_takes_the_values(mine):
    query, key, value = (numbers(2, 3, 5, 4, seed=seed) for seed in range(3))
    right = F.scaled_dot_product_attention(query, key, value, is_causal=True)
    got = mine.attention(query, key, value)
    assert torch.allclose(got, right, atol=1e-5), (
        "the weights are right and the output is not: are the values weighted?"
    )


# ---- 02.2 heads and block ----


def test_02_2_parameters_have_their_names(mine):
    wanted = dict(random_model(GPTConfig(20, width=12, heads=3, inner=20), seed=0).blocks[0].state_dict())
    got = dict(mine.Block(12, 3, 20).state_dict())
    assert set(got) == set(wanted), (
        f"missing: {sorted(set(wanted) - set(got))}; unknown: {sorted(set(got) - set(wanted))}"
    )
    for name, value in wanted.items():
        assert got[name].shape == value.shape, f"{name} is {tuple(got[name].shape)}, and {tuple(value.shape)} is needed"


def test_02_2_splits_each_vector(mine):
    part, x = mine.SelfAttention(6, 2), torch.arange(48.0).view(2, 4, 6)  # rows 0 to 5, 6 to 11, ...
    got = part.split(x)
    assert got.shape == (2, 2, 4, 3), f"split gives {tuple(got.shape)}; (B, H, T, D/H) is (2, 2, 4, 3)"
    first = got[0, 0, :, 0]
    assert torch.equal(first, torch.tensor([0.0, 6.0, 12.0, 18.0])), (
        "split mixes positions: a view to (B, H, T, d) only cuts the numbers anew; which dimension must be split first?"
    )
    assert torch.equal(got[0, 0, 0], torch.tensor([0.0, 1.0, 2.0])), (
        f"head 1 got the entries {got[0, 0, 0].int().tolist()} of the first vector: head h gets the "
        "h-th part of each vector"
    )


def attention_of(mine):
    torch.manual_seed(1)
    return mine.SelfAttention(12, 3), numbers(2, 5, 12)


def test_02_2_joins_the_heads(mine):
    part, x = attention_of(mine)
    got = part(x)
    assert got.shape == x.shape, f"the output is {tuple(got.shape)} for an input of {tuple(x.shape)}"

    def heads(layer):
        return layer(x).view(2, 5, 3, 4).transpose(1, 2)

    mixed = F.scaled_dot_product_attention(heads(part.query), heads(part.key), heads(part.value), is_causal=True)
    joined = mixed.transpose(1, 2).flatten(2)
    assert not torch.allclose(got, joined, atol=1e-5), (
        "the heads are joined and that is all: what is the layer `output` for?"
    )
    assert not torch.allclose(got, part.output(mixed.reshape(2, 5, 12)), atol=1e-5), (
        "the heads are joined without transposing back: (B, H, T, d) becomes (B, T, H, d) first, or positions are mixed"
    )
    assert torch.allclose(got, part.output(joined), atol=1e-5), (
        "attention of three heads gives other numbers: are query, key and value each used once, in their places?"
    )


def test_02_2_gelu_is_tanh(mine):
    torch.manual_seed(1)
    part, x = mine.FeedForward(4, 8), 3 * numbers(50, 4)
    got, up = part(x), part.up(x)
    assert not torch.equal(got, part.down(F.gelu(up))), "this is the exact GELU, BERT's; GPT-2 has approximate='tanh'"
    assert torch.allclose(got, part.down(F.gelu(up, approximate="tanh")), atol=1e-6), (
        "between up and down there is not tanh GELU: what stands there?"
    )


def test_02_2_the_block_adds(mine):
    torch.manual_seed(1)
    block, x = mine.Block(12, 3, 20), 2 * numbers(2, 5, 12) + 1
    for norm in (block.attention_norm, block.mlp_norm):  # not what they start with
        nn.init.normal_(norm.weight)
        nn.init.normal_(norm.bias)
    a = x + block.attention(block.attention_norm(x))
    right, got = a + block.mlp(block.mlp_norm(a)), block(x)
    normed = block.attention_norm(x)
    b = normed + block.attention(normed)
    c = block.attention(normed)
    known = {
        "what attention finds must be added to x: where is the residual?": c + block.mlp(block.mlp_norm(c)),
        "what the mlp finds must be added to x: where is the residual?": block.mlp(block.mlp_norm(a)),
        "attention's output is added to the normalized copy; it must be added to x itself": b
        + block.mlp(block.mlp_norm(b)),
        "the mlp reads x as it is: where is mlp_norm?": a + block.mlp(a),
        "attention reads x as it is: where is attention_norm?": (d := x + block.attention(x))
        + block.mlp(block.mlp_norm(d)),
        "both parts read the first x: the mlp reads what attention has added to": a + block.mlp(block.mlp_norm(x)),
    }
    e = block.attention_norm(x + block.attention(x))
    known["the norms come after the addition, as in BERT; here each part reads a normalized copy"] = block.mlp_norm(
        e + block.mlp(e)
    )
    for mistake, wrong in known.items():
        assert not torch.allclose(got, wrong, atol=1e-5), mistake
    assert torch.allclose(got, right, atol=1e-5), "the block is not a = x + attention(LN(x)), a + mlp(LN(a))"


# ---- 02.3 the model and the loss ----

SIZES = {"context": 9, "width": 12, "heads": 3, "inner": 20, "layers": 3}


def model_of(mine):
    """The learner's model with the weights of the package's, and that one; nothing in them is at its first value."""
    theirs = random_model(GPTConfig(20, spread=0.5, **SIZES), seed=0)
    with torch.no_grad():
        for parameter in theirs.parameters():
            parameter.add_(
                0.3 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(parameter.numel()))
            )
    ours = mine.GPT(20, **SIZES)
    missing = set(theirs.state_dict()) - set(ours.state_dict())
    assert not any(name.startswith("blocks") for name in missing), (
        "the model does not own the parameters of its blocks: an nn.ModuleList holds modules, a list hides them"
    )
    assert len({id(block) for block in ours.blocks}) == 3, (
        "all layers are the same block: make a new one for each layer"
    )
    unknown = set(ours.state_dict()) - set(theirs.state_dict())
    assert not missing and not unknown, f"missing: {sorted(missing)}; unknown: {sorted(unknown)} (the output is tied)"
    ours.load_state_dict(theirs.state_dict())
    return ours, theirs


def test_02_3_the_package_agrees(mine):
    ours, theirs = model_of(mine)
    ids = torch.randint(20, (2, 7), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        got, output = ours(ids), theirs(ids)
        assert got.shape == (2, 7, 20), f"scores of 7 positions and 20 tokens are (2, 7, 20), not {tuple(got.shape)}"

        def differs(hidden):
            return not torch.allclose(got, theirs.logits(hidden), atol=1e-4)

        x = theirs.token_embedding(ids)
        assert differs(through(theirs, x)), "positions are missing: the model cannot know the order of its tokens"
        later = theirs.position_embedding(torch.arange(1, 8))
        assert differs(through(theirs, x + later)), "the positions count from 1; they count from 0"
        raw = through(theirs, x + theirs.position_embedding(torch.arange(7)), last=False)
        assert differs(raw), "the scores are made from what the last block gives: where is the last LayerNorm, `norm`?"
        assert not differs(output.hidden), (
            "the scores differ from the package's: are they the product with token_embedding?"
        )


def through(model, x, last=True):
    visible = torch.ones(x.shape[1], x.shape[1], dtype=torch.bool).tril()
    for block in model.blocks:
        x, _ = block(x, visible, None)
    return model.norm(x) if last else x


def test_02_3_the_loss_is_of_the_next_token(mine):
    scores, ids = numbers(2, 6, 20), torch.randint(20, (2, 6), generator=torch.Generator().manual_seed(0))
    got = mine.next_token_loss(scores, ids)
    assert got.shape == (), f"the loss is one number, not {tuple(got.shape)}"

    def loss(scores, ids):
        return F.cross_entropy(scores.flatten(0, 1), ids.flatten())

    right = loss(scores[:, :-1], ids[:, 1:])
    known = {
        "each position is compared with its own token, which it has read: what does position t predict?": loss(
            scores, ids
        ),
        "each position is compared with the token before it: shift the other way": loss(scores[:, 1:], ids[:, :-1]),
        "the loss is shifted by one too many: position t predicts t + 1": loss(scores[:, :-2], ids[:, 2:]),
        "cross_entropy takes scores and does the softmax itself: yours is applied twice": loss(
            scores[:, :-1].softmax(dim=-1), ids[:, 1:]
        ),
        "this is the sum over all tokens; the mean is needed": 10 * right,
        "this is the sum over the tokens of a text; the mean is needed": 5 * right,
    }
    for mistake, wrong in known.items():
        assert not torch.isclose(got, wrong, atol=1e-5), mistake
    assert torch.isclose(got, right, atol=1e-5), f"the loss is {got:.3f}, and {right:.3f} is right: what is compared?"


# ---- 02.4 choosing the next token ----

KNOWN = torch.tensor([0.1, 0.5, 0.15, 0.25])


def probabilities_of(mine, **settings):
    got = mine.probabilities(KNOWN.log(), **settings)
    assert got.shape == (4,), f"of four scores the probabilities are {tuple(got.shape)}"
    assert not got.isnan().any(), f"with {settings} they are nan: is at least one token kept, and nothing divided by 0?"
    return got


def test_02_4_temperature_divides(mine):
    plain = probabilities_of(mine)
    assert not torch.allclose(plain, KNOWN.sort(descending=True).values), (
        "the probabilities come out sorted: put each back to the place of its token (scatter)"
    )
    assert torch.allclose(plain, KNOWN, atol=1e-6), "without any setting the probabilities are those of the softmax"
    cold, right = probabilities_of(mine, temperature=0.5), KNOWN**2 / (KNOWN**2).sum()
    assert not torch.allclose(cold, plain, atol=1e-5), "the temperature changes nothing"
    assert not torch.allclose(cold, KNOWN**0.5 / (KNOWN**0.5).sum(), atol=1e-5), (
        "the scores are multiplied by the temperature: below 1, should likely tokens become likelier?"
    )
    assert torch.allclose(cold, right, atol=1e-5), "at temperature 0.5 the scores are divided by 0.5 before the softmax"


def test_02_4_temperature_0_is_greedy(mine):
    got = mine.probabilities(KNOWN.log(), temperature=0)
    assert torch.equal(got, torch.tensor([0.0, 1.0, 0.0, 0.0])), (
        f"at temperature 0 the likeliest token has all the probability; yours are {got.tolist()}"
    )


def test_02_4_top_k_keeps_k(mine):
    got = probabilities_of(mine, top_k=2)
    kept = int((got > 0).sum())
    assert kept == 2, f"top_k=2 keeps {kept} tokens"
    assert torch.isclose(got.sum(), torch.tensor(1.0)), f"what is left must sum to 1; it sums to {got.sum():.2f}"
    assert torch.allclose(got, torch.tensor([0, 2 / 3, 0, 1 / 3]), atol=1e-5), "top_k=2 keeps the two likeliest, 2 to 1"
    assert probabilities_of(mine, top_k=9).gt(0).all(), "a top_k above the vocabulary keeps everything"


def test_02_4_top_p_keeps_the_fewest(mine):
    for p, wanted in ((0.6, 2), (0.8, 3), (0.3, 1), (1.0, 4)):
        got = probabilities_of(mine, top_p=p)
        kept = int((got > 0).sum())
        assert kept >= wanted, (
            f"top_p={p} keeps {kept} of 0.5, 0.25, 0.15, 0.1, and {wanted} are needed: the token that takes the "
            "sum past p is kept"
        )
        assert kept <= wanted, f"top_p={p} keeps {kept} of 0.5, 0.25, 0.15, 0.1: one too many; {wanted} have p already"
        assert torch.isclose(got.sum(), torch.tensor(1.0)), f"what is left must sum to 1; it sums to {got.sum():.2f}"
    assert probabilities_of(mine, top_p=1e-9).sum() > 0, "top_p keeps at least one token, however small p is"


def test_02_4_top_k_comes_first(mine):
    got = probabilities_of(mine, top_k=2, top_p=0.65)
    kept = int((got > 0).sum())
    assert kept == 1, (
        f"top_k=2 and top_p=0.65 keep {kept}: after top_k the likeliest has two thirds, which is enough. Does top_p "
        "see what top_k has left?"
    )


# ---- the package computes what the lesson computes ----


def test_the_package_writes_the_same(mine):
    ours, theirs = model_of(mine)
    ids = [3, 1, 4]
    with torch.no_grad():
        for _ in range(5):
            ids.append(int(mine.probabilities(ours(torch.tensor([ids]))[0, -1], temperature=0).argmax()))
    assert ids[3:] == generate(theirs, [[3, 1, 4]], 5)[0], "greedy, your model writes other tokens than the package's"
    assert math.isfinite(mine.next_token_loss(ours(torch.tensor([ids])), torch.tensor([ids])).item())
