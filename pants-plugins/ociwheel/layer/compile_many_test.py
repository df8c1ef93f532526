"""Modules that are compiled side by side: the same bytes, in the same order, whatever becomes of a process."""

from __future__ import annotations

import os
import signal

import pytest

from ociwheel.layer import compile_many as module
from ociwheel.layer.bytecode import NotCompilable, compile_source
from ociwheel.layer.compile_many import Source, batches, compile_many

SOURCES = [
    Source(
        f"NAME{n} = {{'a', 'b{n}', 'join'}}\n".encode() + b"x = 'zeta'\n" * (n * 700),
        f"app/m{n}.py",
        n % 2 == 0,
    )
    for n in range(20)
]
BROKEN = Source(b"print 'two'\n", "app/broken.py")


@pytest.fixture
def forked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return the numbers of the processes that are started."""
    started: list[int] = []
    fork = os.fork

    def noting() -> int:
        number = fork()
        if number:
            started.append(number)
        return number

    monkeypatch.setattr(os, "fork", noting)
    return started


@pytest.mark.parametrize("workers", [1, 2, 3, 4])
def test_the_bytes_are_those_of_one_process(workers: int, forked: list[int]) -> None:
    sources = [*SOURCES[:7], BROKEN, *SOURCES[7:], BROKEN]
    found = compile_many(sources, workers)
    assert len(forked) == workers - 1
    for source, made in zip(sources, found, strict=True):
        if source is BROKEN:
            assert isinstance(made, NotCompilable)
            assert str(made).startswith("SyntaxError: Missing parentheses")
        else:
            assert made == compile_source(source.data, source.path, checked=source.checked)
    for number in forked:
        with pytest.raises(ChildProcessError):
            os.waitpid(number, os.WNOHANG)


def test_little_is_compiled_by_this_process(forked: list[int]) -> None:
    assert len(compile_many(SOURCES[:3], 4)) == 3
    assert compile_many([], 4) == []
    assert forked == []


def test_what_a_process_did_not_make_is_made_here(monkeypatch: pytest.MonkeyPatch, forked: list[int]) -> None:
    here, compiled = os.getpid(), module._compiled

    def dying(source: Source) -> bytes | NotCompilable:
        if os.getpid() != here:
            os.kill(os.getpid(), signal.SIGKILL)
        return compiled(source)

    monkeypatch.setattr(module, "_compiled", dying)
    assert compile_many(SOURCES, 3) == [compiled(one) for one in SOURCES]
    assert len(forked) == 2


def test_a_wheel_is_not_held_as_a_whole() -> None:
    mib = 1 << 20
    assert list(batches([mib, 2 * mib, mib, mib, 9 * mib, 1])) == [
        range(3),
        range(3, 4),
        range(4, 5),
        range(5, 6),
    ]
    assert list(batches([9 * mib])) == [range(1)]
    assert list(batches([])) == []
