"""What a build requires: what ``pyproject.toml`` says, and what the backend adds when asked (PEP 517)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from ociwheel.build.builder import Inputs, job_of
from ociwheel.build.crates import Crate, read_crates
from ociwheel.build.isolation import run_hook
from ociwheel.build.sdist_settings import Settings
from ociwheel.documents import read_error
from ociwheel.errors import LockError
from ociwheel.reading import Value, failing
from ociwheel.requirement import applies, parse_requirement
from ociwheel.sdist.unpack import build_system, unpack

_ERROR = re.compile(r"(error|fatal|[\w.]*(Error|Exception))\b", re.ASCII)
_TAIL = 8
"""Lines of a hook's output that a message quotes."""


@dataclass(frozen=True)
class Requirements:
    """What the build of one sdist requires, as far as it could be found out."""

    missing: tuple[str, ...]
    """Requirements that the wheels at hand do not satisfy; while there are any, nobody was asked."""
    failed: str | None = None
    """Why the backend could not say more than ``pyproject.toml`` does."""
    tail: tuple[str, ...] = ()
    """The end of what it said then."""
    isolation: str | None = None
    """What of the machine its hook was kept from, see :class:`ociwheel.build.isolation.Done`."""
    crates: tuple[Crate, ...] = ()
    """What cargo needs and the sdist does not bring."""


def requirements(inputs: Inputs, settings: Settings, work: Path) -> Requirements:
    """Ask an sdist what its build requires beside the wheels at hand.

    :param work: an empty folder, absolute.
    :raises BuildError: the sdist cannot be read, or the hook's process met a limit.
    :raises LockError: a requirement is none.
    """
    key = f"{settings.name}=={settings.version}"
    source = unpack(inputs.sdist, work / "src")
    system, have = build_system(source), _versions(inputs.requirements)
    missing = _unsatisfied(system.requires, have, key)
    if missing:
        return Requirements(missing)
    crates = read_crates(source).to_fetch if system.cargo else ()
    job = job_of(inputs, settings, asks=True)
    folder = work / "hook"
    folder.mkdir()
    done = run_hook(job, inputs.isolation, folder)
    if done.answer.error:
        raise read_error(Value(done.answer.error, "error", failing(LockError, key)), LockError)
    if done.answer.failed_hook:
        said = [line.rstrip() for line in done.lines if line.strip()]
        tail = tuple(said[-_TAIL:])
        return Requirements((), _reason(said), tail, done.isolation, crates)
    missing = _unsatisfied(done.answer.requires, have, key)
    return Requirements(missing, isolation=done.isolation, crates=crates)


def _versions(wheels: Sequence[Path]) -> dict[str, str]:
    found = {}
    for wheel in wheels:
        try:
            name, version, _, _ = parse_wheel_filename(wheel.name)
        except InvalidWheelFilename as e:
            raise LockError(f"is no wheel's name: {e}", where=wheel.name) from e
        found[str(name)] = str(version)
    return found


def _unsatisfied(required: Sequence[str], have: dict[str, str], where: str) -> tuple[str, ...]:
    result = []
    for text in required:
        try:
            parsed = parse_requirement(text)
            counts = applies(parsed)
        except InvalidRequirement as e:
            raise LockError(f"{text!r}, which its build requires, is no requirement", where=where) from e
        if not counts:
            continue
        version = have.get(canonicalize_name(parsed.name))
        if version is None or not parsed.specifier.contains(version, prereleases=True):
            result.append(text)
    return tuple(dict.fromkeys(result))


def _reason(said: Sequence[str]) -> str:
    """Return the line of a hook's output that says why it failed: the last error, or else the last line."""
    errors = [line.strip() for line in said if _ERROR.match(line.strip())]
    return [*(line.strip() for line in said[-1:]), *errors][-1] if said else "it said nothing"
