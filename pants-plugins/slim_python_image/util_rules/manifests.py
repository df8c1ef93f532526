"""Manifest and index: only descriptors travel, and composing some KB of JSON starts no process."""

from __future__ import annotations

import hashlib
import json
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Iterable, Iterator

from pants.engine.fs import Digest

from ociwheel.errors import OciwheelError
from ociwheel.image.compose import compose_image, compose_index
from slim_python_image import engine
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.products import SlimImageError, StepInputs, canonical_json
from slim_python_image.remedies import render_fault
from slim_python_image.util_rules.core import CoreSources


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


def composed(step: str, request: str, code: str) -> StepInputs:
    """Return what a document was made from, in the words of steps: it is composed here, without a process.

    :param code: the fingerprint of the core's code for the step that does the same by hand.
    """
    files = {"request.json": hashlib.sha256(request.encode()).hexdigest()}
    made_from = {"step": step, "arguments": [], "files": files, "trees": {}, "code": code}
    nothing_else = {"libraries": None, "interpreter": None}
    return StepInputs(canonical_json({**made_from, **nothing_else}).decode())


@contextmanager
def _messages() -> Iterator[None]:
    """Turn the core's errors into the backend's."""
    try:
        yield
    except OciwheelError as e:
        raise SlimImageError(render_fault(json.dumps(e.to_json()))) from None


@rule
async def write_manifest(request: ManifestRequest, core: CoreSources) -> Manifest:
    with _messages():
        made = compose_image(json.loads(request.document))
    return Manifest(
        descriptor=canonical_json(made.document["manifest"]).decode(),
        document=canonical_json(made.document).decode(),
        blobs=await engine.create_files(made.files),
        inputs=composed("image", request.document, core.steps["image"].fingerprint),
    )


@rule
async def write_index(request: IndexRequest, core: CoreSources) -> Index:
    with _messages():
        made = compose_index(json.loads(request.document))
    return Index(
        digest=made.document["descriptor"]["digest"],
        layout=await engine.create_files(made.files),
        inputs=composed("index", request.document, core.steps["index"].fingerprint),
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
