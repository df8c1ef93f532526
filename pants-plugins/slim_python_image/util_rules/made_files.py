"""The layer of files that the base's own programs make of what its packages brought."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.util.frozendict import FrozenDict

from ociwheel.debian.makers import MAKING_PACKAGES
from slim_python_image.bases import DebianBase, DebPackages
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import GZIP, Layer, SlimImageError
from slim_python_image.util_rules.build_programs import programs_for
from slim_python_image.util_rules.debian import with_debs
from slim_python_image.util_rules.layer_steps import make_layer
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox
from slim_python_image.util_rules.sysroot import ProgramsRequest, unpack_programs

_TOOLS = ".ociwheel/programs"


@dataclass(frozen=True)
class MadeFilesRequest:
    """Run the programs of a base that make files.

    :param platform: the image's.
    :param packages: the base's, of the platform whose programs this machine runs.
    :param programs: what gives them a root of their own; ``None`` where none was locked.
    """

    platform: str
    packages: DebPackages
    programs: ProgramsRequest | None
    accept_scripts: tuple[str, ...]
    compression: str = GZIP

    @classmethod
    def of(cls, base: DebianBase, compression: str) -> MadeFilesRequest:
        """Return the request of a base.

        :raises SlimImageError: the lock has no packages that this machine runs.
        """
        making = [name for name in _making(base) if name not in base.accept_scripts]
        if not base.made_with:
            runs = base.interpreter.target.platform
            raise SlimImageError(
                f"{', '.join(making)} of {base.resolve} makes files when it is installed, and the base has "
                f"no {runs}, whose programs this machine could run to make them\n"
                f"  -> add {runs} to `platforms` of the base and lock it again, or do without these files: "
                f"accept_scripts={making!r}"
            )
        return cls(
            base.target.platform,
            DebPackages(base.made_with, base.resolve),
            programs_for(base, ()),
            base.accept_scripts,
            compression,
        )


def _making(base: DebianBase) -> list[str]:
    return sorted({package.name for package in base.packages} & MAKING_PACKAGES)


def makes_files(base: DebianBase) -> bool:
    """Tell whether programs of a base are to be run."""
    return not set(_making(base)) <= set(base.accept_scripts)


@rule
async def made_files(request: MadeFilesRequest, toolbox: Toolbox) -> Layer:
    trees = {}
    if request.programs is not None:
        trees[_TOOLS] = (await unpack_programs(request.programs, **implicitly())).digest
    names = {package.name for package in request.packages.packages}
    accepted = [name for name in request.accept_scripts if name in names & MAKING_PACKAGES]
    return await make_layer(
        StepRequest(
            step="made-files",
            arguments=(
                *("--debs", "debs", "--platform", request.platform),
                *(("--tools", _TOOLS) if trees else ()),
                *(part for name in accepted for part in ("--accept-scripts", name)),
                *("--output", OUT),
            ),
            description=f"Layer made files ({request.platform})",
            toolbox=toolbox,
            inputs=await with_debs(request.packages),
            trees=FrozenDict(trees),
            output_directories=(OUT,),
        ),
        request.compression,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
