"""Finds the build requirements of sdists, static and dynamic, and locks them."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from packaging.requirements import InvalidRequirement

from ociwheel.build.build_lock import BuildEnvironment, BuildLock, Pin, lockable_files, no_wheel
from ociwheel.build.isolation import Isolation, Job, run_hook
from ociwheel.build.pip_resolver import PipResolver, ResolutionError, Resolved, missing_requirement
from ociwheel.documents import read_error
from ociwheel.errors import ErrorCollector, LockError, OciwheelError, UsageError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.notes import warn
from ociwheel.platforms import platform
from ociwheel.reading import Value, failing
from ociwheel.requirement import parse_requirement
from ociwheel.sdist.unpack import build_system, unpack

_FILENAME = re.compile(r"[^./\\\0][^/\\\0]{0,254}")
_ERROR = re.compile(r"(error|fatal|[\w.]*(Error|Exception))\b", re.ASCII)
_ROUNDS = 3  # requirements that name requirements: two rounds settle all known backends


@dataclass(frozen=True)
class LockedSdist:
    """An sdist to lock."""

    name: str
    version: str
    sha256: str
    path: Path

    @property
    def key(self) -> str:
        """``name==version``."""
        return f"{self.name}=={self.version}"


@dataclass
class RequirementsLock:
    """Locks the build requirements of many sdists for one Python."""

    client: IndexClient
    work: Path
    python: str
    """Minor version, that of the running interpreter."""
    constraints: Mapping[str, Sequence[str]]
    previous: BuildLock
    emulated: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Platforms in whose containers an sdist is built, by its name."""
    tools: Path | None = None
    """What the ``tools`` step made: hooks get a root of their own with it."""
    isolation: Isolation = field(default_factory=Isolation)
    wheels: dict[str, Path] = field(default_factory=dict)

    def lock(self, wanted: Sequence[LockedSdist], minors: Sequence[str] | None) -> BuildLock:
        """Return the previous lock with the rows of this Python made anew.

        :param minors: Pythons that the lock is for; rows of others are dropped.
        :raises LockError: what cannot be locked, all of it.
        """
        errors = ErrorCollector()
        rows = []
        for number, sdist in enumerate(sorted(wanted, key=lambda s: s.key)):
            try:
                pins = self._pins(sdist, self.work / str(number))
                rows.append(BuildEnvironment(sdist.key, sdist.sha256, self.python, pins))
            except OciwheelError as e:
                errors.add(
                    LockError(
                        e.what, where=e.where or sdist.key, hint=e.remedy, details=e.details, errors=e.errors
                    )
                )
        errors.raise_if_any()
        lock = self.previous.with_python(self.python, rows, minors)
        return BuildLock(lock.environments, self._files(lock))

    def _pins(self, sdist: LockedSdist, work: Path) -> tuple[Pin, ...]:
        source = unpack(sdist.path, work / "src")
        system = build_system(source)
        limits = list(self.constraints.get(sdist.name, ()))
        before = [str(pin) for pin in self.previous.pins_of(sdist.key, self.python)]
        required = list(system.requires)
        for number in range(_ROUNDS):
            resolved = self._resolve(required, limits, before, sdist.key)
            folder = work / str(number)
            folder.mkdir()
            dynamic = self._ask(sdist, [self._wheel(r) for r in resolved], folder)
            new = [r for r in dynamic if r not in required]
            pins = tuple(sorted(r.pin for r in resolved))
            if all(_satisfied(r, pins) for r in new):
                return pins
            required += new
        raise LockError("its build requirements never settle", where=sdist.key, details=required)

    def _ask(self, sdist: LockedSdist, wheels: Sequence[Path], work: Path) -> tuple[str, ...]:
        """Return what the sdist's backend says that it requires: nothing, and a warning, where it cannot say.

        :raises LockError: its build ended before it could be asked.
        """
        job = Job(
            where=sdist.key,
            sdist=sdist.path,
            requirements=tuple(wheels),
            minor=(int(self.python[0]), int(self.python[2:])),
            settings={"name": sdist.name, "version": sdist.version},
            tools=self.tools,
        )
        done = run_hook(job, self.isolation, work)
        if done.answer.error:
            raise read_error(Value(done.answer.error, "error", failing(LockError, sdist.key)), LockError)
        if done.answer.failed_hook:
            # It may want a header or a program that builds have and locking has not.
            warn(
                f"{sdist.key}: its build backend cannot say what it requires beyond its pyproject.toml "
                f"({_reason(done.lines)}). Should its build fail, an old sdist may want old tools: name them "
                "in its `constraints`"
            )
            return ()
        return done.answer.requires

    def _resolve(
        self, required: Sequence[str], limits: Sequence[str], before: Sequence[str], where: str
    ) -> tuple[Resolved, ...]:
        """Resolve with what was locked before, where that still fits, so that locks are stable."""
        resolver = PipResolver(self.client.settings, self.work / "pip")
        if before:
            try:
                return resolver.resolve(required, [*limits, *before])
            except ResolutionError:
                pass  # what was locked no longer fits: resolve anew
        try:
            return resolver.resolve(required, limits)
        except ResolutionError as e:
            text = str(e)
            missing = missing_requirement(text)
            if missing and self._has_sdist(missing):
                error = no_wheel(missing, has_sdist=True)
                raise error.again(where=where) from e
            raise LockError(
                f"pip cannot satisfy its build requirements {', '.join(required)}",
                where=where,
                details=[f"constraints: {', '.join(limits) or 'none'}", *text.splitlines()[-15:]],
            ) from e

    def _has_sdist(self, requirement: str) -> bool:
        try:
            parsed = parse_requirement(requirement)
        except InvalidRequirement:
            return False
        offered = [f for o in self.client.offers(parsed.name) for f in o.files]
        return any(f.filename.endswith((".tar.gz", ".zip")) for f in offered)

    def _wheel(self, resolved: Resolved) -> Path:
        if resolved.sha256 not in self.wheels:
            folder = self.work / "wheels" / resolved.sha256
            folder.mkdir(parents=True)
            pin = resolved.pin
            wanted = Wanted(pin.name, pin.version, resolved.filename, resolved.sha256)
            fetch_artifact(self.client, wanted, folder)
            self.wheels[resolved.sha256] = folder / resolved.filename
        return self.wheels[resolved.sha256]

    def _files(self, lock: BuildLock) -> dict[str, tuple[Mapping[str, object], ...]]:
        pythons: dict[Pin, set[str]] = {}
        machines: dict[Pin, set[str]] = {}
        for row in lock.environments:
            platforms = self.emulated.get(row.sdist.partition("==")[0], ())
            for pin in row.pins:
                pythons.setdefault(pin, set()).add(row.python)
                machines.setdefault(pin, set()).update(platform(name).machine for name in platforms)
        files: dict[str, tuple[Mapping[str, object], ...]] = {}
        for pin, minors in sorted(pythons.items()):
            offered: list[IndexFile] = [f for o in self.client.offers(pin.name) for f in o.files]
            files[str(pin)] = lockable_files(pin, sorted(minors), offered, machines[pin])
        return files


def _reason(lines: Sequence[str]) -> str:
    """Return the line of a hook's output that says why it failed: the last error, or else the last line."""
    said = [line.strip() for line in lines if line.strip()]
    errors = [line for line in said if _ERROR.match(line)]
    return [*said[-1:], *errors][-1] if said else "it said nothing"


def _satisfied(requirement: str, pins: Sequence[Pin]) -> bool:
    parsed = parse_requirement(requirement)
    if parsed.marker and not parsed.marker.evaluate():
        return True
    name = re.sub(r"[-_.]+", "-", parsed.name).lower()
    return any(p.name == name and parsed.specifier.contains(p.version, prereleases=True) for p in pins)


def read_sdists(request: Value, folder: Path) -> list[LockedSdist]:
    """Return the sdists that a request names, found below ``folder`` and verified.

    :raises UsageError: one is not there or has another hash.
    """
    result = []
    for row in request.at("sdists").items():
        filename = row.at("filename").matching(_FILENAME, "the name of a file")
        path = folder / filename
        if not path.is_file():
            raise UsageError(f"there is no {filename}", where=str(folder))
        sha256 = row.at("sha256").sha256()
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != (row.optional("content", Value.sha256) or sha256):
            raise UsageError("is not the file that was locked: its SHA-256 differs", where=filename)
        result.append(LockedSdist(row.at("name").text(), row.at("version").text(), sha256, path.absolute()))
    return result
