"""One build from start to end: unpack, prepare, compile, check, pack."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from ociwheel.build import sdist as sdists
from ociwheel.build.backend import Backend, HookError, base_environment, make_environment
from ociwheel.build.build_systems import merged, write_build_system_files
from ociwheel.build.checks import BuiltWheel
from ociwheel.build.diagnose import Context, check_requirements, diagnose
from ociwheel.build.finish import finish
from ociwheel.build.rust import check_rust, write_rust
from ociwheel.build.settings import Settings
from ociwheel.build.target_python import write_target_python
from ociwheel.build.wrappers import WANTS_CXX, Toolchain, compiler_environment, write_wrappers


class CxxNeededError(Exception):
    """The build compiles C++: it has to start anew with a runtime that holds libc++.

    Whether it ended well does not count: a setup.py may leave out an extension that does not compile.
    """


@dataclass(frozen=True)
class Inputs:
    """The content that a build depends on."""

    sdist: Path
    requirements: tuple[Path, ...]
    toolchain: Toolchain
    tools: Path | None = None
    """Programs for builds, what the ``tools`` step made; without it, those of this machine."""
    host_runtime: Path | None = None
    """What the ``zig-libc`` step made for this machine: cargo compiles programs that it runs."""


def build(inputs: Inputs, settings: Settings, work: Path, output: Path) -> BuiltWheel:
    """Build one wheel.

    :param work: an empty folder, absolute.
    :param output: the folder that gets the wheel.
    :raises BuildError: it does not build, or builds less than it should.
    :raises CxxNeededError: it holds C++, and the toolchain has no libc++.
    """
    target = inputs.toolchain.target
    where = f"{settings.name} {settings.version} for {target.platform.oci}, Python {target.python_minor}"
    source = sdists.unpack(inputs.sdist, work / "src")
    system = sdists.build_system(source)
    context = Context(where, settings.resolve, settings.base, target)
    if system.cargo:
        check_rust(inputs.tools, inputs.toolchain, source, where)
    sources = sdists.native_sources(source)
    environment = make_environment(work, inputs.requirements, target.python)
    check_requirements(system, environment.site_packages, context)
    binaries = work / "cross/bin"
    log = write_wrappers(inputs.toolchain, environment.python, binaries, work)
    variables = {
        **base_environment(environment, [binaries, *([inputs.tools / "usr/bin"] if inputs.tools else [])]),
        **write_target_python(inputs.toolchain.sysroot, target, work / "cross/python"),
        **compiler_environment(target),
    }
    extra = write_build_system_files(system, inputs.toolchain, environment, binaries, work / "cross/files")
    variables |= extra.variables
    if system.cargo and inputs.tools and inputs.host_runtime:
        variables |= write_rust(
            *(inputs.tools, inputs.host_runtime, inputs.toolchain),
            python=environment.python,
            binaries=binaries,
            folder=work / "rust",
        )
    variables |= settings.env
    backend = Backend(source, system, environment, variables)
    try:
        made = backend.build_wheel(work / "wheel", merged(extra.config_settings, settings.config_settings))
    except HookError as e:
        failure = diagnose(e.output, context)
        raise (CxxNeededError() if log.with_name(WANTS_CXX).exists() else failure) from e
    if log.with_name(WANTS_CXX).exists():
        raise CxxNeededError
    forbidden = {str(work), str(work.resolve()), str(inputs.toolchain.zig), str(inputs.toolchain.sysroot)}
    forbidden |= {str(inputs.tools)} if inputs.tools else set()
    compiled = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
    return finish(
        made,
        output,
        settings=settings,
        where=where,
        target=target,
        sources=sources,
        compiled=compiled,
        forbidden=sorted(forbidden),
        lines=backend.log,
    )
