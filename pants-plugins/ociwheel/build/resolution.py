"""Which versions, and which files of them, satisfy what a build requires: asked of pip and the index."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from packaging.requirements import InvalidRequirement

from ociwheel.build.build_lock import Pin, lockable_files, no_wheel
from ociwheel.build.pip_resolver import PipResolver, ResolutionError, Resolved, missing_requirement
from ociwheel.errors import LockError
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.requirement import parse_requirement


@dataclass(frozen=True)
class Question:
    """What is to be satisfied for one sdist."""

    where: str
    """``name==version``."""
    required: tuple[str, ...]
    constraints: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    """Pins of the lock so far, which stay where they still fit, so that locks are stable."""
    machines: tuple[str, ...] = ()
    """Further machines than those that build, where builds are emulated."""


@dataclass(frozen=True)
class Resolution:
    """Pins, and the wheels of each that some machine that builds can install."""

    pins: tuple[Pin, ...]
    files: Mapping[str, tuple[Mapping[str, object], ...]]


@dataclass(frozen=True)
class Resolver:
    """Answers for one Python.

    :param python: its minor version, that of the running interpreter.
    :param work: an empty folder.
    """

    client: IndexClient
    work: Path
    python: str

    def resolve(self, question: Question) -> Resolution:
        """Return the pins that satisfy a question, with their files.

        :raises LockError: there are none, or one has no wheel.
        """
        pins = tuple(sorted(found.pin for found in self._pins(question)))
        try:
            return Resolution(pins, {str(pin): self._files(pin, question.machines) for pin in pins})
        except LockError as e:
            raise e.again(where=question.where) from e

    def _pins(self, question: Question) -> tuple[Resolved, ...]:
        pip, limits = PipResolver(self.client.settings, self.work / "pip"), list(question.constraints)
        if question.before:
            try:
                return pip.resolve(question.required, [*limits, *question.before])
            except ResolutionError:
                pass  # what was locked no longer fits: resolve anew
        try:
            return pip.resolve(question.required, limits)
        except ResolutionError as e:
            text = str(e)
            missing = missing_requirement(text)
            if missing and self._has_sdist(missing):
                error = no_wheel(missing, has_sdist=True)
                raise error.again(where=question.where) from e
            raise LockError(
                f"pip cannot satisfy its build requirements {', '.join(question.required)}",
                where=question.where,
                details=[f"constraints: {', '.join(limits) or 'none'}", *text.splitlines()[-15:]],
            ) from e

    def _has_sdist(self, requirement: str) -> bool:
        try:
            parsed = parse_requirement(requirement)
        except InvalidRequirement:
            return False
        return any(f.filename.endswith((".tar.gz", ".zip")) for f in self._offered(parsed.name))

    def _files(self, pin: Pin, machines: Sequence[str]) -> tuple[Mapping[str, object], ...]:
        return lockable_files(pin, [self.python], self._offered(pin.name), machines)

    def _offered(self, name: str) -> list[IndexFile]:
        return [file for offer in self.client.offers(name) for file in offer.files]
