"""The last line of defence: whatever ends a step becomes one short message, a document, and an exit code."""

from __future__ import annotations

import errno
import hashlib
import os
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path

from ociwheel.documents import canonical, document
from ociwheel.errors import InternalError, MachineError, OciwheelError, ToolError, UsageError
from ociwheel.reading import parse_json
from ociwheel.remedies import Remedy, Render, in_words

VARIABLE = "OCIWHEEL_ERRORS"
"""``text``: errors are messages alone, where standard output is somebody else's, such as a container's."""
WORDS = "OCIWHEEL_REMEDIES"
"""A file with words for remedies: of a step that has the user's terminal, nobody else renders the error."""
_TRY_AGAIN = "give this machine more, then try again"
_OF_THE_MACHINE: Mapping[int, tuple[str, str]] = {
    errno.ENOSPC: ("no space is left on the disk", "free some space, then try again"),
    errno.EDQUOT: ("the disk quota is used up", "free some space, then try again"),
    errno.EMFILE: ("too many files are open", "raise the limit of open files (ulimit -n), then try again"),
    errno.ENFILE: ("too many files are open on this machine", "close some programs, then try again"),
    errno.EROFS: ("the file system is read-only", "name a folder that can be written to"),
    errno.EACCES: ("this user may not read or write it", "look at the rights of the file and its folders"),
    errno.EPERM: ("this user may not do that", "look at the rights of the file and its folders"),
    errno.ENAMETOOLONG: (
        "the name of a file is longer than this machine takes",
        "use a folder with a shorter path",
    ),
    errno.EIO: ("the disk cannot be read or written", "look at the disk's health and the kernel's log"),
}
_OF_AN_ARGUMENT: Mapping[type[OSError], str] = {
    FileNotFoundError: "there is no such file or folder",
    IsADirectoryError: "it is a folder; a file is expected",
    NotADirectoryError: "it is no folder",
}


def error_of(step: str, fault: BaseException, given: Sequence[str] = ()) -> OciwheelError:
    """Return the error that a user reads for whatever ended a step.

    :param given: the step's arguments.
    """
    if isinstance(fault, OciwheelError):
        return fault
    if isinstance(fault, MemoryError):
        return MachineError(f"the step {step} got no more memory", hint=_TRY_AGAIN)
    if isinstance(fault, ModuleNotFoundError) and not str(fault.name).startswith("ociwheel"):
        hint = "put the libraries of ociwheel/tools.lock on the path: see docs/reference/steps.md"
        return ToolError(f"the library {fault.name!r} is not there", where=f"the step {step}", hint=hint)
    if isinstance(fault, OSError) and fault.errno is not None and fault.errno in _OF_THE_MACHINE:
        what, hint = _OF_THE_MACHINE[fault.errno]
        return MachineError(
            what, where=str(fault.filename) if fault.filename else f"the step {step}", hint=hint
        )
    if isinstance(fault, OSError) and _is_of(fault, given):
        return UsageError(_OF_AN_ARGUMENT[type(fault)], where=str(fault.filename))
    return _internal(step, fault)


def _is_of(fault: OSError, given: Sequence[str]) -> bool:
    """Tell whether a fault is that of a path that an argument names, and not of one that a step made up."""
    if type(fault) not in _OF_AN_ARGUMENT or not isinstance(fault.filename, (str, os.PathLike)):
        return False
    named = (text.partition("=")[2] if text.startswith("--") else text for text in given)
    return Path(fault.filename) in {Path(text) for text in named if text}


def _internal(step: str, fault: BaseException) -> InternalError:
    met = "something that nobody foresaw"
    if isinstance(fault, RecursionError):
        met = "an input that is nested more deeply than it can follow"
    return InternalError(
        f"the step {step} met {met}: {_kind(fault)}{_raised_at(fault)}",
        where="internal error",
        details=[f"{_kind(fault)}: {str(fault)[:300]}", *_trace_file(step, fault)],
        hint="please report it, with these lines and the file",
    )


def _kind(fault: BaseException) -> str:
    return type(fault).__name__


def _raised_at(fault: BaseException) -> str:
    """Return where it was raised, in this package if it went through it: module and line."""
    frames = traceback.extract_tb(fault.__traceback__, limit=-50)
    own = [frame for frame in frames if "ociwheel" in Path(frame.filename).parts]
    frame = own[-1] if own else frames[-1] if frames else None
    if frame is None:
        return ""
    parts = Path(frame.filename).parts
    shown = "/".join(parts[parts.index("ociwheel") :]) if "ociwheel" in parts else parts[-1]
    return f" at {shown}:{frame.lineno}"


def _trace_file(step: str, fault: BaseException) -> list[str]:
    """Write the trace where it outlives the sandbox, and return the line that says where."""
    try:
        # Frames of a deep recursion say the same thing a thousand times.
        text = "".join(traceback.format_exception(fault, limit=-50))
        name = f"ociwheel-{step}-{hashlib.sha256(text.encode(errors='replace')).hexdigest()[:12]}-"
        handle, path = tempfile.mkstemp(prefix=name, suffix=".trace")
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
    except OSError:
        return ["the trace could not be written"]
    return [f"the trace is in {path}"]


def _render() -> Render:
    """Return what renders remedies: the words in the file that whoever runs the step has left for it."""
    path = os.environ.get(WORDS)
    if not path:
        return Remedy.render
    try:
        return in_words(parse_json(Path(path).read_bytes()))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Remedy.render


def report(step: str, fault: BaseException, given: Sequence[str] = ()) -> int:
    """Print an error for people on standard error and its document, for programs, on standard output.

    :param given: the step's arguments.
    :returns: the exit code.
    """
    error = error_of(step, fault, given)
    sys.stderr.write(f"error: {error.render(_render())}\n")
    if os.environ.get(VARIABLE) != "text" and not sys.stdout.isatty():
        sys.stdout.buffer.write(canonical(document("error", error.to_json())))
        sys.stdout.buffer.flush()
    return error.exit_code
