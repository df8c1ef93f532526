"""One step of the core is one process; a process is a plain function of its request."""

from __future__ import annotations

import logging
from typing import Iterable

from pants.engine.fs import Digest
from pants.engine.process import Process, ProcessCacheScope
from pants.engine.rules import collect_rules, rule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.products import (
    CoreSources,
    MachineReady,
    ResolverToolbox,
    StepOutcome,
    StepRequest,
    Toolbox,
)
from slim_python_image.util_rules.machine import CACHE_NAME

logger = logging.getLogger(__name__)

_ROOT = ".ociwheel"
CORE = f"{_ROOT}/core"
_TOOLS = f"{_ROOT}/tools"
MACHINE = f"{_ROOT}/machine"
_INTERPRETER = f"{_ROOT}/interpreter"


def toolbox_request(*extra: str) -> StepRequest:
    """Return the step that makes a toolbox."""
    return StepRequest(
        step="toolbox",
        arguments=("--output", "toolbox", *extra),
        description="Fetch the libraries of the build steps",
        toolbox=None,
        output_directories=("toolbox",),
    )


@rule(desc="Prepare the libraries of the build steps")
async def prepare_toolbox() -> Toolbox:
    outcome = await engine.run_step(toolbox_request())
    outcome.fields()
    return Toolbox(await engine.remove_prefix(outcome.digest, "toolbox"))


@rule(desc="Prepare the resolver of build requirements")
async def prepare_resolver() -> ResolverToolbox:
    outcome = await engine.run_step(toolbox_request("--with", "pip"))
    outcome.fields()
    return ResolverToolbox(Toolbox(await engine.remove_prefix(outcome.digest, "toolbox")))


def step_process(request: StepRequest, core: Digest) -> Process:
    """Return the process of a step: content in its key, no place."""
    trees = {CORE: core, **request.trees}
    env = {"OCIWHEEL_MACHINE": MACHINE}
    if request.toolbox is not None:
        trees[_TOOLS] = request.toolbox.digest
        env["OCIWHEEL_TOOLS"] = _TOOLS
    if request.interpreter is not None:
        trees[_INTERPRETER] = request.interpreter.digest
        env["OCIWHEEL_INTERPRETER"] = _INTERPRETER
    return Process(
        argv=("/bin/sh", f"{CORE}/step.sh", request.step, *request.arguments),
        description=request.description,
        input_digest=request.inputs,
        immutable_input_digests=FrozenDict(trees),
        env=env,
        append_only_caches=FrozenDict({CACHE_NAME: MACHINE}),
        output_files=request.output_files,
        output_directories=request.output_directories,
        cache_scope=ProcessCacheScope.PER_SESSION if request.fresh else ProcessCacheScope.SUCCESSFUL,
    )


def error_text(stderr: str) -> str:
    """Return a failed step's own message out of its standard error."""
    lines = stderr.rstrip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        return "\n".join(lines) or "the step failed and said nothing"
    kept = lines[starts[-1] :]
    return "\n".join([kept[0][len("error: ") :], *kept[1:]])


@rule
async def run_step(request: StepRequest, core: CoreSources, _: MachineReady) -> StepOutcome:
    result = await engine.run_process(step_process(request, core.steps[request.step]))
    stderr = result.stderr.decode(errors="replace")
    if result.exit_code != 0:
        return StepOutcome("{}", result.output_digest, error=error_text(stderr))
    for line in stderr.splitlines():
        if line.startswith("warning: "):
            logger.warning("%s: %s", request.description, line[len("warning: ") :])
    return StepOutcome(result.stdout.decode(), result.output_digest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
