"""What is asked of the engine in one go: steps that need nothing of each other do not wait for each other."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Coroutine

import pytest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.internals.selectors import Get
from slim_python_image_testing.definitions import definition

from slim_python_image.bases import DebianBase, DebPackage, DebPackages, Interpreter, PlatformBase
from slim_python_image.products import Artifact, Layers, Root, TargetEnvironment, Tree
from slim_python_image.util_rules.audit import AuditRequest
from slim_python_image.util_rules.build_wheel import BuildWheelRequest, build_inputs
from slim_python_image.util_rules.bytecode import Bytecode
from slim_python_image.util_rules.fetch import FetchedArtifact
from slim_python_image.util_rules.image import PlatformImageRequest, platform_image
from slim_python_image.util_rules.image_content import ImageContent
from slim_python_image.util_rules.image_definition import ImageDefinitionRequest
from slim_python_image.util_rules.image_layers import ImageLayers, ImageLayersRequest, image_layers
from slim_python_image.util_rules.layers import SourceLayerRequest
from slim_python_image.util_rules.plans import WheelPlan, WheelPlanRequest
from slim_python_image.util_rules.sysroot import ProgramsRequest
from slim_python_image.util_rules.wheels import WheelSet
from slim_python_image.util_rules.whole_image import CheckRequest
from tests.support.rules import function_of

PLATFORM = "linux/amd64"
TARGET = TargetEnvironment(PLATFORM, "3.11.2", "glibc", "2.36")
BASE = DebianBase("base", TARGET, Interpreter("base", TARGET, None), (), ())
CARGO = DebPackages((DebPackage("cargo", "1", "amd64", "debian", "cargo_1.deb", 1, "0" * 64),), "base")
PARENT, CHILD = Address("service", target_name="image"), Address("spark", target_name="image")


PARTS = {
    PARENT: definition("service", PLATFORM),
    CHILD: definition("spark", PLATFORM, extends=PARENT),
}


def answer(get: Any) -> Any:
    request = get.inputs[0]
    if isinstance(request, ImageDefinitionRequest):
        return PARTS[request.address]
    known: dict[Any, Any] = {
        PlatformBase: PlatformBase(BASE),
        ImageContent: ImageContent(EMPTY_DIGEST, EMPTY_DIGEST),
        WheelSet: WheelSet(()),
        Layers: Layers(()),
        ImageLayers: ImageLayers((), (), WheelSet(())),
        Tree: Tree(EMPTY_DIGEST),
        Bytecode: Bytecode(EMPTY_DIGEST, EMPTY_DIGEST),
        FetchedArtifact: FetchedArtifact(EMPTY_DIGEST),
        WheelPlan: WheelPlan((), ()),
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
    found = groups(function_of(image_layers)(ImageLayersRequest(PARENT, PLATFORM)), answer)
    assert ["WheelSetRequest", "BaseLayersRequest"] in found


def test_wheels_do_not_wait_for_the_image_that_theirs_extends() -> None:
    found = groups(function_of(image_layers)(ImageLayersRequest(CHILD, PLATFORM)), answer)
    assert ["WheelSetRequest", "ImageLayersRequest"] in found


@pytest.mark.parametrize("own", [True, False])
def test_what_a_build_stands_on_is_made_at_once(own: bool) -> None:
    python = Interpreter("base", TARGET, None if own else DebPackages((), "base"))
    request = BuildWheelRequest(
        artifact=Artifact("idna", "3.20", "sdist", "idna-3.20.tar.gz", "0" * 64),
        target=TARGET,
        builder=DebPackages((), "base"),
        interpreter=python,
        pins=(),
        settings="{}",
        resolve="python-default",
        programs=ProgramsRequest(TARGET, CARGO, libraries=CARGO),
    )
    inputs = build_inputs(request)
    (together,) = groups(inputs, answer)
    # The compiler takes longest.
    assert together[:4] == ["CompilerRequest", "SysrootRequest", "ProgramsRequest", "SysrootRequest"]
    unpacked = [] if own else ["InterpreterRequest"]
    assert together[4:] == [*unpacked, "Artifact", *([] if own else ["BuildCodeRequest"])]


def test_an_sdist_that_its_look_up_brought_is_not_fetched_again() -> None:
    brought = Digest("d" * 64, 9)
    request = BuildWheelRequest(
        artifact=Artifact("idna", "3.20", "sdist", "idna-3.20.tar.gz", "0" * 64),
        target=TARGET,
        builder=DebPackages((), "base"),
        interpreter=Interpreter("base", TARGET, None),
        pins=(Artifact("setuptools", "80", "wheel", "setuptools-80-py3-none-any.whl", "1" * 64),),
        settings="{}",
        resolve="python-default",
        described=brought,
    )
    found: list[Any] = []

    async def inputs() -> None:
        found.append(await build_inputs(request))

    assert groups(inputs(), answer) == [["CompilerRequest", "SysrootRequest", "Artifact"]]
    ((_, files),) = found
    assert files == (FetchedArtifact(brought), FetchedArtifact(EMPTY_DIGEST))


def test_the_plan_of_the_image_that_others_extend_comes_before_theirs() -> None:
    asked: list[Any] = []

    def noted(get: Any) -> Any:
        if isinstance(get.inputs[0], WheelPlanRequest):
            asked.append([root.requirement for root in get.inputs[0].roots])
        if isinstance(get.inputs[0], ImageLayersRequest):
            raise NotImplementedError
        if isinstance(get.inputs[0], ImageDefinitionRequest):
            name = get.inputs[0].address.spec_path
            return replace(PARTS[get.inputs[0].address], roots=(Root(name, name),))
        return answer(get)

    with pytest.raises(NotImplementedError):
        groups(function_of(platform_image)(PlatformImageRequest(CHILD, PLATFORM)), noted)
    assert asked == [["service"], ["service", "spark"]]


def test_the_compiler_s_own_libc_is_made_where_the_builder_has_none() -> None:
    request = BuildWheelRequest(
        artifact=Artifact("idna", "3.20", "sdist", "idna-3.20.tar.gz", "0" * 64),
        target=TARGET,
        builder=DebPackages((), "base"),
        interpreter=Interpreter("base", TARGET, None),
        pins=(),
        settings="{}",
        resolve="python-default",
    )

    def without_runtime(get: Any) -> Any:
        asked = type(get.inputs[0]).__name__
        return Tree(EMPTY_DIGEST, runtime=False) if asked == "SysrootRequest" else answer(get)

    assert groups(build_inputs(request), without_runtime) == [
        ["CompilerRequest", "SysrootRequest", "Artifact"],
        ["CompilerRequest", "CompilerLibcRequest"],
    ]


def test_the_plan_does_not_wait_for_the_packages_of_the_base() -> None:
    found = groups(function_of(image_layers)(ImageLayersRequest(PARENT, PLATFORM)), answer)
    assert found.index(["WheelPlanRequest"]) < found.index(["WheelSetRequest", "BaseLayersRequest"])


def test_sources_do_not_wait_for_wheels() -> None:
    asked: list[list[str]] = []

    def until_layers(get: Any) -> Any:
        if isinstance(get.inputs[0], SourceLayerRequest):
            raise NotImplementedError
        return answer(get)

    with pytest.raises(NotImplementedError):
        groups(function_of(platform_image)(PlatformImageRequest(CHILD, PLATFORM)), until_layers, asked)
    assert asked[-1] == ["ImageLayersRequest", "SourceLayerRequest"]
    assert asked.index(["WheelPlanRequest"]) < len(asked) - 1


def test_the_audit_does_not_wait_for_the_check() -> None:
    asked: list[list[str]] = []

    def until_judged(get: Any) -> Any:
        if isinstance(get.inputs[0], (CheckRequest, AuditRequest)):
            raise NotImplementedError
        return answer(get)

    with pytest.raises(NotImplementedError):
        groups(function_of(platform_image)(PlatformImageRequest(CHILD, PLATFORM)), until_judged, asked)
    assert asked[-1] == ["CheckRequest", "AuditRequest"]
