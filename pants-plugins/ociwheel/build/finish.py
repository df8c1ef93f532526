"""The end of every build, cross or emulated: what the backend made is checked and packed anew."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ociwheel.build.checks import BuiltWheel, check_not_dropped, check_wheel, read_wheel
from ociwheel.build.diagnose import Context, explain
from ociwheel.build.own_paths import without_build_paths
from ociwheel.build.repack import repack
from ociwheel.build.sdist_settings import Settings
from ociwheel.build.undeclared import check_undeclared
from ociwheel.errors import BuildError
from ociwheel.target import Target


def finish(
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
    sysroot: Path | None = None,
) -> BuiltWheel:
    """Check what the backend made and pack it anew.

    :param made: the backend's wheel.
    :param output: the folder that gets the wheel.
    :param where: package and platform, for messages.
    :param sources: the sdist's files to compile.
    :param compiled: how many source files the compiler was called for.
    :param forbidden: folders that may not stand in any file of the wheel.
    :param lines: what the backend printed.
    :param sysroot: of a cross build, what it was linked with.
    :raises BuildError: it is not what it should be; the output folder then has no wheel.
    """
    packed = output / made.name
    repack(made, packed, lambda name, data: without_build_paths(name, data, forbidden))
    wheel = read_wheel(packed, settings.name, settings.version)
    try:
        if not settings.pure:
            check_not_dropped(wheel, sources, compiled, where)
        check_wheel(wheel, target, where, forbidden, lines)
        if sysroot:
            check_undeclared(wheel, sysroot, target.platform, where, lines)
    except BuildError as e:
        packed.unlink()
        error = explain(e, lines, Context(where, settings.resolve, settings.base, target))
        raise BuildError(
            error.what,
            where=error.where,
            hint=error.remedy,
            errors=error.errors,
            details=[*error.details, "end of the build's output:", *lines[-30:]],
        ) from e
    return wheel
