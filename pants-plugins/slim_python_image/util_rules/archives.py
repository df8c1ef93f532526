"""Layouts packed into one file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step, zstd_toolbox


@dataclass(frozen=True)
class ArchiveRequest:
    """Pack a layout into one file.

    :param zstd: whether some of its layers are compressed with zstd.
    """

    layout: Digest
    format: str
    references: tuple[str, ...]
    platform: str | None
    filename: str
    zstd: bool = False


@dataclass(frozen=True)
class Archive:
    """An archive's file, at the root of ``digest``."""

    digest: Digest


@rule
async def pack(request: ArchiveRequest, toolbox: Toolbox) -> Archive:
    references = tuple(part for reference in request.references for part in ("--tag", reference))
    only = ("--platform", request.platform) if request.platform else ()
    outcome = await run_step(
        StepRequest(
            step="archive",
            arguments=(
                *("--layout", "layout", "--format", request.format),
                *references,
                *only,
                *("--output", request.filename),
            ),
            description=f"Pack {request.filename}",
            toolbox=await zstd_toolbox() if request.zstd else toolbox,
            inputs=await engine.add_prefix(request.layout, "layout"),
            output_files=(request.filename,),
        ),
        **implicitly(),
    )
    outcome.fields()
    return Archive(outcome.digest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
