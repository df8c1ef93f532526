"""One build from start to end: unpack, prepare, compile, check, pack."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ociwheel.build import sdist as sdists
from ociwheel.build.backend import Backend, HookError, base_environment, make_environment
from ociwheel.build.build_systems import write_build_system_files
from ociwheel.build.checks import BuiltWheel, check_not_dropped, check_wheel, read_wheel
from ociwheel.build.diagnose import Context, check_requirements, diagnose
from ociwheel.build.repack import repack
from ociwheel.build.target_python import write_target_python
from ociwheel.build.wrappers import Toolchain, compiler_environment, write_wrappers
from ociwheel.errors import BuildError, UsageError
from ociwheel.layer.target import Target


@dataclass(frozen=True)
class Settings:
    """What the user says of one sdist."""

    name: str
    version: str
    env: Mapping[str, str] = field(default_factory=dict)
    config_settings: Mapping[str, Any] = field(default_factory=dict)
    pure: bool = False
    resolve: str = "<resolve>"
    """Name of the resolve, for the command in messages."""
    base: str = "the base"
    """Address of the base, for messages."""

    @staticmethod
    def from_json(value: Any, where: str) -> Settings:
        """Return the settings that a JSON object holds.

        :raises UsageError: it is no such object.
        """
        known = {f.name for f in dataclasses.fields(Settings)}
        if not isinstance(value, dict) or not {"name", "version"} <= set(value) <= known:
            raise UsageError(f"expected an object with name, version and any of {sorted(known)}", where=where)
        return Settings(**value)


@dataclass(frozen=True)
class Inputs:
    """The content that a build depends on."""

    sdist: Path
    requirements: tuple[Path, ...]
    toolchain: Toolchain


def build(inputs: Inputs, settings: Settings, work: Path, output: Path) -> BuiltWheel:
    """Build one wheel.

    :param work: an empty folder, absolute.
    :param output: the folder that gets the wheel.
    :raises BuildError: it does not build, or builds less than it should.
    """
    target = inputs.toolchain.target
    where = f"{settings.name} {settings.version} for {target.platform.oci}, Python {target.python_minor}"
    source = sdists.unpack(inputs.sdist, work / "src")
    system = sdists.build_system(source)
    context = Context(where, settings.resolve, settings.base, target)
    if system.cargo:
        raise BuildError(
            "it is written in Rust, and no builder has cargo yet",
            where=where,
            hint="choose a version that has a wheel for this platform, or leave it out",
        )
    sources = sdists.native_sources(source)
    environment = make_environment(work, inputs.requirements, target.python)
    check_requirements(system, environment.site_packages, context)
    binaries = work / "cross/bin"
    log = write_wrappers(inputs.toolchain, environment.python, binaries, work)
    variables = {
        **base_environment(environment, [binaries]),
        **write_target_python(inputs.toolchain.sysroot, target, work / "cross/python"),
        **compiler_environment(target),
    }
    extra = write_build_system_files(system, inputs.toolchain, environment, binaries, work / "cross/files")
    variables |= {**extra.variables, **settings.env}
    backend = Backend(source, system, environment, variables)
    try:
        made = backend.build_wheel(work / "wheel", {**extra.config_settings, **settings.config_settings})
    except HookError as e:
        raise diagnose(e.output, context) from e
    forbidden = {str(work), str(work.resolve()), str(inputs.toolchain.zig), str(inputs.toolchain.sysroot)}
    compiled = len(log.read_text(encoding="utf-8").splitlines()) if log.exists() else 0
    return _finish(
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


def _finish(
    made: Path,
    output: Path,
    *,
    settings: Settings,
    where: str,
    target: Target,
    sources: Sequence[str],
    compiled: int,
    forbidden: Sequence[str],
    lines: Sequence[str],
) -> BuiltWheel:
    """Check what the backend made and pack it anew."""
    packed = output / made.name
    repack(made, packed)
    wheel = read_wheel(packed, settings.name, settings.version)
    try:
        if not settings.pure:
            check_not_dropped(wheel, sources, compiled, where)
        check_wheel(wheel, target, where, forbidden, lines)
    except BuildError as e:
        packed.unlink()
        raise BuildError(
            e.what,
            where=e.where,
            hint=e.hint,
            details=[*e.details, "end of the build's output:", *lines[-30:]],
        ) from e
    return wheel
