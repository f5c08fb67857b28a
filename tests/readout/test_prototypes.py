"""Lesson 14, ProtoVerb: cosines with a prototype of each class, and two losses."""

import math

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.readout.prototypes import PrototypeConfig, Prototypes
from tests.conftest import make_bert

pytestmark = pytest.mark.lesson14
LABEL = torch.tensor([0, 2, 0, 1, 2, 0])


@pytest.fixture
def hidden():
    return torch.randn(6, 24, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def readout():
    return Prototypes(24, 3, PrototypeConfig(size=7), seed=1).double()


def in_the_plane(prototypes) -> Prototypes:
    """Hidden states of two numbers, compared as they are: W is the identity."""
    made = Prototypes(2, len(prototypes), PrototypeConfig(size=2)).double()
    with torch.no_grad():
        made.project.copy_(torch.eye(2))
        made.prototypes.copy_(torch.tensor(prototypes))
    return made


# shapes


@pytest.mark.parametrize("rows", [1, 6])
def test_a_score_for_each_class_and_as_many_parameters_as_told(readout, hidden, model, rows):
    assert readout(hidden[:rows], model).shape == (rows, 3) and readout.points(hidden[:rows]).shape == (rows, 7)
    assert readout.between(hidden[:rows], LABEL[:rows]).shape == ()
    assert sum(p.numel() for p in readout.parameters()) == 7 * 24 + 3 * 7
    assert (readout.reads, readout.reads_words) == ("blank", False)


# numbers worked by hand


def test_cosines_by_hand(model):
    hidden = torch.tensor([[3.0, 4.0], [0.0, -2.0]], dtype=torch.float64)
    scores = in_the_plane([[5.0, 0.0], [0.0, 0.1]])(hidden, model)
    # (3, 4) is 5 long: cosines 3/5 and 4/5; (0, -2) points away from the second
    expected = torch.tensor([[0.6, 0.8], [0.0, -1.0]], dtype=torch.float64)
    torch.testing.assert_close(scores, expected, rtol=0, atol=1e-12)


def test_both_losses_by_hand(model):
    hidden = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]], dtype=torch.float64)  # east, north, west
    label = torch.tensor([0, 0, 1])
    readout = in_the_plane([[1.0, 0.0], [-1.0, 0.0]])  # east and west
    proto = readout.loss(readout(hidden, model), label)
    # east: cosines 1 and -1; north: 0 and 0; west: -1 and 1
    assert proto.item() == pytest.approx((2 * math.log(1 + math.exp(-2)) + math.log(2)) / 3, rel=1e-12)
    ins = readout.between(hidden, label)
    # east sees north at 0 and west at -1, north sees both at 0; west has no partner
    assert ins.item() == pytest.approx((math.log(1 + math.exp(-1)) + math.log(2)) / 2, rel=1e-12), (
        "an example is no partner of its own: its cosine with itself is 1 whatever is learned"
    )


@pytest.mark.parametrize(("classes", "highest"), [(2, 0.8808), (5, 0.6488)])
def test_how_sure_cosines_can_be(classes, highest, model):
    """One class at 1 and all others at -1 is the most: the loss never comes near 0."""
    readout = in_the_plane([[1.0, 0.0]] + [[-1.0, 0.0]] * (classes - 1))
    chance = readout(torch.tensor([[4.0, 0.0]]).double(), model).softmax(dim=1).max().item()
    assert chance == pytest.approx(highest, abs=1e-4)
    assert chance == pytest.approx(math.e / (math.e + (classes - 1) / math.e), rel=1e-12)


def test_without_a_pair_of_a_class_there_is_nothing_between(readout, hidden):
    for rows, label in ((1, [0]), (3, [2, 0, 1])):
        loss = readout.between(hidden[:rows], torch.tensor(label))
        assert loss.item() == 0
        loss.backward()  # a batch without pairs must not stop the training
        assert readout.project.grad.isfinite().all()


# invariants


def test_the_lengths_of_hidden_states_and_prototypes_tell_nothing(readout, hidden, model):
    scores, ins = readout(hidden, model), readout.between(hidden, LABEL)
    scaled = hidden * torch.tensor([0.1, 2, 30, 1, 7, 0.5], dtype=torch.float64)[:, None]
    torch.testing.assert_close(
        readout(scaled, model), scores, rtol=0, atol=1e-10, msg="v was not normalized: a product is no cosine"
    )
    torch.testing.assert_close(readout.between(scaled, LABEL), ins, rtol=0, atol=1e-10)
    with torch.no_grad():
        readout.prototypes.mul_(torch.tensor([[0.2], [5.0], [1.0]]))
    torch.testing.assert_close(
        readout(hidden, model), scores, rtol=0, atol=1e-10, msg="c was not normalized: a long prototype wins"
    )


def test_the_order_of_a_batch_and_the_names_of_classes_tell_nothing(readout, hidden):
    order = torch.tensor([3, 0, 5, 4, 1, 2])
    one, other = readout.between(hidden, LABEL), readout.between(hidden[order], LABEL[order])
    torch.testing.assert_close(one, other, rtol=0, atol=1e-12)
    torch.testing.assert_close(one, readout.between(hidden, 2 - LABEL), rtol=0, atol=0)


def test_of_soft_labels_the_likeliest_class_counts(readout, hidden, model):
    soft = 0.2 / 3 + 0.8 * F.one_hot(LABEL, 3).double()
    assert torch.equal(readout.between(hidden, soft), readout.between(hidden, LABEL))
    scores = readout(hidden, model)
    expected = -(soft * scores.log_softmax(dim=1)).sum(dim=1).mean()
    torch.testing.assert_close(readout.loss(scores, soft), expected, rtol=0, atol=1e-12)


def test_modes_are_left_as_they_are(readout, hidden):
    """ProtoVerb's own code trains prototypes in eval mode and stays there: no dropout ever after."""
    model = make_bert(dropout=0.5).train()
    readout.train()
    model.blocks[0].eval()
    readout.loss(readout(hidden, model), LABEL)
    readout.between(hidden, LABEL)
    assert model.training and readout.training and not model.blocks[0].training


def test_the_same_seed_gives_the_same_prototypes():
    one, same, other = (Prototypes(24, 3, seed=seed) for seed in (4, 4, 5))
    assert torch.equal(one.project, same.project) and torch.equal(one.prototypes, same.prototypes)
    assert not torch.equal(one.project, other.project) and not torch.equal(one.prototypes, other.prototypes)


# parity


def cosine(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True)) / math.sqrt(sum(x * x for x in a) * sum(y * y for y in b))


def test_both_losses_of_slow_loops(readout, hidden, model):
    v = [[sum(w * x for w, x in zip(row, h, strict=True)) for row in readout.project.tolist()] for h in hidden.tolist()]
    c, label = readout.prototypes.tolist(), LABEL.tolist()
    proto = ins = pairs = 0.0
    for i in range(6):
        right = math.exp(cosine(v[i], c[label[i]]))
        proto -= math.log(right / sum(math.exp(cosine(v[i], c[y])) for y in range(3))) / 6
        others = sum(math.exp(cosine(v[i], v[k])) for k in range(6) if k != i)
        for j in range(6):
            if j != i and label[j] == label[i]:
                ins -= math.log(math.exp(cosine(v[i], v[j])) / others)
                pairs += 1
    assert pairs == 3 * 2 + 2
    assert readout.loss(readout(hidden, model), LABEL).item() == pytest.approx(proto, rel=1e-10)
    assert readout.between(hidden, LABEL).item() == pytest.approx(ins / pairs, rel=1e-10)


# gradients


def test_gradients_reach_what_each_loss_speaks_of(readout, hidden, model):
    model.requires_grad_(False)
    hidden.requires_grad_(True)
    readout.between(hidden, LABEL).backward()
    assert readout.prototypes.grad is None, "the loss between examples knows no prototype"
    assert readout.project.grad.abs().sum() > 0 and hidden.grad[LABEL != 1].abs().sum() > 0
    assert hidden.grad[3].abs().sum() > 0, "the only example of its class has no partner, and others keep away from it"
    readout.zero_grad()
    readout.loss(readout(hidden, model), LABEL).backward()
    assert readout.prototypes.grad.abs().sum() > 0 and readout.project.grad.abs().sum() > 0
    assert all(p.grad is None for p in model.parameters())


def test_gradients_are_those_of_finite_differences(readout, hidden, model):
    def both(h):
        return readout.loss(readout(h, model), LABEL) + readout.between(h, LABEL)

    assert torch.autograd.gradcheck(both, hidden.requires_grad_(True))


# does it learn?


def test_each_example_comes_to_lie_nearest_to_its_own_prototype(model):
    """Five epochs at a small rate, the defaults of the authors' code, would leave the prototypes near their start."""
    generator = torch.Generator().manual_seed(5)
    centres = torch.randn(3, 24, dtype=torch.float64, generator=generator)
    label = torch.arange(30) % 3
    hidden = centres[label] + 0.7 * torch.randn(30, 24, dtype=torch.float64, generator=generator)
    readout = Prototypes(24, 3, PrototypeConfig(size=7), seed=1).double()
    before = (readout(hidden, model).argmax(dim=1) == label).double().mean().item()
    optimizer = torch.optim.Adam(readout.parameters(), lr=1e-2)
    for _ in range(200):
        loss = readout.loss(readout(hidden, model), label) + readout.between(hidden, label)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    cosines = readout(hidden, model)
    own = cosines.gather(1, label[:, None])[:, 0]
    others = cosines.masked_fill(F.one_hot(label, 3).bool(), -torch.inf).max(dim=1).values
    assert before < 0.6 and (own > others).all(), "undertrained: an example's own prototype is not the nearest"
    assert (own - others).mean() > 1.0


def test_a_space_of_no_size_is_refused():
    with pytest.raises(UserError, match="size is 0; prototypes need a space of at least 1 number"):
        PrototypeConfig(size=0)
