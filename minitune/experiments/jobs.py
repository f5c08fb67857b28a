"""The cells of an experiment in several processes: the same results in the same order, however many there are.

    cells  ->  N workers of one thread each, a cell at a time  ->  results

A cell is the smallest piece of work that can be done alone, such as (method, number of examples, draw). It is computed
with one thread, whatever N is, because more threads would add up the same numbers in another order.

A worker is a fresh process ("spawn"): a copy of this one ("fork") would inherit PyTorch's threads as they are at that
moment, and may then wait for ever. It is given the work once and then one cell after the other, through a pipe of its
own. It does not hear Ctrl-C: this process does, and ends it. It ends by itself if this process is gone.
"""

from __future__ import annotations

import os
import pickle
import signal
import sys
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context, parent_process
from multiprocessing.connection import Connection, wait
from typing import TYPE_CHECKING, Any, NamedTuple

from tqdm import tqdm

from minitune.errors import UserError

if TYPE_CHECKING:
    from minitune.training.checkpoint import Checkpoint


def cores() -> int:
    """How many this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def processes_for(checkpoint: Checkpoint, jobs: int) -> int:
    """`jobs` on a CPU; a GPU is used by one process."""
    return jobs if next(checkpoint.model.parameters()).device.type == "cpu" else 1


def compute(work: Callable[[Any], Any], cells: Sequence[NamedTuple], jobs: int, label: str) -> list[Any]:
    """`work(cell)` of each cell, in their order, behind a progress bar that shows the fields of the last one begun.

    Args:
        work: for several processes it must be something that pickle takes, and so must what it returns.
        jobs: processes; 1 computes in this one.

    Raises:
        UserError: a worker died; the work cannot be sent to another process.
        Exception: whatever `work` raises; of several, that of the first cell, as in one process.
    """
    with tqdm(total=len(cells), desc=label, disable=None, leave=False) as bar:
        if min(jobs, len(cells)) > 1:
            return in_processes(work, cells, min(jobs, len(cells)), bar)
        results = []
        with one_thread():
            for cell in cells:
                bar.set_postfix(cell._asdict())
                results.append(work(cell))
                bar.update()
        return results


@contextmanager
def one_thread() -> Iterator[None]:
    """Inside, PyTorch computes with one thread."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


# ---- the process that shares the cells out ----


def in_processes(work: Callable, cells: Sequence[NamedTuple], jobs: int, bar: tqdm) -> list[Any]:
    """The cells are handed out in their order. After a failure those before it are waited for, and none is begun."""
    try:
        packed = pickle.dumps(work)  # plain bytes: multiprocessing's own way would move tensors to shared memory
    except (pickle.PicklingError, AttributeError, TypeError) as error:
        raise UserError(f"this work cannot be sent to other processes ({error}); compute it in one: jobs 1") from None
    results, failures, begun = {}, {}, 0  # by the cell's number
    with workers(jobs) as crew:
        for pipe in crew:
            with dying_told(crew, pipe):
                pipe.send_bytes(packed)
        idle, busy = list(crew), {}  # of a busy one, its cell's number
        while True:
            while idle and begun < len(cells) and not failures:
                pipe = idle.pop(0)
                bar.set_postfix(cells[begun]._asdict())
                with dying_told(crew, pipe):
                    pipe.send(cells[begun])
                busy[pipe], begun = begun, begun + 1
            if not busy or (failures and min(failures) < min(busy.values())):
                break
            for pipe in wait(list(busy)):
                with dying_told(crew, pipe):
                    is_good, result = pipe.recv()
                if is_good:
                    results[busy.pop(pipe)] = pickle.loads(result)
                else:
                    failures[busy.pop(pipe)] = result
                idle.append(pipe)
                bar.update()
    if failures:
        raise failures[min(failures)]
    return [results[number] for number in range(len(cells))]


@contextmanager
def workers(jobs: int) -> Iterator[dict[Connection, Any]]:
    """Processes, each by this end of its pipe. Whatever happens inside, none of them is left."""
    context, crew = get_context("spawn"), {}
    try:
        with unheard_interrupts():
            for _ in range(jobs):
                here, there = context.Pipe()
                crew[here] = context.Process(target=serve, args=(there,), daemon=True)
                crew[here].start()
                there.close()  # the worker's alone, so that its death ends the pipe
        yield crew
    finally:
        started = [process for process in crew.values() if process.pid]
        for process in started:
            process.kill()
        for process in started:
            process.join()
        for pipe in crew:
            pipe.close()


@contextmanager
def unheard_interrupts() -> Iterator[None]:
    """Inside, Ctrl-C does nothing, and processes that are started here never hear it. It takes some hundredths of a
    second; only the main thread may do so, and elsewhere nobody's Ctrl-C comes."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


@contextmanager
def dying_told(crew: dict[Connection, Any], pipe: Connection) -> Iterator[None]:
    """Raises:
    UserError: the worker at the other end of the pipe is gone.
    """
    try:
        yield
    except (EOFError, OSError):
        crew[pipe].join()
        code = crew[pipe].exitcode
        how = f"was ended by signal {-code}" if code < 0 else f"ended with status {code}"
        raise UserError(
            f"one of {len(crew)} worker processes {how}; if memory ran out, fewer of them need less: --jobs "
            f"{max(1, len(crew) // 2)}"
        ) from None


# ---- a worker ----


def serve(pipe: Connection) -> None:
    """Take the work, then compute each cell that comes."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=end_with_parent, daemon=True).start()
    tqdm.set_lock(threading.RLock())  # its own would be the system's, and outlive a worker that is killed
    with open(os.devnull, "w") as sys.stderr, suppress(EOFError, OSError):  # no bars beside the one that is shown
        is_good, work = attempt(pickle.loads, pipe.recv_bytes())
        with one_thread():
            while is_good:
                pipe.send(attempt(lambda cell: pickle.dumps(work(cell)), pipe.recv()))
        pipe.send((False, work))  # in place of the first cell's result


def end_with_parent() -> None:
    """End this process, whatever it is doing, when the one that started it has ended, in whatever way."""
    parent_process().join()
    os._exit(1)


def attempt(function: Callable, argument: Any) -> tuple[bool, Any]:
    """(True, its result) or (False, the exception), which carries where it was raised as a note."""
    try:
        return True, function(argument)
    except Exception as error:
        where = traceback.format_exc()
        with suppress(Exception):
            error.add_note(where)
            return False, pickle.loads(pickle.dumps(error))  # some exceptions cannot be sent, or not read again
        return False, RuntimeError(where)
