"""The one door for subprocesses."""

from __future__ import annotations

import contextlib
import errno
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import ToolError

TAIL_LINES = 40
_WATCH = 2.0
"""Seconds between two looks at a command."""


@dataclass(frozen=True)
class Completed:
    """What a subprocess left: its exit code and its two streams, decoded."""

    returncode: int
    stdout: str
    stderr: str

    def tail(self, lines: int = TAIL_LINES) -> tuple[str, ...]:
        """Return the last lines of standard output followed by those of standard error."""
        out = self.stdout.rstrip().splitlines()[-lines:]
        err = self.stderr.rstrip().splitlines()[-lines:]
        return (*out, *err)


def run(
    argv: Sequence[str],
    *,
    env: Mapping[str, str],
    cwd: Path | None = None,
    stdin: bytes | None = None,
    install_hint: str | None = None,
    watch: Callable[[], None] | None = None,
) -> Completed:
    """Run a command with exactly ``env`` as its environment and wait for it.

    :param watch: called every two seconds; what it raises ends the command.
    :raises ToolError: the program is not there; ``install_hint`` says how to get it.
    """
    try:
        started = subprocess.Popen(
            list(argv),
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.PIPE if stdin is not None else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
    except FileNotFoundError as e:
        raise ToolError(f"the program {argv[0]!r} is not there", hint=install_hint) from e
    except (PermissionError, NotADirectoryError, ValueError) as e:
        # A ValueError: a zero byte in an argument.
        raise ToolError(f"the program {argv[0]!r} cannot be started: {e}", hint=install_hint) from e
    except OSError as e:
        if e.errno not in (errno.ENOEXEC, errno.E2BIG):
            raise
        raise ToolError(f"the program {argv[0]!r} cannot be started: {e.strerror}") from e
    try:
        stdout, stderr = _communicate(started, stdin, watch)
    except BaseException:
        _end(started)
        raise
    return Completed(started.returncode, stdout.decode(errors="replace"), stderr.decode(errors="replace"))


def _communicate(
    started: subprocess.Popen[bytes], stdin: bytes | None, watch: Callable[[], None] | None
) -> tuple[bytes, bytes]:
    while True:
        try:
            return started.communicate(stdin, timeout=_WATCH if watch else None)
        except subprocess.TimeoutExpired:
            if watch:
                watch()


def _end(started: subprocess.Popen[bytes]) -> None:
    """End a command: asked first, so that it can end what it has started itself."""
    for pipe in (started.stdin, started.stdout, started.stderr):
        if pipe:
            with contextlib.suppress(OSError):
                pipe.close()
    started.terminate()
    try:
        started.wait(_WATCH)
    except subprocess.TimeoutExpired:
        started.kill()
        started.wait()
