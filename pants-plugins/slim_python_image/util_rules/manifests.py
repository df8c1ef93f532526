"""Manifest and index: only descriptors travel."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import StepInputs, canonical_json
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_step, step_inputs


@dataclass(frozen=True)
class ManifestRequest:
    """Write config and manifest of one platform."""

    document: str
    platform: str


@dataclass(frozen=True)
class Manifest:
    """One platform's manifest: its descriptor, and config and manifest as blobs."""

    descriptor: str
    document: str
    blobs: Digest
    inputs: StepInputs = StepInputs()


@dataclass(frozen=True)
class IndexRequest:
    """Write the index over the platforms' manifests."""

    document: str


@dataclass(frozen=True)
class Index:
    """The index's digest, and index.json, oci-layout and its blob."""

    digest: str
    layout: Digest
    inputs: StepInputs = StepInputs()


@rule
async def write_manifest(request: ManifestRequest, toolbox: Toolbox) -> Manifest:
    step = StepRequest(
        step="image",
        arguments=("--request", "request.json", "--output", OUT),
        description=f"Write the manifest for {request.platform}",
        toolbox=toolbox,
        inputs=await engine.create_files({"request.json": request.document.encode()}),
        output_directories=(OUT,),
    )
    outcome = await run_step(step, **implicitly())
    fields = outcome.fields()
    return Manifest(
        descriptor=canonical_json(fields["manifest"]).decode(),
        document=canonical_json(fields).decode(),
        blobs=await engine.remove_prefix(outcome.digest, OUT),
        inputs=await step_inputs(step, **implicitly()),
    )


@rule
async def write_index(request: IndexRequest, toolbox: Toolbox) -> Index:
    step = StepRequest(
        step="index",
        arguments=("--request", "request.json", "--output", OUT),
        description="Write the index",
        toolbox=toolbox,
        inputs=await engine.create_files({"request.json": request.document.encode()}),
        output_directories=(OUT,),
    )
    outcome = await run_step(step, **implicitly())
    digest = outcome.fields()["descriptor"]["digest"]
    layout = await engine.remove_prefix(outcome.digest, OUT)
    return Index(digest, layout, await step_inputs(step, **implicitly()))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
