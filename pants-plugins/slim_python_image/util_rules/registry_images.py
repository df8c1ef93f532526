"""Base images of others, looked into."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import canonical_json
from slim_python_image.remote_layers import RemoteLayer, RemoteLayers
from slim_python_image.util_rules.registry_blobs import fetch_layers, reading
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree, run_step


@dataclass(frozen=True)
class LayerFactsRequest:
    """List the files of one layer."""

    layer: RemoteLayer
    image_name: str
    resolve: str


@dataclass(frozen=True)
class LayerFacts:
    """A layer's ``layer-facts.json``."""

    digest: Digest


@dataclass(frozen=True)
class InspectImageRequest:
    """Look at an image.

    :param document: the core's request, as JSON.
    """

    layers: RemoteLayers
    document: str
    platform: str


@dataclass(frozen=True)
class InspectedImage:
    """The core's ``base-image`` document, as JSON."""

    document: str

    def fields(self) -> dict[str, Any]:
        """Return the document."""
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@rule
async def list_layer(request: LayerFactsRequest, toolbox: Toolbox) -> LayerFacts:
    layer = request.layer
    blobs = await fetch_layers(RemoteLayers((layer,), request.image_name, request.resolve), **implicitly())
    made = await run_for_tree(
        StepRequest(
            step="blob-facts",
            arguments=("--blob", layer.path, "--diff-id", layer.diff_id, "--output", OUT),
            description=f"List base layer {layer.digest[:19]}",
            toolbox=await reading((layer,), toolbox),
            inputs=blobs.digest,
            output_directories=(OUT,),
        )
    )
    return LayerFacts(made.digest)


@rule
async def inspect_image(request: InspectImageRequest, toolbox: Toolbox) -> InspectedImage:
    outcome = await run_step(
        StepRequest(
            step="inspect-image",
            arguments=("--layout", ".", "--request", "request.json"),
            description=f"Find Python and libc of the base image for {request.platform}",
            toolbox=await reading(request.layers.layers, toolbox),
            inputs=await engine.merge(
                (
                    (await fetch_layers(request.layers, **implicitly())).digest,
                    await engine.create_files({"request.json": request.document.encode()}),
                )
            ),
        ),
        **implicitly(),
    )
    return InspectedImage(canonical_json(outcome.fields()).decode())


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
