"""Debian packages: fetched by hash, and unpacked into layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.bases import DebPackage, DebPackages
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import SlimImageError
from slim_python_image.remedies import names
from slim_python_image.util_rules.steps import OUT, StepOutcome, StepRequest, Toolbox, run_step


@dataclass(frozen=True)
class FetchedDeb:
    """A Debian package's file, or why there is none."""

    outcome: StepOutcome


@dataclass(frozen=True)
class DebFiles:
    """Several packages' files in one folder."""

    digest: Digest


@rule
async def fetch_deb(package: DebPackage, toolbox: Toolbox) -> FetchedDeb:
    outcome = await run_step(
        StepRequest(
            step="fetch-deb",
            arguments=(
                "--archive",
                package.archive,
                "--path",
                package.path,
                "--size",
                str(package.size),
                "--sha256",
                package.sha256,
                "--output",
                OUT,
            ),
            description=f"Fetch {package.name} {package.version} ({package.architecture})",
            toolbox=toolbox,
            output_directories=(OUT,),
        ),
        **implicitly(),
    )
    return FetchedDeb(outcome)


@rule
async def fetch_debs(request: DebPackages) -> DebFiles:
    fetched = await concurrently(fetch_deb(one, **implicitly()) for one in request.packages)
    known = names(base=request.resolve)
    failed = [str(deb.outcome.naming(known).error) for deb in fetched if deb.outcome.error is not None]
    if failed:
        raise SlimImageError("\n".join(failed))
    merged = await engine.merge(deb.outcome.digest for deb in fetched)
    return DebFiles(await engine.remove_prefix(merged, OUT))


async def with_debs(packages: DebPackages, **files: bytes) -> Digest:
    """Return a sandbox's input: the packages in ``debs``, and named JSON files."""
    debs = await fetch_debs(packages, **implicitly())
    folder = await engine.add_prefix(debs.digest, "debs")
    named = await engine.create_files({f"{name}.json": data for name, data in files.items()})
    return await engine.merge((folder, named))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
