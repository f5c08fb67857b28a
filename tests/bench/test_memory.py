"""The memory of a process of its own."""

import pytest

from minitune.bench.memory import after, peak_memory


@pytest.fixture
def own():
    """What this process has held, 600 MB at least."""
    ballast = bytearray(600_000_000)
    ballast[::4096] = b"x" * len(ballast[::4096])  # or the system would not really give it
    return after(len, (b"",))


@pytest.mark.thorough
def test_it_is_that_of_the_work_alone(own):
    idle, busy = peak_memory(len, b""), peak_memory(bytes.ljust, b"", 300_000_000, b"x")
    assert busy < 0.8 * own, f"{busy:,.0f} bytes, and the process that asked holds {own:,.0f}: is it counted as well?"
    assert 2.9e8 < busy - idle < 3.3e8, f"{busy - idle:,.0f} bytes more for a text of 300,000,000"
