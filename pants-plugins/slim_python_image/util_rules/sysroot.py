"""What builds stand on beside the compiler: headers and libraries of the target, programs of this machine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from slim_python_image.bases import DebPackages, Source
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.products import TargetEnvironment, Tree
from slim_python_image.util_rules.steps import Toolbox
from slim_python_image.util_rules.unpack import unpack


@dataclass(frozen=True)
class SysrootRequest:
    """Headers and libraries of a base's builder packages, or of its builder image."""

    target: TargetEnvironment
    source: Source


@dataclass(frozen=True)
class ProgramsRequest:
    """Programs that builds call on this machine, from Debian packages.

    :param target: this machine.
    :param libraries: what programs are linked to that they compile and run here, as cargo does.
    """

    target: TargetEnvironment
    source: DebPackages
    libraries: DebPackages | None = None


@dataclass(frozen=True)
class GccRequest:
    """Debian's own gcc for a platform, which runs on this machine.

    :param target: this machine.
    """

    target: TargetEnvironment
    source: DebPackages


@rule
async def unpack_sysroot(request: SysrootRequest, toolbox: Toolbox) -> Tree:
    title = f"Unpack headers and libraries for {request.target.platform}"
    return await unpack("sysroot", title, request.source, request.target, toolbox)


@rule
async def unpack_programs(request: ProgramsRequest, toolbox: Toolbox) -> Tree:
    return await unpack(
        "build-programs", "Unpack programs for builds", request.source, request.target, toolbox
    )


@rule
async def unpack_gcc(request: GccRequest, toolbox: Toolbox) -> Tree:
    return await unpack("gcc", "Unpack gcc for builds", request.source, request.target, toolbox)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
