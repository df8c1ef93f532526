"""The part of a build that runs in a root of its own: it unpacks, prepares, and calls the backend's hook.

It runs as ``main(REQUEST)`` in a process of its own, whose request and answer are JSON files. Everything in
here, this code as well, is at the backend's mercy: who started it trusts nothing of what it leaves.
"""

from __future__ import annotations

import json
import os
import re
import resource
import sys
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

from ociwheel.build.backend import Backend, Environment, HookError, base_environment, make_environment
from ociwheel.build.build_systems import merged, write_build_system_files
from ociwheel.build.diagnose import Context, check_requirements
from ociwheel.build.meson_dependencies import lacking
from ociwheel.build.numpy_headers import write_sizes
from ociwheel.build.offered_settings import OPTION, VARIABLE, offered
from ociwheel.build.pkgconfig import Sysroot
from ociwheel.build.rust import RustInputs, RustPlaces, check_rust, write_rust
from ociwheel.build.sdist_settings import Settings
from ociwheel.build.target_python import write_target_python
from ociwheel.build.wrappers import WANTS_CXX, Toolchain, compiler_environment, write_wrappers
from ociwheel.documents import read_value
from ociwheel.errors import BuildError, OciwheelError
from ociwheel.reading import Value
from ociwheel.remedies import Remedy
from ociwheel.sdist.unpack import BuildSystem, build_system, native_sources, unpack
from ociwheel.target import Target

ANSWER = "answer.json"
_PROCESSES = 8192
_WHEEL = re.compile(r"[^./\\\0][^/\\\0]{0,250}\.whl")


@dataclass(frozen=True)
class Request:
    """What is to be done; every path is absolute."""

    sdist: str
    requirements: tuple[str, ...]
    work: str
    """An empty folder."""
    output: str
    """The folder for the wheel and the answer."""
    minor: tuple[int, int]
    """The Python that runs hooks."""
    memory: int
    """Bytes that one process may have."""
    namespace: bool
    """It runs in a user namespace of its own."""
    settings: Settings
    tools: str | None = None
    cross: Mapping[str, str] = field(default_factory=dict)
    """``target``, ``zig``, ``sysroot`` and perhaps ``zig_runtime``, ``gcc``, ``host_sysroot``,
    ``crates``."""
    asks: bool = False
    """Only what the build requires is asked for."""

    @staticmethod
    def read(path: Path) -> Request:
        """Read a request that :meth:`write` wrote."""
        value = read_value(path)
        value.only(*(one.name for one in fields(Request)))
        minor = [number.integer() for number in value.at("minor").items()]
        if len(minor) != 2:
            raise value.at("minor").error("expected two numbers")
        return Request(
            sdist=value.at("sdist").text(),
            requirements=value.at("requirements").texts(),
            work=value.at("work").text(),
            output=value.at("output").text(),
            minor=(minor[0], minor[1]),
            memory=value.at("memory").integer(),
            namespace=value.at("namespace").boolean(),
            settings=Settings.parse(value.at("settings")),
            tools=value.optional("tools", Value.text),
            cross=value.at("cross").text_members(),
            asks=value.at("asks").boolean(),
        )

    def write(self, path: Path) -> None:
        """Write it for :meth:`read`."""
        path.write_text(json.dumps(asdict(self)), encoding="utf-8")


@dataclass(frozen=True)
class Answer:
    """What a hook gave."""

    wheel: str | None = None
    """The name of a file in the output folder."""
    requires: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    """The sdist's files to compile."""
    compiled: int = 0
    """How many source files the compiler was called for."""
    needs_cxx: bool = False
    failed_hook: bool = False
    """The end of the output tells why."""
    lacks: tuple[str, ...] = ()
    """What a failed build asks pkg-config for besides, and the sysroot lacks."""
    options: tuple[str, ...] = ()
    """Those of meson that the sdist of a failed build offers, as :class:`Offered` has them."""
    variables: tuple[str, ...] = ()
    """Those that its ``setup.py`` reads."""
    error: Mapping[str, Any] = field(default_factory=dict)
    """An error that needs no further reading, as a document without its schema."""

    @staticmethod
    def read(value: Value) -> Answer:
        """Return what :func:`main` wrote, or what the backend wrote in its place."""
        error = value.maybe("error")
        return Answer(
            wheel=value.optional("wheel", lambda name: name.matching(_WHEEL, "the name of a wheel")),
            requires=value.at("requires").texts(),
            sources=value.at("sources").texts(),
            compiled=value.at("compiled").integer(),
            needs_cxx=value.at("needs_cxx").boolean(),
            failed_hook=value.at("failed_hook").boolean(),
            lacks=value.at("lacks").texts(),
            options=tuple(one.matching(OPTION, "an option") for one in value.at("options").items()),
            variables=tuple(one.matching(VARIABLE, "a variable") for one in value.at("variables").items()),
            error=error.raw if error and error.members() else {},
        )


def answer(request: Request) -> Answer:
    """Do what a request says.

    :raises OciwheelError: it cannot even be started.
    """
    settings = request.settings
    work = Path(request.work)
    source = unpack(Path(request.sdist), work / "src")
    system = build_system(source)
    if request.asks:
        return _requires(request, settings, source, system)
    return _build(request, settings, source, system)


def _environment(request: Request) -> Environment:
    return make_environment(Path(request.work), [Path(w) for w in request.requirements], request.minor)


def _programs(request: Request) -> list[Path]:
    return [Path(request.tools) / "usr/bin"] if request.tools and not request.namespace else []


@dataclass(frozen=True)
class _Prepared:
    """A backend whose hooks can be called, against the target."""

    backend: Backend
    config_settings: Mapping[str, object]
    log: Path
    """The sources that the compiler was called for, one a line."""


def _requires(request: Request, settings: Settings, source: Path, system: BuildSystem) -> Answer:
    ready = _prepare(request, settings, source, system, _environment(request))
    try:
        return Answer(requires=tuple(ready.backend.requirements(ready.config_settings)))
    except HookError as e:
        return _failed(e)


def _failed(error: HookError) -> Answer:
    sys.stdout.writelines(f"{line}\n" for line in error.output)
    return Answer(failed_hook=True)


def _build(request: Request, settings: Settings, source: Path, system: BuildSystem) -> Answer:
    toolchain, where = _toolchain(request), _where(request, settings)
    if toolchain.gcc and not request.namespace:
        raise BuildError(
            "Debian's gcc runs in a root of its own alone, which this machine gives no build",
            where=where,
            hint=Remedy.text("look at the warning above, or build it with clang"),
        )
    if system.cargo:
        crates = Path(request.cross["crates"]) if "crates" in request.cross else None
        tools = Path(request.tools) if request.tools else None
        check_rust(RustInputs(toolchain, tools, crates, settings.resolve), source, where)
        if "host_sysroot" not in request.cross:
            raise BuildError(
                "cargo compiles programs that it runs, and the lock of the base has no libc for them",
                where=where,
                hint=Remedy("relock-base"),
            )
    sources = native_sources(source)
    environment = _environment(request)
    context = Context(where, settings.resolve, settings.base, toolchain.target)
    check_requirements(system, environment.site_packages, context)
    ready = _prepare(request, settings, source, system, environment)
    log = ready.log
    # Whether it ended well does not count: a setup.py may leave out an extension that does not compile.
    wants_cxx = log.with_name(WANTS_CXX)
    try:
        made = ready.backend.build_wheel(Path(request.output), ready.config_settings)
    except HookError as e:
        if wants_cxx.exists():
            return Answer(needs_cxx=True)
        sysroot = Sysroot(str(toolchain.sysroot), toolchain.target.platform.triplet)
        lacks, offers = lacking(source, sysroot) if system.meson else (), offered(source)
        return replace(_failed(e), lacks=lacks, options=offers.options, variables=offers.variables)
    if wants_cxx.exists():
        return Answer(needs_cxx=True)
    compiled = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
    return Answer(made.name, (), sources, compiled)


def _toolchain(request: Request) -> Toolchain:
    cross = request.cross
    target = Target.read(Path(cross["target"]))
    runtime = Path(cross["zig_runtime"]) if "zig_runtime" in cross else None
    gcc = Path(cross["gcc"]) if "gcc" in cross else None
    return Toolchain(Path(cross["zig"]), Path(cross["sysroot"]), target, runtime, gcc)


def _where(request: Request, settings: Settings) -> str:
    target = Target.read(Path(request.cross["target"]))
    return f"{settings.name} {settings.version} for {target.platform.oci}, Python {target.python_minor}"


def _prepare(
    request: Request, settings: Settings, source: Path, system: BuildSystem, environment: Environment
) -> _Prepared:
    """Write what every hook finds: compilers, pkg-config, the target's Python, files of build systems."""
    work, cross, toolchain = Path(request.work), request.cross, _toolchain(request)
    target = toolchain.target
    tools = Path(request.tools) if request.tools else None
    binaries = work / "cross/bin"
    log = write_wrappers(toolchain, environment.python, binaries, work)
    variables = {
        **base_environment(environment, [binaries, *_programs(request)]),
        **write_target_python(toolchain.sysroot, target, work / "cross/python"),
        **compiler_environment(target),
    }
    write_sizes(environment.site_packages, target.platform)
    extra = write_build_system_files(system, toolchain, environment, binaries, work / "cross/files")
    variables |= extra.variables
    if system.cargo and tools and "host_sysroot" in cross and (tools / "usr/bin/cargo").is_file():
        places = RustPlaces(source, environment.python, binaries, work / "rust", settings.env)
        crates = Path(cross["crates"]) if "crates" in cross else None
        variables |= write_rust(tools, Path(cross["host_sysroot"]), toolchain, places, crates)
    backend = Backend(source, system, environment, {**variables, **settings.env}, echo=True)
    return _Prepared(backend, merged(extra.config_settings, settings.config_settings), log)


def _limit(request: Request) -> None:
    """Bound what one process may take, before the memory of all is looked at."""
    for kind, bound in (
        (resource.RLIMIT_DATA, request.memory),
        (resource.RLIMIT_CORE, 0),
        # Counted for this namespace alone; elsewhere it would count all that the user runs.
        *(((resource.RLIMIT_NPROC, _PROCESSES),) if request.namespace else ()),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(
            kind, (bound, bound) if hard == resource.RLIM_INFINITY else (min(bound, hard),) * 2
        )


def main(path: str) -> None:
    """Do what the request at a path says, and leave the answer."""
    request = Request.read(Path(path))
    os.umask(0o022)
    _limit(request)
    try:
        result = answer(request)
    except OciwheelError as e:
        result = Answer(error=e.to_json())
    (Path(request.output) / ANSWER).write_text(json.dumps(asdict(result)), encoding="utf-8")
