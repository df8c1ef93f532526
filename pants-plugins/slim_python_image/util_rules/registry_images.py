"""Base images of registries, looked into and unpacked."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Iterable

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import TargetEnvironment, Tree, canonical_json
from slim_python_image.registry_products import RemoteLayer, RemoteLayers
from slim_python_image.util_rules.registry_blobs import fetch_layers, reading
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree, run_step


@dataclass(frozen=True)
class LayerFactsRequest:
    """List the files of one layer."""

    layer: RemoteLayer
    place: str
    resolve: str


@dataclass(frozen=True)
class LayerFacts:
    """A layer's ``layer-facts.json``."""

    digest: Digest


@dataclass(frozen=True)
class LearnRequest:
    """Look at an image.

    :param document: the core's request, as JSON.
    """

    layers: RemoteLayers
    document: str
    platform: str


@dataclass(frozen=True)
class Learned:
    """The core's ``base-image`` document, as JSON."""

    document: str

    def fields(self) -> dict[str, Any]:
        """Return the document."""
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class ImageTreeRequest:
    """Unpack a part of an image: ``image-sysroot`` or ``image-interpreter``."""

    step: str
    image: RemoteLayers
    target: TargetEnvironment


@rule
async def list_layer(request: LayerFactsRequest, toolbox: Toolbox) -> LayerFacts:
    layer = request.layer
    blobs = await fetch_layers(RemoteLayers((layer,), request.place, request.resolve), **implicitly())
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
async def learn_image(request: LearnRequest, toolbox: Toolbox) -> Learned:
    outcome = await run_step(
        StepRequest(
            step="image-learn",
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
    return Learned(canonical_json(outcome.fields()).decode())


@rule
async def unpack_image(request: ImageTreeRequest, toolbox: Toolbox) -> Tree:
    what = "headers and libraries" if request.step == "image-sysroot" else f"Python {request.target.python}"
    return await run_for_tree(
        StepRequest(
            step=request.step,
            arguments=(
                *("--layout", ".", "--request", "request.json"),
                *("--target", "target.json", "--output", OUT),
            ),
            description=f"Unpack {what} of the base image for {request.target.platform}",
            toolbox=await reading(request.image.layers, toolbox),
            inputs=await engine.merge(
                (
                    (await fetch_layers(request.image, **implicitly())).digest,
                    await engine.create_files(
                        {
                            "request.json": canonical_json(request.image.request()),
                            "target.json": request.target.to_json(),
                        }
                    ),
                )
            ),
            output_directories=(OUT,),
        )
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
