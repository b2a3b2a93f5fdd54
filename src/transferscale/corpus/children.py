"""Child processes that can be killed: a decoder that hangs or crashes costs one item, not the job.

Notable:
- decoders hang holding the interpreter's lock (dmlc/decord#373) and crash on hostile input, so neither a
  thread nor an exception handler is enough; ``concurrent.futures`` has no way to kill the process of one
  item;
- children are spawned, never forked: decord hangs in a forked child;
- results come in the order of the items, whatever the number of children, and few are held at once.
"""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.process import BaseProcess
from typing import Any, Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Results held back because an earlier item is slower: a bound on memory.
AHEAD = 8


@dataclass(frozen=True)
class Failure:
    """An item that gave no result, and why."""

    reason: str


@dataclass
class _Child(Generic[Item]):
    process: BaseProcess
    pipe: Connection
    index: int = -1
    limit: float = 0.0
    deadline: float = 0.0


def each(
    function: Callable[[Item], Result], items: Sequence[Item], threads: int, seconds: Callable[[Item], float]
) -> Iterator[Result | Failure]:
    """Yield ``function(item)`` of every item in order, computed by ``threads`` child processes.

    Parameters
    ----------
    function
        A function at the top of a module; its standard error is silenced (decoders chatter there).
    items
        Arguments; plain picklable values.
    threads
        Number of child processes. The results do not depend on it.
    seconds
        Patience for an item; a child that takes longer is killed.

    Yields
    ------
    Result or Failure
        ``Failure`` where the child raised, died or was killed.
    """
    context = get_context("spawn")

    def start() -> _Child[Item]:
        ours, theirs = context.Pipe()
        process = context.Process(target=_serve, args=(theirs, function), daemon=True)
        process.start()
        theirs.close()
        return _Child(process, ours)

    children = [start() for _ in range(min(threads, len(items)))]
    done: dict[int, Result | Failure] = {}
    following, wanted = 0, 0
    try:
        while wanted < len(items):
            for child in children:
                if child.index < 0 and following < min(len(items), wanted + AHEAD * len(children)):
                    child.index, child.limit = following, seconds(items[following])
                    child.deadline = time.monotonic() + child.limit
                    child.pipe.send(items[following])
                    following += 1
            busy = [child for child in children if child.index >= 0]
            left = min(child.deadline for child in busy) - time.monotonic()
            ready = wait([child.pipe for child in busy], timeout=max(0.0, left))
            for child in busy:
                if child.pipe in ready:
                    try:
                        done[child.index] = child.pipe.recv()
                        child.index = -1
                        continue
                    except (EOFError, OSError):
                        child.process.join()
                        reason = f"the reader crashed (exit status {child.process.exitcode})"
                elif time.monotonic() >= child.deadline:
                    reason = f"the reader did not finish within {child.limit:.0f} s"
                else:
                    continue
                done[child.index] = Failure(reason)
                _stop(child)
                children[children.index(child)] = start()
            while wanted in done:
                yield done.pop(wanted)
                wanted += 1
    finally:
        for child in children:
            _stop(child)


def _stop(child: _Child[Any]) -> None:
    child.process.kill()
    child.process.join()
    child.pipe.close()


def _serve(pipe: Connection, function: Callable[[Any], Any]) -> None:
    """Body of a child: answer items until the parent is gone."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    while True:
        try:
            item = pipe.recv()
        except EOFError:
            return
        try:
            answer = function(item)
        except Exception as error:  # whatever a decoder raises is a reason, told in the manifest
            answer = Failure(f"{type(error).__name__}: {_line(error)}")
        pipe.send(answer)


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]
