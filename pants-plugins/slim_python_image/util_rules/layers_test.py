from __future__ import annotations

import asyncio
from typing import Any

import pytest
from pants.engine.fs import EMPTY_DIGEST, Digest

from slim_python_image import engine
from slim_python_image.products import StepInputs, canonical_json
from slim_python_image.util_rules import layer_steps
from slim_python_image.util_rules.steps import StepOutcome, StepRequest, Toolbox

OTHER = Toolbox(Digest("1" * 64, 1))
REQUEST = StepRequest("wheel-layer", ("--output", "out"), "Layer x", Toolbox(EMPTY_DIGEST))
DOCUMENT = {
    "descriptor": {
        "mediaType": "application/vnd.oci.image.layer.v1.tar+zstd",
        "digest": "sha256:0",
        "size": 1,
    },
    "unpacked_size": 2,
    "elf_files": 0,
    "title": "x",
}


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[StepRequest]:
    """Return the steps that run."""
    steps: list[StepRequest] = []

    async def run_step(request: StepRequest, **_: object) -> StepOutcome:
        steps.append(request)
        return StepOutcome(canonical_json(DOCUMENT).decode(), EMPTY_DIGEST)

    async def same(digest: Digest, *_: Any) -> Digest:
        return digest

    async def inputs(_: StepRequest, **__: object) -> StepInputs:
        return StepInputs()

    async def zstd_toolbox() -> Toolbox:
        return OTHER

    for name in ("remove_prefix", "subset"):
        monkeypatch.setattr(engine, name, same)
    stand_ins = {"run_step": run_step, "step_inputs": inputs, "zstd_toolbox": zstd_toolbox}
    for name, stand_in in stand_ins.items():
        monkeypatch.setattr(layer_steps, name, stand_in)
    return steps


def test_a_step_that_writes_several_layers(asked: list[StepRequest], monkeypatch: pytest.MonkeyPatch) -> None:
    places: list[str] = []

    async def run_step(request: StepRequest, **_: object) -> StepOutcome:
        asked.append(request)
        one, other = {**DOCUMENT, "title": "x, part 1 of 2"}, {**DOCUMENT, "title": "x, part 2 of 2"}
        document = {"layers": [one, other], "notes": ["a large file"]}
        return StepOutcome(canonical_json(document).decode(), EMPTY_DIGEST)

    async def subset(digest: Digest, *globs: str) -> Digest:
        places.extend(globs)
        return digest

    monkeypatch.setattr(layer_steps, "run_step", run_step)
    monkeypatch.setattr(engine, "subset", subset)
    layers = asyncio.run(layer_steps.make_bounded(REQUEST, "gzip", 1 << 20)).layers
    assert [(one.step, one.arguments) for one in asked] == [
        ("wheel-layers", ("--output", "out", "--max-size", "1048576"))
    ]
    assert [layer.title for layer in layers] == ["x, part 1 of 2", "x, part 2 of 2"]
    assert [layer.fields().get("notes") for layer in layers] == [["a large file"], None]
    assert [place for place in places if place.startswith("out/")] == ["out/000/**", "out/001/**"]


def test_without_a_bound_a_step_writes_one_layer(asked: list[StepRequest]) -> None:
    (layer,) = asyncio.run(layer_steps.make_bounded(REQUEST, "gzip", None)).layers
    assert (asked, layer.title) == ([REQUEST], "x")


def test_what_gzip_makes_has_nothing_of_other_compressions_in_its_key(asked: list[StepRequest]) -> None:
    asyncio.run(layer_steps.make_layer(REQUEST, "gzip"))
    assert asked == [REQUEST]


def test_zstd_has_its_own_arguments_and_libraries(asked: list[StepRequest]) -> None:
    layer = asyncio.run(layer_steps.make_layer(REQUEST, "zstd"))
    (step,) = asked
    assert step.arguments == (*REQUEST.arguments, "--compression", "zstd")
    assert step.toolbox == OTHER
    assert layer.zstd
