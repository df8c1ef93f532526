"""What is asked of the engine in one go: steps that need nothing of each other do not wait for each other."""

from __future__ import annotations

from typing import Any, Callable, Coroutine

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.internals.selectors import Get
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image import products as p
from slim_python_image.util_rules.image import image_layers, platform_image

PLATFORM = "linux/amd64"
TARGET = p.TargetEnvironment(PLATFORM, "3.11.2", "glibc", "2.36")
BASE = p.Base("base", TARGET, (), (), p.Interpreter("base", TARGET, ()))
PARENT, CHILD = Address("service", target_name="image"), Address("spark", target_name="image")
CONFIG = p.ImageConfig((), (), FrozenDict(), "nonroot", "/app", (), (), FrozenDict(), None)


def parts(address: Address, extends: Address | None) -> p.ImageParts:
    return p.ImageParts(
        address=address,
        base=Address("base"),
        extends=extends,
        platforms=(PLATFORM,),
        roots=(),
        resolve="python-default",
        lockfile="default.lock",
        no_binary=(),
        only_binary=(),
        options=p.LayerOptions("/app", "unchecked-hash", ()),
        layer_budget=10,
        sources=EMPTY_DIGEST,
        files=EMPTY_DIGEST,
        local_wheels=(),
        scripts=(),
        config=CONFIG,
        accept=(),
    )


PARTS = {PARENT: parts(PARENT, None), CHILD: parts(CHILD, PARENT)}


def answer(get: Any) -> Any:
    request = get.inputs[0]
    if isinstance(request, p.ImagePartsRequest):
        return PARTS[request.address]
    known: dict[Any, Any] = {
        p.Base: BASE,
        p.WheelSet: p.WheelSet(()),
        p.BaseLayers: p.BaseLayers(()),
        p.ImageLayers: p.ImageLayers((), (), p.WheelSet(())),
        p.Tree: p.Tree(EMPTY_DIGEST),
        p.FetchedArtifact: p.FetchedArtifact(EMPTY_DIGEST),
        p.WheelPlan: p.WheelPlan((), ()),
        Digest: EMPTY_DIGEST,
    }
    return known[get.output_type]


def groups(
    coroutine: Coroutine[Any, Any, Any], answer: Callable[[Any], Any], asked: list[list[str]] | None = None
) -> list[list[str]]:
    """Run a rule and return the types of the requests that it made, those of one time together."""
    asked = [] if asked is None else asked
    value: Any = None
    while True:
        try:
            got = coroutine.send(value)
        except StopIteration:
            return asked
        together = [got] if isinstance(got, Get) else list(got)
        if together:
            asked.append([type(one.inputs[0]).__name__ for one in together])
        value = answer(got) if isinstance(got, Get) else tuple(map(answer, together))


def test_wheels_do_not_wait_for_the_layers_below_them() -> None:
    found = groups(image_layers(p.ImageLayersRequest(PARENT, PLATFORM)), answer)
    assert ["WheelSetRequest", "BaseLayersRequest"] in found


def test_wheels_do_not_wait_for_the_image_that_theirs_extends() -> None:
    found = groups(image_layers(p.ImageLayersRequest(CHILD, PLATFORM)), answer)
    assert ["WheelSetRequest", "ImageLayersRequest"] in found


@pytest.mark.parametrize("own", [True, False])
def test_what_a_build_stands_on_is_made_at_once(own: bool) -> None:
    python = p.Interpreter("base", TARGET, (), own=own)
    inputs = engine.build_inputs(
        p.SysrootRequest(TARGET, (), "base", None),
        p.CompilerLibcRequest(TARGET),
        python,
        [p.Artifact("idna", "3.20", "sdist", "idna-3.20.tar.gz", "0" * 64)],
        tools=p.ToolsRequest(TARGET, (), "base"),
        host_libc=p.CompilerLibcRequest(TARGET, cxx=True),
    )
    (together,) = groups(inputs, answer)
    # The compiler takes longest.
    assert together[:3] == ["CompilerRequest", "CompilerLibcRequest", "SysrootRequest"]
    assert together[3:5] == ["ToolsRequest", "CompilerLibcRequest"]
    assert together[5:] == [*([] if own else ["Interpreter"]), "Artifact"]


def test_the_plan_does_not_wait_for_the_packages_of_the_base() -> None:
    found = groups(image_layers(p.ImageLayersRequest(PARENT, PLATFORM)), answer)
    assert found.index(["WheelPlanRequest"]) < found.index(["WheelSetRequest", "BaseLayersRequest"])


def test_sources_do_not_wait_for_wheels() -> None:
    asked: list[list[str]] = []

    def until_layers(get: Any) -> Any:
        if get.output_type is p.Layer:
            raise NotImplementedError
        return answer(get)

    with pytest.raises(NotImplementedError):
        groups(platform_image(p.PlatformImageRequest(CHILD, PLATFORM)), until_layers, asked)
    assert asked[-1] == ["ImageLayersRequest", "SourceLayerRequest"]
    assert asked.index(["WheelPlanRequest"]) < len(asked) - 1
