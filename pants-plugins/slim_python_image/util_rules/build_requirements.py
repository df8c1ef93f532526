"""What the build of one sdist requires, locked: asked of its backend, as a build would run it, and of pip."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Mapping

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, canonical_json
from slim_python_image.remedies import names
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.build_pins import pins_on_this_machine
from slim_python_image.util_rules.build_wheel import BuildWheelRequest, HookStep, hook_step
from slim_python_image.util_rules.interpreter import interpreter_tree
from slim_python_image.util_rules.steps import ResolverToolbox, StepRequest, Toolbox, run_step

_ROUNDS = 4
"""Times that a backend is asked: with nothing, with what its project requires, with what it then added."""


@dataclass(frozen=True)
class SdistLockRequest:
    """Lock what the build of one sdist requires.

    :param build: the build, without pins.
    :param before: its pins in the lock so far.
    :param emulated: platforms in whose containers it is built.
    :param place: among all that are locked, such as `3 of 16`.
    """

    build: BuildWheelRequest
    constraints: tuple[str, ...]
    before: tuple[str, ...]
    emulated: tuple[str, ...]
    place: str = field(compare=False)

    @property
    def key(self) -> str:
        """The sdist as locks name it, `name==version`."""
        return f"{self.build.artifact.name}=={self.build.artifact.version}"


@dataclass(frozen=True)
class SdistLock:
    """A build lock of one sdist, or why there is none.

    :param document: its `environments`, `files` and `crates`, as JSON.
    :param warning: what the user should know of it.
    """

    document: str = ""
    warning: str | None = None
    error: str | None = None


def hook_warning(key: str, fields: Mapping[str, Any]) -> str | None:
    """Return what to tell of an sdist whose backend could not say what it requires."""
    if fields["failed"] is None:
        return None
    said = "".join(f"\n  {line}" for line in fields["tail"])
    return (
        f"{key}: its build backend cannot say what it requires ({fields['failed']}), so what its "
        f"pyproject.toml requires is locked. The end of what it said:{said}\n"
        "  -> it was asked as a build would run it: what it misses here, its build misses too. An old sdist "
        f"may want old tools: [slim-image].builds: `constraints` of {key.partition('==')[0]}"
    )


async def _resolve(request: SdistLockRequest, required: Iterable[str], toolbox: Toolbox) -> Mapping[str, Any]:
    question = {
        "where": request.key,
        "required": list(required),
        "constraints": list(request.constraints),
        "before": list(request.before),
        "emulated": list(request.emulated),
    }
    build = request.build
    here = pins_on_this_machine((build.artifact,), build.resolve, "", build.interpreter)
    files = {"request.json": canonical_json(question), "target.json": here.target.to_json()}
    outcome = await run_step(
        StepRequest(
            step="build-resolve",
            arguments=(
                *("--request", "request.json", "--target", "target.json"),
                *(("--macos", here.macos) if here.macos else ()),
            ),
            description=f"{request.place}: resolve what the build of {_shown(build)} requires",
            toolbox=toolbox,
            inputs=await engine.create_files(files),
            interpreter=await interpreter_tree(build.interpreter),
            fresh=True,
        ),
        **implicitly(),
    )
    return outcome.naming(names(build.resolve, build.interpreter.resolve)).fields()


def _shown(build: BuildWheelRequest) -> str:
    return f"{build.artifact.name} {build.artifact.version}"


async def _lock(
    request: SdistLockRequest, toolbox: Toolbox, resolver: Toolbox, options: SlimImageOptions
) -> SdistLock:
    build, minor = request.build, request.build.target.minor
    sdist = build.artifact
    row: dict[str, Any] = {"sdist": request.key, "sha256": sdist.sha256, "python": minor, "pins": []}
    files: Mapping[str, Any] = {}
    required: list[str] = []
    for _ in range(_ROUNDS):
        description = f"{request.place}: ask {_shown(build)} what its build requires"
        step = await hook_step(HookStep("build-requires", description), build, toolbox, options)
        outcome = await run_step(step, **implicitly())
        fields = outcome.naming(names(build.resolve, build.interpreter.resolve)).fields()
        new = [one for one in fields["missing"] if one not in required]
        if not fields["missing"]:
            crates = {f"{one['name']} {one['version']}": one["sha256"] for one in fields["crates"]}
            rows = [{**row, "crates": sorted(crates)}]
            document = canonical_json({"environments": rows, "files": files, "crates": crates}).decode()
            return SdistLock(document, hook_warning(request.key, fields))
        if not new:
            break
        required += new
        found = await _resolve(request, required, resolver)
        row["pins"], files = found["pins"], found["files"]
        wheels = (
            Artifact(one["name"], one["version"], "wheel", one["filename"], one["sha256"])
            for one in found["wheels"]
        )
        build = replace(build, pins=tuple(wheels))
    raise SlimImageError(
        f"{request.key}: its build requirements never settle: {', '.join(required)}\n"
        f"  -> bound them: [slim-image].builds: `constraints` of {request.key.partition('==')[0]}"
    )


@rule
async def lock_sdist(
    request: SdistLockRequest, toolbox: Toolbox, resolver: ResolverToolbox, options: SlimImageOptions
) -> SdistLock:
    """Lock one sdist; an error is an answer, so that the others are locked all the same."""
    try:
        return await _lock(request, toolbox, resolver.toolbox, options)
    except SlimImageError as e:
        return SdistLock(error=str(e))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
