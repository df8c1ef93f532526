"""Steps that write a layer."""

from __future__ import annotations

from dataclasses import replace

from slim_python_image import engine
from slim_python_image.by_name import implicitly
from slim_python_image.products import GZIP, Layer, canonical_json
from slim_python_image.util_rules.steps import OUT, StepRequest, run_step, step_inputs, zstd_toolbox


async def make_layer(request: StepRequest, compression: str) -> Layer:
    """Run a step that writes a layer to ``out``.

    What the default compression makes knows nothing of others: its key does not name one.
    """
    if compression != GZIP:
        arguments = (*request.arguments, "--compression", compression)
        request = replace(request, arguments=arguments, toolbox=await zstd_toolbox())
    outcome = await run_step(request, **implicitly())
    fields = outcome.fields()
    files = await engine.remove_prefix(outcome.digest, OUT)
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
        inputs=await step_inputs(request, **implicitly()),
    )
