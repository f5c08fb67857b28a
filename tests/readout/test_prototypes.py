"""Lesson 17, ProtoVerb: cosines with a prototype of each class, and two losses."""

import math

import pytest
import torch
from torch.nn import functional as F

from minitune.errors import UserError
from minitune.readout.prototypes import PrototypeConfig, Prototypes
from tests.conftest import make_bert
from tests.naming import expect

pytestmark = pytest.mark.lesson17
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
        made.prototypes.copy_(torch.tensor(prototypes, dtype=torch.float64))
    return made


# shapes


@pytest.mark.parametrize("rows", [1, 6])
def test_a_score_for_each_class_and_as_many_parameters_as_told(readout, hidden, model, rows):
    assert readout(hidden[:rows], model).shape == (rows, 3) and readout.points(hidden[:rows]).shape == (rows, 7)
    assert readout.between(hidden[:rows], LABEL[:rows]).shape == ()
    assert sum(p.numel() for p in readout.parameters()) == 7 * 24 + 3 * 7
    assert (readout.reads, readout.reads_words) == ("blank", False)


# numbers worked by hand


def test_cosines_by_hand(gpt):
    hidden = torch.tensor([[3.0, 4.0], [0.0, -2.0]], dtype=torch.float64)
    c = torch.tensor([[5.0, 0.0], [0.3, 0.4]], dtype=torch.float64)
    scores = in_the_plane(c.tolist())(hidden, gpt)
    unit, c_unit = F.normalize(hidden, dim=1), F.normalize(c, dim=1)
    # (3, 4) is 5 long, (0.3, 0.4) points where it does
    right = torch.tensor([[0.6, 1.0], [0.0, -0.8]], dtype=torch.float64)
    wrong = {
        "v was not normalized: a product is no cosine": hidden @ c_unit.T,
        "c was not normalized: a long prototype wins": unit @ c.T,
        "neither was normalized": hidden @ c.T,
        "c was normalized over the classes, not each prototype": unit @ F.normalize(c, dim=0).T,
        "v was normalized over the batch, not each example": F.normalize(hidden, dim=0) @ c_unit.T,
        "minus a squared distance, and no cosine": -torch.cdist(unit, c_unit).square(),
    }
    expect(scores, right, wrong, tolerance=1e-12)


def test_the_loss_with_prototypes_by_hand(gpt):
    hidden = torch.tensor([[2.0, 0.0], [0.0, 1.0], [-3.0, 0.0]], dtype=torch.float64)  # east, north, west
    readout = in_the_plane([[1.0, 0.0], [-1.0, 0.0]])  # east and west
    proto = readout.loss(readout(hidden, gpt), torch.tensor([0, 0, 1]))
    # east: cosines 1 and -1; north: 0 and 0; west: -1 and 1
    right = (2 * math.log(1 + math.exp(-2)) + math.log(2)) / 3
    tempered = (2 * math.log(1 + math.exp(-20)) + math.log(2)) / 3
    expect(proto, right, {"summed over the batch": 3 * right, "cosines are divided by a temperature": tempered})


BETWEEN = {
    "an example is in its own denominator, with a cosine of 1": lambda c, alike, itself: (
        -c.log_softmax(dim=1)[alike & ~itself].mean()
    ),
    "an example is a partner of its own: its cosine with itself is 1 whatever is learned": lambda c, alike, itself: (
        -c.log_softmax(dim=1)[alike].mean()
    ),
    "an example is a partner of its own, though it is not in the denominator": lambda c, alike, itself: (
        -c.masked_fill(itself, -torch.inf).log_softmax(dim=1)[alike].mean()
    ),
    "summed over the pairs, not averaged": lambda c, alike, itself: (
        -c.masked_fill(itself, -torch.inf).log_softmax(dim=1)[alike & ~itself].sum()
    ),
    "examples of unlike classes are drawn together": lambda c, alike, itself: (
        -c.masked_fill(itself, -torch.inf).log_softmax(dim=1)[~alike].mean()
    ),
    "cosines are divided by a temperature of 0.1": lambda c, alike, itself: (
        -(c / 0.1).masked_fill(itself, -torch.inf).log_softmax(dim=1)[alike & ~itself].mean()
    ),
    "the mean is first over each example's partners: those of small classes count more": lambda c, alike, itself: (
        -torch.stack(
            [
                row[its].mean()
                for row, its in zip(c.masked_fill(itself, -torch.inf).log_softmax(dim=1), alike & ~itself, strict=True)
                if its.any()
            ]
        ).mean()
    ),
    "each denominator has its own pair and the unlike ones alone": lambda c, alike, itself: torch.stack(
        [(c[i, j].exp() + c[i][~alike[i]].exp().sum()).log() - c[i, j] for i, j in (alike & ~itself).nonzero().tolist()]
    ).mean(),
}


def test_the_loss_between_examples_by_hand(readout, hidden):
    points = F.normalize(hidden @ readout.project.detach().T, dim=1)
    cosines, alike, itself = points @ points.T, LABEL[:, None] == LABEL, torch.eye(6, dtype=torch.bool)
    right = 0.0
    for i, j in (alike & ~itself).nonzero().tolist():
        others = [cosines[i, k].item() for k in range(6) if k != i]
        right += (math.log(sum(map(math.exp, others))) - cosines[i, j].item()) / (3 * 2 + 2)
    wrong = {cause: formula(cosines, alike, itself) for cause, formula in BETWEEN.items()}
    expect(readout.between(hidden, LABEL), right, wrong)


@pytest.mark.parametrize(("classes", "highest"), [(2, 0.8808), (5, 0.6488)])
def test_how_sure_cosines_can_be(classes, highest, gpt):
    """One class at 1 and all others at -1 is the most: the loss never comes near 0."""
    readout = in_the_plane([[1.0, 0.0]] + [[-1.0, 0.0]] * (classes - 1))
    chance = readout(torch.tensor([[4.0, 0.0]]).double(), gpt).softmax(dim=1).max().item()
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


@pytest.mark.parametrize("seed", [1, 2])
def test_scores_of_a_slow_loop_whatever_the_model(hidden, model, seed):
    """Nothing of the model is used: not BERT's MLM transform, nor the words."""
    readout = Prototypes(24, 3, PrototypeConfig(size=7), seed=seed).double()
    right = torch.zeros(6, 3, dtype=torch.float64)
    transformed = torch.zeros_like(right)
    for i in range(6):
        for y in range(3):
            c = readout.prototypes[y].detach()
            for into, h in ((right, hidden[i]), (transformed, model.before_decoder(hidden[i]).detach())):
                v = readout.project.detach() @ h
                into[i, y] = sum(v * c) / (v.norm() * c.norm())
    after = {"the hidden state is read after BERT's MLM transform": transformed} if model.kind == "bert" else {}
    expect(readout(hidden, model), right, after)


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
