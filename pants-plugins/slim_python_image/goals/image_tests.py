"""`pants test` of images: what is in them, and tests that run inside them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterable

from pants.backend.python.subsystems.pytest import PyTest
from pants.core.goals.test import (
    ShowOutput,
    TestExtraEnv,
    TestFieldSet,
    TestRequest,
    TestResult,
    TestSubsystem,
)
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest, Snapshot
from pants.engine.platform import Platform
from pants.engine.process import FallibleProcessResult, ProcessExecutionEnvironment
from pants.engine.target import InferDependenciesRequest, InferredDependencies
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.bases import Base
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.image_test_target import (
    CommandsField,
    ExpectedEnvField,
    ExpectedUserField,
    FilesAbsentField,
    FilesPresentField,
    ImageTestEnvField,
    ImageTestTimeoutField,
    InsideTestsField,
    TestedImageField,
)
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.remedies import names, words_document
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.subsystems.tests import ImageTestOptions
from slim_python_image.util_rules.ancestry import one_address
from slim_python_image.util_rules.audit import audited_facts
from slim_python_image.util_rules.base import read_base
from slim_python_image.util_rules.build_programs import programs_for
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.docker_engine import layout_with, machine_platform
from slim_python_image.util_rules.image import PlatformImage, PlatformImageRequest, platform_image
from slim_python_image.util_rules.image_definition import (
    DEFAULT_ENVIRONMENT,
    ImageConfig,
    ImageDefinition,
    ImageDefinitionRequest,
    read_image,
)
from slim_python_image.util_rules.inherited import config_on_base
from slim_python_image.util_rules.local_names import local_name
from slim_python_image.util_rules.machine import prepare_machine
from slim_python_image.util_rules.steps import (
    OUT,
    WORDS,
    WORDS_FILE,
    StepRequest,
    needs_machine,
    prepare_toolbox,
    step_process,
    zstd_toolbox,
)
from slim_python_image.util_rules.sysroot import unpack_programs
from slim_python_image.util_rules.tested_content import (
    PLACE,
    TestedContent,
    TestedContentRequest,
    named_tests,
    tested_content,
)
from slim_python_image.versions import PANTS_217

_STEP, _LAYOUT, _TOOLS = "test", "layout", "tools"


@dataclass(frozen=True)
class ImageTestFieldSet(TestFieldSet):
    """What `test` needs of a test of an image."""

    required_fields = (TestedImageField, InsideTestsField)

    image: TestedImageField
    tests: InsideTestsField
    files_present: FilesPresentField
    files_absent: FilesAbsentField
    commands: CommandsField
    env: ExpectedEnvField
    user: ExpectedUserField
    extra_env_vars: ImageTestEnvField
    timeout: ImageTestTimeoutField

    def expected(self) -> dict[str, Any]:
        """Return what the image is to have and to say, as the core takes it."""
        found: dict[str, Any] = {
            "files_present": list(self.files_present.value or ()),
            "files_absent": list(self.files_absent.value or ()),
            "commands": list(self.commands.value or ()),
            "env": dict(self.env.value or {}),
        }
        return {**found, **({"user": self.user.value} if self.user.value else {})}


class ImageTestRequest(TestRequest):
    """Tests of images."""

    tool_subsystem = ImageTestOptions  # type: ignore[assignment] # as Pants's own, PyTest
    field_set_type = ImageTestFieldSet


class InferTestedImage(InferDependenciesRequest[ImageTestFieldSet]):
    """The image and the tests, so that changing them changes their test."""

    infer_from = ImageTestFieldSet


@rule(desc="Infer the image of a test")
async def infer_tested_image(request: InferTestedImage) -> InferredDependencies:
    fields = request.field_set
    image = await one_address(str(fields.image.value), fields.address, fields.image.alias)
    return InferredDependencies([image, *await named_tests(fields.tests)])


def platform_to_test(address: Address, platforms: tuple[str, ...], machine: Platform) -> str:
    """Return the platform that is tested: this machine's.

    :raises SlimImageError: the image is not built for it.
    """
    own = machine_platform(machine)
    if own not in platforms:
        raise SlimImageError(
            f"{address}: it is built for {', '.join(platforms)}, and tests run on this machine's {own}\n"
            "  -> add it to the field `platforms`"
        )
    return own


@dataclass(frozen=True)
class _Tested:
    """An image on this machine's platform."""

    parts: ImageDefinition
    image: PlatformImage
    base: Base
    config: ImageConfig


async def _tested(field_set: ImageTestFieldSet, machine: Platform) -> _Tested:
    address = await one_address(str(field_set.image.value), field_set.address, field_set.image.alias)
    parts = await read_image(ImageDefinitionRequest(address), **implicitly())
    platform = platform_to_test(address, parts.platforms, machine)
    image = await platform_image(PlatformImageRequest(address, platform), **implicitly())
    read = await read_base(parts.base_on(platform), **implicitly())
    config = config_on_base(parts.config, read.base, parts.options.prefix, DEFAULT_ENVIRONMENT)
    return _Tested(parts, image, read.base, config)


async def _request(field_set: ImageTestFieldSet, tested: _Tested) -> Digest:
    """Return the core's request, and the lists of files that it mentions."""
    facts = await audited_facts(tested.image.layers, tested.base)
    paths = [f"facts/{number:03}" for number in range(len(facts))]
    document = {
        "facts": [f"{path}/layer-facts.json" for path in paths],
        "env": dict(tested.config.env),
        "user": tested.config.user,
        "expected": field_set.expected(),
    }
    placed = [await engine.add_prefix(digest, path) for digest, path in zip(facts, paths)]
    return await engine.merge(
        (*placed, await engine.create_files({"request.json": canonical_json(document)}))
    )


@dataclass(frozen=True)
class ImageTestSettings:
    """How this run tests images.

    :param env: what `[test].extra_env_vars` adds.
    """

    test: TestSubsystem
    runner: str
    pytest_args: tuple[str, ...]
    env: FrozenDict[str, str]
    limits: tuple[str, ...]


@rule
async def image_test_settings(
    test: TestSubsystem,
    options: ImageTestOptions,
    pytest: PyTest,
    test_env: TestExtraEnv,
    slim_options: SlimImageOptions,
) -> ImageTestSettings:
    return ImageTestSettings(
        test,
        options.runner.value,
        tuple(pytest.args),
        FrozenDict(test_env.env),
        tuple(slim_options.limits),
    )


def results_file(address: Address) -> str:
    """Return the name of what pytest reports for others."""
    return f"{address.path_safe_spec}.xml"


def inside_arguments(
    field_set: ImageTestFieldSet, tested: _Tested, content: TestedContent, settings: ImageTestSettings
) -> tuple[str, ...]:
    """Return the arguments of the core's step for the tests that run inside."""
    python = f"{tested.parts.options.prefix}/bin/python"
    return (
        *("--layout", _LAYOUT, "--platform", tested.image.platform, "--output", OUT),
        *("--name", local_name(field_set.address, tested.image.platform), "--runner", settings.runner),
        *(f"--env={name}={value}" for name, value in sorted(settings.env.items())),
        *("--", python, "-P", "-B", "-m", "pytest", "-p", "no:cacheprovider", "--color=no"),
        f"--junit-xml={PLACE}/out/{results_file(field_set.address)}",
        *(*settings.pytest_args, *content.arguments),
    )


async def _inside(
    request: StepRequest, field_set: ImageTestFieldSet, tested: _Tested, settings: ImageTestSettings
) -> StepRequest:
    """Return a step that tests an image with the tests that run inside it."""
    content = await tested_content(
        TestedContentRequest(field_set.address, field_set.tests, tested.parts, tested.base),
        **implicitly(),
    )
    trees = dict(request.trees)
    trees[_LAYOUT] = await layout_with(tested.parts, tested.image, tested.config, content.layers)
    programs = programs_for(tested.base, ())
    tools: tuple[str, ...] = ()
    if programs is not None:
        trees[_TOOLS] = (await unpack_programs(programs, **implicitly())).digest
        tools = ("--tools", _TOOLS)
    zstd = any(layer.zstd for layer in tested.image.layers)
    return replace(
        request,
        arguments=(*request.arguments, *tools, *inside_arguments(field_set, tested, content, settings)),
        toolbox=await zstd_toolbox() if zstd else request.toolbox,
        trees=FrozenDict(trees),
        output_directories=(OUT,),
    )


async def _step(field_set: ImageTestFieldSet, tested: _Tested, settings: ImageTestSettings) -> StepRequest:
    """Return the step that tests an image."""
    words = await engine.create_files({WORDS_FILE: words_document(names())})
    request = StepRequest(
        step=_STEP,
        arguments=("--request", "request.json"),
        description=f"Test {field_set.address}",
        toolbox=await prepare_toolbox(**implicitly()),
        inputs=await _request(field_set, tested),
        trees=FrozenDict({WORDS: words}),
    )
    if not field_set.tests.value:
        return request
    own = await engine.environment(field_set.extra_env_vars.sorted())
    settings = replace(settings, env=FrozenDict({**settings.env, **own}))
    return await _inside(request, field_set, tested, settings)


def test_result(
    done: FallibleProcessResult, field_set: ImageTestFieldSet, output: ShowOutput, xml: Snapshot | None
) -> TestResult:
    """Return what `test` shows of a process."""
    given: Any = done if PANTS_217 else (done,)
    return TestResult.from_fallible_process_result(given, field_set.address, output, xml_results=xml)


@rule(desc="Test an image")
async def test_image(
    batch: ImageTestRequest.Batch[Any, Any],
    settings: ImageTestSettings,
    core: CoreSources,
    machine: Platform,
    where: ProcessExecutionEnvironment,
) -> TestResult:
    field_set = batch.single_element
    tested = await _tested(field_set, machine)
    request = await _step(field_set, tested, settings)
    process = step_process(
        request,
        core.steps[_STEP],
        settings.limits,
        machine=needs_machine(request, core.network),
        more_env={"OCIWHEEL_ERRORS": "text", "OCIWHEEL_REMEDIES": f"{WORDS}/{WORDS_FILE}"},
        timeout=field_set.timeout.calculate_from_global_options(settings.test),
        again=settings.test.force,
    )
    if not where.remote_execution:
        await prepare_machine(**implicitly())
    done = await engine.run_process(process, where)
    xml = None
    if done.output_digest != EMPTY_DIGEST:
        xml = await engine.snapshot(await engine.remove_prefix(done.output_digest, OUT))
    return test_result(done, field_set, settings.test.output, xml)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        *ImageTestRequest.rules(),
        UnionRule(InferDependenciesRequest, InferTestedImage),
    )
