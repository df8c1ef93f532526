"""Compiles many modules, in as many processes as the machine has processors.

Compiling is most of what a layer of pure wheels takes, and after a change of one line of a lock nothing else
may run. The bytes are the same whichever process makes them (:mod:`ociwheel.layer.bytecode`).
"""

from __future__ import annotations

import marshal
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ociwheel.layer.bytecode import NotCompilable, compile_source
from ociwheel.layer.compress import threads

_WORTH_BYTES = 1 << 16
"""Of sources for each process: fewer are compiled before another one has started."""
_HELD_BYTES = 4 << 20


@dataclass(frozen=True)
class Source:
    """A module to compile, as :func:`compile_source` takes it."""

    data: bytes
    path: str
    checked: bool = False


def compile_many(sources: Sequence[Source], workers: int | None = None) -> list[bytes | NotCompilable]:
    """Return the bytecode of each module, or why it has none.

    :param workers: most processes at a time, this one included; by default, one for each processor.
    """
    most = threads() if workers is None else workers
    wanted = min(most, sum(len(one.data) for one in sources) // _WORTH_BYTES)
    shares = list(_shares(sources, max(1, wanted) if hasattr(os, "fork") else 1))
    started = [_start(share) for share in shares[1:]]
    found = [_compiled(one) for one in shares[0]]
    for share, (process, pipe) in zip(shares[1:], started, strict=True):
        made = _read(process, pipe, len(share))
        found += [_compiled(one) for one in share] if made is None else made
    return found


def _shares(sources: Sequence[Source], count: int) -> Iterator[Sequence[Source]]:
    """Divide modules into shares of about as many bytes, in their order."""
    whole = sum(len(one.data) for one in sources)
    start = done = number = 0
    for at, one in enumerate(sources):
        done += len(one.data)
        if done * count >= whole * (number + 1) and number < count - 1:
            yield sources[start : at + 1]
            start, number = at + 1, number + 1
    yield sources[start:]


def batches(sizes: Sequence[int]) -> Iterator[range]:
    """Yield which of several modules to have in memory at a time.

    :param sizes: bytes of their sources.
    """
    start = held = 0
    for at, size in enumerate(sizes):
        if held and held + size > _HELD_BYTES:
            yield range(start, at)
            start, held = at, 0
        held += size
    if start < len(sizes):
        yield range(start, len(sizes))


def _compiled(source: Source) -> bytes | NotCompilable:
    try:
        return compile_source(source.data, source.path, checked=source.checked)
    except NotCompilable as e:
        return e


def _start(share: Sequence[Source]) -> tuple[int, int]:
    """Start a process that compiles; return its number, and the pipe that it writes to."""
    reading, writing = os.pipe()
    process = os.fork()
    if process:
        os.close(writing)
        return process, reading
    status = 1
    try:
        os.close(reading)
        made = [one if isinstance(one, bytes) else str(one) for one in map(_compiled, share)]
        with os.fdopen(writing, "wb") as pipe:
            marshal.dump(made, pipe)
        status = 0
    finally:
        os._exit(status)  # not this process's: what the step has still to do, and to clean up


def _read(process: int, pipe: int, count: int) -> list[bytes | NotCompilable] | None:
    """Return what a process made, ``None`` where it ended before it had."""
    with os.fdopen(pipe, "rb") as file:
        data = file.read()
    _, status = os.waitpid(process, 0)
    made = marshal.loads(data) if status == 0 else ()  # noqa: S302 (written by this module)
    if len(made) != count:
        return None
    return [one if isinstance(one, bytes) else NotCompilable(one) for one in made]
