"""Steps that write layers."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from pants.engine.fs import Digest

from slim_python_image import engine
from slim_python_image.by_name import implicitly
from slim_python_image.products import GZIP, Layer, Layers, StepInputs, canonical_json
from slim_python_image.util_rules.steps import OUT, StepRequest, run_step, step_inputs, zstd_toolbox


async def make_layer(request: StepRequest, compression: str) -> Layer:
    """Run a step that writes a layer to ``out``."""
    request = await _compressing(request, compression)
    outcome = await run_step(request, **implicitly())
    fields = outcome.fields()
    inputs = await step_inputs(request, **implicitly())
    return await _layer(fields, await engine.remove_prefix(outcome.digest, OUT), inputs)


async def make_bounded(request: StepRequest, compression: str, max_size: int | None) -> Layers:
    """Run a step that writes a layer, or its twin that divides what would be larger.

    The twin has the step's name with an `s`, and writes to ``out/000``, ``out/001`` and so on.

    :param max_size: bytes of a layer, ``None`` for one layer of any size.
    """
    if max_size is None:
        return Layers((await make_layer(request, compression),))
    bound = ("--max-size", str(max_size))
    request = replace(request, step=f"{request.step}s", arguments=(*request.arguments, *bound))
    request = await _compressing(request, compression)
    outcome = await run_step(request, **implicitly())
    fields = outcome.fields()
    inputs = await step_inputs(request, **implicitly())
    found = []
    for number, document in enumerate(fields["layers"]):
        folder = f"{OUT}/{number:03}"
        files = await engine.remove_prefix(await engine.subset(outcome.digest, f"{folder}/**"), folder)
        notes = fields.get("notes", ()) if number == 0 else ()
        found.append(await _layer({**document, **({"notes": list(notes)} if notes else {})}, files, inputs))
    return Layers(tuple(found))


async def _compressing(request: StepRequest, compression: str) -> StepRequest:
    """Return the request for a compression.

    What the default compression makes knows nothing of others: its key does not name one.
    """
    if compression == GZIP:
        return request
    arguments = (*request.arguments, "--compression", compression)
    return replace(request, arguments=arguments, toolbox=await zstd_toolbox())


async def _layer(fields: Mapping[str, Any], files: Digest, inputs: StepInputs) -> Layer:
    """Return a layer.

    :param fields: its document.
    :param files: what its step wrote of it.
    """
    return Layer(
        document=canonical_json(fields).decode(),
        digest=fields["descriptor"]["digest"],
        size=fields["descriptor"]["size"],
        unpacked_size=fields["unpacked_size"],
        elf_files=fields["elf_files"],
        title=fields["title"],
        blobs=await engine.subset(files, "blobs/**"),
        facts=await engine.subset(files, "layer-facts.json"),
        names=await engine.subset(files, "layer-names.json"),
        packages=await engine.subset(files, "layer-packages.json"),
        inputs=inputs,
    )
