"""Parts of a base as folder trees, unpacked from Debian packages or from an image."""

from __future__ import annotations

from slim_python_image import engine
from slim_python_image.bases import Source
from slim_python_image.by_name import implicitly
from slim_python_image.products import TargetEnvironment, Tree, canonical_json
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.util_rules.debian import with_debs
from slim_python_image.util_rules.registry_blobs import fetch_layers, reading
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree


async def unpack(
    step: str, description: str, source: Source, target: TargetEnvironment, toolbox: Toolbox
) -> Tree:
    """Run a step that unpacks a part of a base for a target."""
    if isinstance(source, RemoteLayers):
        given: tuple[str, ...] = ("--layers", "layers.json")
        files = {"layers.json": canonical_json(source.request()), "target.json": target.to_json()}
        blobs = await fetch_layers(source, **implicitly())
        inputs = await engine.merge((blobs.digest, await engine.create_files(files)))
        toolbox = await reading(source.layers, toolbox)
    else:
        given = ("--debs", "debs")
        inputs = await with_debs(source, target=target.to_json())
    return await run_for_tree(
        StepRequest(
            step=step,
            arguments=(*given, "--target", "target.json", "--output", OUT),
            description=description,
            toolbox=toolbox,
            inputs=inputs,
            output_directories=(OUT,),
        )
    )
