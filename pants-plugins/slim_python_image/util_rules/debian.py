"""Debian packages: fetched by hash, a chunk of them by one process; and unpacked into layers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable, Sequence

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.bases import DebPackage, DebPackages
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.remedies import names
from slim_python_image.util_rules.debian_chunks import chunks
from slim_python_image.util_rules.steps import OUT, StepRequest, run_step

REQUEST_SCHEMA = "ociwheel.debs/1"
_REQUEST = "request.json"
_MOST_LISTED = 100
"""Characters of the names in a title: Pants cuts what is longer than 200 in all."""


@dataclass(frozen=True)
class DebFiles:
    """Several packages' files in one folder."""

    digest: Digest


def chunk_document(chunk: Iterable[DebPackage]) -> bytes:
    """Return what the step that fetches packages is told: what finds and verifies them, and no more."""
    rows = [
        {"archive": one.archive, "path": one.path, "size": one.size, "sha256": one.sha256} for one in chunk
    ]
    return canonical_json({"schema": REQUEST_SCHEMA, "packages": rows})


def chunk_title(chunk: Sequence[DebPackage], resolve: str) -> str:
    """Return what is said while packages are fetched.

    :param resolve: the base that asks.
    """
    first = chunk[0]
    if len(chunk) == 1:
        return f"Fetch {first.name} {first.version} ({first.architecture})"
    listed = [one.name for one in chunk]
    while len(listed) > 1 and len(", ".join(listed)) > _MOST_LISTED:
        listed.pop()
    more = f" and {len(chunk) - len(listed)} more" if len(listed) < len(chunk) else ""
    return (
        f"Fetch {len(chunk)} Debian packages of {resolve} ({first.architecture}): {', '.join(listed)}{more}"
    )


@rule
async def fetch_debs(request: DebPackages) -> DebFiles:
    parts = chunks(request.packages)
    documents = [await engine.create_files({_REQUEST: chunk_document(chunk)}) for chunk in parts]
    outcomes = await concurrently(
        run_step(
            StepRequest(
                step="fetch-debs",
                arguments=("--request", _REQUEST, "--output", OUT),
                description=chunk_title(chunk, request.resolve),
                # It imports Python's standard library alone, and waits for no toolbox.
                toolbox=None,
                inputs=document,
                output_directories=(OUT,),
            ),
            **implicitly(),
        )
        for chunk, document in zip(parts, documents)
    )
    known = names(base=request.resolve)
    failed = [text for outcome in outcomes for text in outcome.errors(known)]
    if failed:
        raise SlimImageError("\n".join(failed))
    merged = await engine.merge(outcome.digest for outcome in outcomes)
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
