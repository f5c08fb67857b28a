"""Several processes give what one gives, say what went wrong in one sentence, and are gone afterwards."""

import os
import pickle
import threading
import time
from contextlib import contextmanager
from multiprocessing import Pipe, active_children
from typing import NamedTuple

import pytest
import torch

from minitune.errors import UserError
from minitune.experiments import jobs
from minitune.experiments.jobs import attempt, compute, cores, one_thread


class Cell(NamedTuple):
    what: str
    number: int


def work(cell):
    """What a cell asks for; sent to the workers by its name."""
    if "waits" in cell.what:
        time.sleep(0.02)
    if "wrong" in cell.what:
        raise UserError(f"the cell {cell.number} is wrong")
    return cell.number**2, torch.get_num_threads(), os.getpid()


def squares(many):
    return [Cell("square", number) for number in range(many)]


# one process


def test_one_process_computes_here_with_one_thread_and_gives_the_threads_back():
    torch.set_num_threads(2)
    try:
        found = compute(work, squares(3), 1, "squaring")
        assert found == [(number**2, 1, os.getpid()) for number in range(3)], (
            "(n, 2, ...): it computes with as many threads as before, and adds up in another order than a worker"
        )
        with pytest.raises(UserError), one_thread():
            raise UserError("stopped")
        assert torch.get_num_threads() == 2, "after a failure the threads are not given back"
    finally:
        torch.set_num_threads(1)


def test_no_more_processes_than_cells(monkeypatch):
    monkeypatch.setattr(jobs, "in_processes", lambda work, cells, jobs, bar: jobs)
    assert compute(work, squares(3), 8, "squaring") == 3
    assert compute(work, squares(1), 8, "squaring")[0][2] == os.getpid()


def test_the_cores_are_those_that_this_process_may_use(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {3, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3, "64: a container that may use 3 of 64 cores would start 64 processes"
    monkeypatch.delattr(os, "sched_getaffinity")  # macOS and Windows have none
    assert cores() == 64


def test_work_that_cannot_be_sent_is_refused_before_any_process_starts(monkeypatch):
    monkeypatch.setattr(jobs, "workers", lambda many: pytest.fail("processes were started"))
    with pytest.raises(UserError, match=r"cannot be sent to other processes .* jobs 1"):
        compute(lambda cell: cell, squares(2), 2, "squaring")


class Unsendable(Exception):
    def __init__(self, first, second):
        super().__init__(first)


@pytest.mark.parametrize(
    ("raised", "sent"),
    [(UserError("a sentence"), UserError), (ValueError("a"), ValueError), (Unsendable(1, 2), RuntimeError)],
)
def test_an_exception_is_sent_with_its_place_or_as_a_text(raised, sent):
    def fail(_):
        raise raised

    is_good, error = attempt(fail, None)
    assert not is_good and type(error) is sent
    assert str(error) == str(raised) or sent is RuntimeError
    assert "in fail" in "".join([*getattr(error, "__notes__", ()), str(error)]), "where it was raised is lost"


# several, with threads in the place of processes: what is handed out, and what goes wrong


class Thread(threading.Thread):
    """A worker that dies at a cell which asks for it."""

    exitcode = -9
    deadly = "dies"

    def __init__(self, pipe):
        super().__init__(daemon=True)
        self.pipe, self.given = pipe, []

    def run(self):
        its_work = pickle.loads(self.pipe.recv_bytes())
        while True:
            try:
                cell = self.pipe.recv()
            except EOFError:
                return
            self.given.append(cell)
            if cell.what == self.deadly:
                return self.pipe.close()
            self.pipe.send(attempt(lambda cell: pickle.dumps(its_work(cell)), cell))


@pytest.fixture
def crew(monkeypatch):
    """The workers of the last call."""
    threads = []

    @contextmanager
    def workers(many):
        pipes = [Pipe() for _ in range(many)]
        threads.extend(Thread(there) for _, there in pipes)
        for thread in threads:
            thread.start()
        yield dict(zip([here for here, _ in pipes], threads, strict=True))
        for here, _ in pipes:
            here.close()

    monkeypatch.setattr(jobs, "workers", workers)
    return threads


def test_results_come_back_in_the_cells_order(crew):
    cells = [Cell("waits", 0), *squares(6)[1:]]
    assert [found[0] for found in compute(work, cells, 2, "squaring")] == [number**2 for number in range(6)], (
        "0 comes last: results are in the order in which they were done"
    )
    assert all(thread.given for thread in crew), "one worker does it all"


def test_of_two_failures_that_of_the_first_cell_is_told_and_nothing_more_begun(crew):
    cells = [Cell("waits and is wrong", 0), Cell("wrong", 1), *squares(9)]
    with pytest.raises(UserError, match="the cell 0 is wrong"):  # cell 1: whichever fails first, so that N matters
        compute(work, cells, 2, "squaring")
    assert sum(len(thread.given) for thread in crew) == 2, "cells are begun after a failure"


def test_a_worker_that_dies_is_one_sentence(crew):
    with pytest.raises(UserError, match=r"one of 2 worker processes was ended by signal 9; if memory .* --jobs 1"):
        compute(work, [Cell("square", 0), Cell("dies", 1)], 2, "squaring")


# several real processes, which take a second or two to start


@pytest.mark.thorough
def test_two_processes_give_the_same_with_one_thread_each_and_none_is_left():
    found = compute(work, squares(5), 2, "squaring")
    assert [result[0] for result in found] == [number**2 for number in range(5)]
    assert {result[1] for result in found} == {1}, "a worker computes with several threads"
    assert os.getpid() not in {result[2] for result in found}
    assert not active_children()
