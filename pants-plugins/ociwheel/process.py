"""The one door for subprocesses."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import ToolError

TAIL_LINES = 40


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
) -> Completed:
    """Run a command with exactly ``env`` as its environment and wait for it.

    :raises ToolError: the program is not there; ``install_hint`` says how to get it.
    """
    try:
        done = subprocess.run(
            list(argv),
            env=dict(env),
            cwd=cwd,
            input=stdin,
            stdin=None if stdin is not None else subprocess.DEVNULL,
            capture_output=True,
            check=False,
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
    return Completed(
        done.returncode,
        done.stdout.decode(errors="replace"),
        done.stderr.decode(errors="replace"),
    )
