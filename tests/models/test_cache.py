"""Lesson 02, the cache: a past that grows in place and is used as any other."""

import pytest
import torch

from minitune.models.cache import Cache
from tests.conftest import random_past

pytestmark = pytest.mark.lesson02
EXACT = {"rtol": 0, "atol": 0}


@pytest.fixture
def past():
    """One layer's (2, 3, 4, 8)."""
    return random_past(2, 4, layers=1)[0]


def test_it_grows_as_by_concatenation(past):
    cache, expected = Cache(past, room=10), past
    for length in (1, 3, 2):
        new = random_past(2, length, layers=1, seed=length)[0]
        expected = tuple(torch.cat(pair, dim=2) for pair in zip(expected, new, strict=True))
        message = "the new keys and values stand behind those of before, keys with keys"
        torch.testing.assert_close(cache.append(*new), expected, **EXACT, msg=message)
    assert cache.length == 10


def test_what_it_holds_is_never_moved(past):
    cache = Cache(past, room=6)
    one, two = (cache.append(*random_past(2, 1, layers=1)[0]) for _ in range(2))
    assert one[0].data_ptr() == two[0].data_ptr() and one[1].data_ptr() == two[1].data_ptr(), "the past was copied"
    assert past[0].data_ptr() != one[0].data_ptr(), "the caller's own past must not be written into"


def test_beyond_its_room_it_refuses(past):
    cache = Cache(past, room=5)
    cache.append(*random_past(2, 1, layers=1)[0])
    with pytest.raises(ValueError, match="room for 5 positions, and these are 6"):
        cache.append(*random_past(2, 1, layers=1)[0])


def test_a_model_reads_it_as_a_past(gpt, ids, mask):
    """Two calls with it equal two calls with keys and values as they are, padding before and in the text included."""
    plain = random_past(4, 5)
    cache = tuple(Cache(layer, room=5 + 11) for layer in plain)
    full = torch.cat([torch.ones(4, 5, dtype=torch.long), mask], dim=1)
    full[1, :2] = 0
    with torch.no_grad():
        for start, end in ((0, 4), (4, 11)):
            inputs = {"attention_mask": full[:, : 5 + end]}
            grown = gpt(ids[:, start:end], past_key_values=cache, **inputs)
            whole = gpt(ids[:, start:end], past_key_values=plain, **inputs)
            plain = whole.past_key_values
            message = "the cache holds other keys and values, or is of another length, than the past"
            torch.testing.assert_close(grown.hidden, whole.hidden, rtol=1e-12, atol=1e-12, msg=message)
            for a, b in zip(grown.past_key_values, whole.past_key_values, strict=True):
                torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12, msg=message)
