"""From a request to a lock of Debian packages: three closures per platform, and the file's format."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ociwheel.debian.compilers import GCC, gcc_package, not_of_gcc, runtime_of_c
from ociwheel.debian.lock_request import Request
from ociwheel.debian.policy import (
    BUILD_PROGRAMS,
    COMPILERS,
    COMPILERS_PATTERN,
    DATA_PACKAGES,
    DEFAULT_EXCLUDED,
    EMULATION_PROGRAMS,
    HOST_SYSROOT,
    INTERPRETER_EXCLUDED,
    MANYLINUX_LIBRARIES,
    PROGRAMS_EXCLUDED,
    RUST_PROGRAMS,
    partition,
)
from ociwheel.debian.pythons import check_loader, check_python, default_python
from ociwheel.debian.resolver import resolve
from ociwheel.documents import document
from ociwheel.errors import BaseError, ErrorCollector, FetchError
from ociwheel.platforms import PLATFORMS, Platform, platform

if TYPE_CHECKING:
    from ociwheel.debian.packages import Candidate, Universe

INTERPRETER_PLATFORMS = ("linux/amd64", "linux/arm64")
"""The machines that build: each lock has the interpreter for all of them."""


@dataclass(frozen=True)
class _Closures:
    """What one architecture needs."""

    runtime: tuple[Candidate, ...] = ()
    core: frozenset[str] = frozenset()
    builder: tuple[Candidate, ...] = ()
    interpreter: tuple[Candidate, ...] = ()
    groups: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """What a group adds to ``builder``."""
    images: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """What packages of images add to ``runtime``."""
    emulation: tuple[Candidate, ...] = ()
    tools: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """Programs for a machine that builds, by the package that was asked for."""
    compilers: Mapping[str, tuple[Candidate, ...]] = field(default_factory=dict)
    """Debian's gcc for a machine that builds, by target."""

    def all(self) -> Iterable[Candidate]:
        parts = (self.groups, self.images, self.tools, self.compilers)
        more = itertools.chain.from_iterable(closure for part in parts for closure in part.values())
        return (*self.runtime, *self.builder, *more, *self.emulation, *self.interpreter)


def build_lock(request: Request, load: Callable[[str], Universe]) -> dict[str, Any]:
    """Resolve a request and return the lock document.

    :param load: gives the packages of a Debian architecture over the request's suites.
    :raises BaseError: with the faults of all platforms.
    """
    errors = ErrorCollector()
    wanted = {*request.platforms, *INTERPRETER_PLATFORMS}
    closures: dict[str, _Closures] = {}
    minor = request.python or ""
    for row in (row for row in PLATFORMS if row.oci in wanted):
        try:
            universe = load(row.debian)
            minor = minor or default_python(universe)
            check_python(universe, minor, row)
            if row.oci in INTERPRETER_PLATFORMS:
                check_loader(universe, row)
            closures[row.oci] = _close(request, minor, row, universe, errors)
        except (BaseError, FetchError) as e:
            errors.add(e)
    errors.raise_if_any()
    check_rust(closures)
    return _document(request, minor, closures)


def _close(
    request: Request, minor: str, row: Platform, universe: Universe, errors: ErrorCollector
) -> _Closures:
    """Resolve the closures that a platform needs; faults go to ``errors``."""

    def closure(packages: Sequence[str], excluded: Iterable[str], what: str) -> tuple[Candidate, ...]:
        try:
            return resolve(universe, packages, excluded, f"{row.oci}, {what}")
        except BaseError as e:
            errors.add(e)
            return ()

    python = [f"python{minor}"]
    if universe.exists(f"python{minor}-distutils"):  # up to 3.11 Debian packs part of the library apart
        python.append(f"python{minor}-distutils")
    result = _Closures()
    if row.oci in INTERPRETER_PLATFORMS:
        result = _Closures(
            interpreter=closure([*python, *MANYLINUX_LIBRARIES], INTERPRETER_EXCLUDED, "interpreter"),
            tools=_tools(request, universe, closure),
            compilers=_compilers(request, row, universe, closure),
        )
    if row.oci in request.platforms:
        excluded = request.excluded_packages
        core = closure(python, excluded, "packages")
        runtime = closure([*python, *request.packages], excluded, "packages") if core else ()
        builder = _Builder(request, minor, universe, closure)
        own = builder.sysroot((), "builder_packages")
        result = _Closures(
            runtime=runtime,
            core=frozenset(c.name for c in core),
            builder=own,
            interpreter=result.interpreter,
            tools=result.tools,
            compilers=result.compilers,
            groups={name: builder.added(own, name, group) for name, group in request.builder_groups.items()},
            images={
                name: tuple(c for c in found if c not in runtime)
                for name, found in _images(request, python, row, universe, errors).items()
            }
            if runtime
            else {},
            emulation=builder.container(python),
        )
    return result


def _images(
    request: Request,
    python: Sequence[str],
    row: Platform,
    universe: Universe,
    errors: ErrorCollector,
) -> Mapping[str, tuple[Candidate, ...]]:
    """Return the runtime with packages of images.

    Where no image of the platform needs them, they may be missing: a machine of that platform that builds
    for another runs their programs where it can.
    """
    found: dict[str, tuple[Candidate, ...]] = {}
    for asked, needed in request.image_packages.items():
        roots = [*python, *request.packages, asked]
        where = f"{row.oci}, extra_packages {asked}"
        try:
            found[asked] = resolve(universe, roots, request.excluded_packages, where)
        except BaseError as e:
            if row.oci in needed:
                errors.add(e)
    return found


Closure = Callable[[Sequence[str], Iterable[str], str], tuple["Candidate", ...]]


def _tools(request: Request, universe: Universe, closure: Closure) -> Mapping[str, tuple[Candidate, ...]]:
    """Return what the machine that builds runs, by the package that was asked for."""
    programs = build_programs(request)
    found = {
        name: closure([name, *MANYLINUX_LIBRARIES], PROGRAMS_EXCLUDED, f"{name} for this machine")
        for name in programs
        if universe.exists(name)
    }
    if set(programs) & set(RUST_PROGRAMS):  # cargo runs what it compiles
        what = f"{HOST_SYSROOT} for this machine"
        found[HOST_SYSROOT] = closure(runtime_of_c(universe), _not_of_sysroots(universe), what)
    return found


def _compilers(
    request: Request, host: Platform, universe: Universe, closure: Closure
) -> Mapping[str, tuple[Candidate, ...]]:
    """Return Debian's gcc by target, where it is asked for."""
    if GCC not in request.compilers:
        return {}
    excluded = not_of_gcc(universe)
    return {
        name: closure([gcc_package(universe, host, platform(name))], excluded, f"gcc for {name}")
        for name in request.platforms
    }


def build_programs(request: Request) -> tuple[str, ...]:
    """Return the packages of programs that builds call on the machine that builds."""
    asked = {*request.builder_packages, *itertools.chain.from_iterable(request.builder_groups.values())}
    return (*BUILD_PROGRAMS, *sorted(asked & set(RUST_PROGRAMS)))


def _not_of_sysroots(universe: Universe) -> set[str]:
    """Return what no sysroot holds, though others depend on it."""
    compilers = {name for name in universe.names() if COMPILERS_PATTERN.fullmatch(name)}
    return {*DEFAULT_EXCLUDED, *DATA_PACKAGES, *COMPILERS, *compilers}


def _for_target(asked: Iterable[str]) -> list[str]:
    """Return builder packages with the target's library in the place of a program."""
    return [RUST_PROGRAMS.get(name, name) for name in asked]


def check_rust(closures: Mapping[str, _Closures]) -> None:
    """Check that rustc and the library of each target are of one version: it reads no other.

    :raises BaseError: they are not, as where the suites of two architectures are out of step.
    """
    libraries = set(RUST_PROGRAMS.values())
    found = {
        (c.name, c.version): where
        for where, one in closures.items()
        for c in one.all()
        if c.name in libraries
    }
    for name in sorted(libraries):
        versions = {version: where for (one, version), where in found.items() if one == name}
        if len(versions) > 1:
            raise BaseError(
                f"the suites have {name} in several versions, and rustc reads only its own",
                details=[f"{where}: {version}" for version, where in sorted(versions.items())],
                hint="leave the suite out that is out of step, such as the security one, or lock again later",
            )


@dataclass(frozen=True)
class _Builder:
    """Closes over what wheels are compiled against, and what compiles them where they are emulated."""

    request: Request
    minor: str
    universe: Universe
    closure: Closure

    @property
    def headers(self) -> list[str]:
        return [f"libpython{self.minor}-dev", *_for_target(self.request.builder_packages)]

    def sysroot(self, group: Sequence[str], what: str) -> tuple[Candidate, ...]:
        roots = [*runtime_of_c(self.universe), *self.headers, *_for_target(group)]
        return self.closure(roots, _not_of_sysroots(self.universe), what)

    def added(self, own: tuple[Candidate, ...], name: str, group: Sequence[str]) -> tuple[Candidate, ...]:
        """Return what a distribution's group has beside the base's own builder packages."""
        keys = {c.key for c in own}
        return tuple(c for c in self.sysroot(group, f"builder_packages of {name}") if c.key not in keys)

    def container(self, python: Sequence[str]) -> tuple[Candidate, ...]:
        """Return what the container of an emulated build is made of, nothing where the base has none."""
        wanted = self.request.emulation_packages
        if not wanted:
            return ()
        roots = [*python, *self.headers, *EMULATION_PROGRAMS, *wanted]
        return self.closure(roots, {*DEFAULT_EXCLUDED, *DATA_PACKAGES}, "emulation_packages")


def _document(request: Request, minor: str, closures: Mapping[str, _Closures]) -> dict[str, Any]:
    used = {c.key: c for closure in closures.values() for c in closure.all()}
    return document(
        "debian-lock",
        {
            "inputs": dict(request.inputs),
            "python": minor,
            "platforms": {name: _platform_entry(minor, name, closures[name]) for name in request.platforms},
            "interpreters": {
                name: [c.key for c in closures[name].interpreter] for name in INTERPRETER_PLATFORMS
            },
            "tools": {
                name: {program: [c.key for c in found] for program, found in closures[name].tools.items()}
                for name in INTERPRETER_PLATFORMS
            },
            **_compilers_entry(closures),
            "packages": {key: _package_entry(used[key]) for key in sorted(used)},
        },
    )


def _compilers_entry(closures: Mapping[str, _Closures]) -> dict[str, Any]:
    """Return the compilers by machine that builds and target; nothing where none are asked for."""
    found = {
        host: {target: [c.key for c in packages] for target, packages in closures[host].compilers.items()}
        for host in INTERPRETER_PLATFORMS
        if closures[host].compilers
    }
    return {"compilers": found} if found else {}


def _platform_entry(minor: str, name: str, closure: _Closures) -> dict[str, Any]:
    by_name = {c.name: c for c in closure.runtime}
    if "libc6" not in by_name:
        raise BaseError(
            "the runtime has no libc6", where=name, hint="take libc6 out of excluded_packages of the base"
        )
    groups = partition(tuple(by_name), closure.core, minor)
    # Absent where not asked for: a lock of a base without them stays as it is.
    optional = {
        "builder_groups": {name: [c.key for c in group] for name, group in closure.groups.items()},
        "image_packages": {name: [c.key for c in group] for name, group in closure.images.items()},
        "emulation": [c.key for c in closure.emulation],
    }
    return {
        "target": {
            "platform": name,
            "python": by_name[f"python{minor}"].upstream_version,
            "libc": "glibc",
            "libc_version": by_name["libc6"].upstream_version,
        },
        "layers": [
            {"title": g.title, "bytecode": g.bytecode, "packages": [by_name[n].key for n in g.packages]}
            for g in groups
        ],
        "builder": [c.key for c in closure.builder],
        **{key: value for key, value in optional.items() if value},
    }


def _package_entry(candidate: Candidate) -> dict[str, Any]:
    return {
        "name": candidate.name,
        "version": candidate.version,
        "architecture": candidate.architecture,
        "archive": candidate.archive,
        "path": candidate.path,
        "size": candidate.size,
        "sha256": candidate.sha256,
    }


def render_lock(lock: Mapping[str, Any]) -> bytes:
    """Return a lock as JSON whose differences read well: one package, or one key, per line."""
    return (_render(dict(lock), 0) + "\n").encode()


def _render(value: Any, depth: int) -> str:
    """Write containers of containers and lists over several lines, flat objects on one."""
    inner, outer = "  " * (depth + 1), "  " * depth
    if isinstance(value, list) and value:
        items = [inner + _render(item, depth + 1) for item in value]
        return "[\n" + ",\n".join(items) + f"\n{outer}]"
    if isinstance(value, dict) and any(isinstance(item, dict | list) for item in value.values()):
        pairs = [f"{inner}{_flat(key)}: {_render(value[key], depth + 1)}" for key in sorted(value)]
        return "{\n" + ",\n".join(pairs) + f"\n{outer}}}"
    return _flat(value)


def _flat(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
