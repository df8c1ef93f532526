"""One step of the core is one process; a process is a plain function of its request."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Mapping, Sequence

from pants.engine.fs import EMPTY_DIGEST, Digest, DigestEntries, FileEntry, SymlinkEntry
from pants.engine.process import Process, ProcessCacheScope, ProcessExecutionEnvironment
from pants.util.frozendict import FrozenDict

from ociwheel import schemas
from ociwheel.reading import DocumentLimits, from_json
from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import SlimImageError, StepInputs, Tree, canonical_json
from slim_python_image.remedies import fault_document, fault_in, render_fault, rendered_each
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.bytecode import Bytecode, laid_over
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.kept_work import ROOT, kept_work
from slim_python_image.util_rules.machine import CACHE_NAME, prepare_machine
from slim_python_image.util_rules.workers import with_properties


class StepFailed(SlimImageError):
    """A step of the core said no; the message is the step's own."""


@dataclass(frozen=True)
class Toolbox:
    """The libraries that steps import."""

    digest: Digest


@dataclass(frozen=True)
class ResolverToolbox:
    """The toolbox with pip, which resolves build requirements when they are locked."""

    toolbox: Toolbox


@dataclass(frozen=True)
class ZstdToolbox:
    """The toolbox with zstandard, for what writes or reads layers compressed with it, and nothing else."""

    toolbox: Toolbox


@dataclass(frozen=True)
class StepRequest:
    """One run of ``python -m ociwheel <step>`` in a sandbox.

    :param inputs: files relative to the sandbox.
    :param trees: large inputs by folder, shared between sandboxes and read-only.
    :param interpreter: a Python that is content; without it, the machine's own.
    :param bytecode: of the core and the toolbox, made by that interpreter.
    :param fresh: the answer changes with the world (a lock), so it is not cached between runs.
    """

    step: str
    arguments: tuple[str, ...]
    description: str = field(compare=False)
    toolbox: Toolbox | None
    inputs: Digest = EMPTY_DIGEST
    trees: FrozenDict[str, Digest] = FrozenDict()
    interpreter: Tree | None = None
    bytecode: Bytecode | None = None
    output_files: tuple[str, ...] = ()
    output_directories: tuple[str, ...] = ()
    fresh: bool = False


@dataclass(frozen=True)
class StepOutcome:
    """What a step left: its document, its files, or its error."""

    document: str
    digest: Digest
    error: str | None = None
    fault: str | None = None
    """The error's document, as JSON; None where something ended the step before it could say what."""

    def naming(self, known: Mapping[str, str]) -> StepOutcome:
        """Return the outcome whose error names what a step does not know, because it is not in its key.

        :param known: what :func:`slim_python_image.remedies.names` returns.
        """
        return self if self.fault is None else replace(self, error=render_fault(self.fault, known))

    def errors(self, known: Mapping[str, str]) -> tuple[str, ...]:
        """Return what went wrong, a message for each error that the step gathered; none where nothing did.

        :param known: as :meth:`naming` takes it.
        """
        if self.fault is None:
            return () if self.error is None else (self.error,)
        return rendered_each(self.fault, known)

    @property
    def notes(self) -> tuple[str, ...]:
        """What the step has to say of what it made."""
        return tuple(json.loads(self.document).get("notes", ()))

    def fields(self) -> dict[str, Any]:
        """Return the document.

        :raises StepFailed: the step failed.
        """
        if self.error is not None:
            raise StepFailed(self.error)
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


def failed_step(what: str, where: str, code: str) -> StepOutcome:
    """Return the outcome of work of ours that failed as a step of the core fails.

    :param code: a remedy without arguments.
    """
    fault = fault_document(what, where, code)
    return StepOutcome("{}", EMPTY_DIGEST, render_fault(fault), fault)


logger = logging.getLogger(__name__)

# The entries of a large lock are a million values.
_ANSWERS = DocumentLimits(size=512 << 20, values=20_000_000)

OUT = "out"
"""Where a step writes that makes one folder."""
CORE = f"{ROOT}/core"
TOOLS = f"{ROOT}/tools"
MACHINE = f"{ROOT}/machine"
_INTERPRETER = f"{ROOT}/interpreter"
WORDS = f"{ROOT}/words"
WORDS_FILE = "remedies.json"
"""The words of remedies, for steps that have the user's terminal."""
_ENGINE_STEPS = ("emulate", "test")
"""Steps that ask a container engine."""

# How long a step waits for the content of a hit in the remote cache before it does the same work here, in
# milliseconds. Pants's default, not at all, starts every step that somebody else has already done. A miss, or
# a server that does not answer (`[GLOBAL].remote_cache_rpc_timeout_millis`), starts the step at once.
_WAIT_FOR_HIT_MILLIS = 60_000


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
    outcome = await run_step(toolbox_request(), **implicitly())
    outcome.fields()
    return Toolbox(await engine.remove_prefix(outcome.digest, "toolbox"))


@rule(desc="Prepare the resolver of build requirements")
async def prepare_resolver() -> ResolverToolbox:
    outcome = await run_step(toolbox_request("--with", "pip"), **implicitly())
    outcome.fields()
    return ResolverToolbox(Toolbox(await engine.remove_prefix(outcome.digest, "toolbox")))


@rule(desc="Prepare the compressor of layers")
async def prepare_zstd() -> ZstdToolbox:
    outcome = await run_step(toolbox_request("--with", "zstd"), **implicitly())
    outcome.fields()
    return ZstdToolbox(Toolbox(await engine.remove_prefix(outcome.digest, "toolbox")))


def needs_machine(request: StepRequest, network: Iterable[str]) -> bool:
    """Tell whether a step is told of this machine: credentials and mirrors, its Python, its engine.

    No other step is: a build runs code of others.

    :param network: the steps whose code reaches the network.
    """
    return request.interpreter is None or request.step in network or request.step in _ENGINE_STEPS


def step_process(
    request: StepRequest,
    core: Digest,
    limits: Sequence[str] = (),
    *,
    machine: bool = True,
    more_env: Mapping[str, str] = FrozenDict(),
    timeout: int | None = None,
    again: bool = False,
) -> Process:
    """Return the process of a step: content in its key, no place.

    :param limits: of archives, each ``name=number``.
    :param machine: it is given the folder that tells of this machine.
    :param timeout: in seconds.
    :param again: what it answered in another session does not count.
    """
    trees = {CORE: core, **request.trees}
    env = {**({"OCIWHEEL_MACHINE": MACHINE} if machine else {}), **more_env}
    if limits:
        env["OCIWHEEL_LIMITS"] = " ".join(sorted(limits))
    if request.toolbox is not None:
        trees[TOOLS] = request.toolbox.digest
        env["OCIWHEEL_TOOLS"] = TOOLS
    if request.interpreter is not None:
        trees[_INTERPRETER] = request.interpreter.digest
        env["OCIWHEEL_INTERPRETER"] = _INTERPRETER
    toolbox = request.toolbox.digest if request.toolbox else None
    caches, told = kept_work(
        request.step, core, toolbox, request.interpreter.digest if request.interpreter else None
    )
    env.update(told)
    if machine:
        caches[CACHE_NAME] = MACHINE
    return Process(
        argv=("/bin/sh", f"{CORE}/step.sh", request.step, *request.arguments),
        description=request.description,
        input_digest=request.inputs,
        immutable_input_digests=FrozenDict(trees),
        env=env,
        append_only_caches=FrozenDict(caches),
        output_files=request.output_files,
        output_directories=request.output_directories,
        cache_scope=ProcessCacheScope.PER_SESSION if request.fresh or again else ProcessCacheScope.SUCCESSFUL,
        remote_cache_speculation_delay_millis=_WAIT_FOR_HIT_MILLIS,
        timeout_seconds=timeout,
    )


async def zstd_toolbox() -> Toolbox:
    """Return the libraries of steps that write or read zstd."""
    return (await prepare_zstd(**implicitly())).toolbox


async def run_for_tree(request: StepRequest) -> Tree:
    """Run a step that writes one folder, ``OUT``, and return what is in it.

    :raises StepFailed: the step failed.
    """
    outcome = await run_step(request, **implicitly())
    fields = outcome.fields()
    return Tree(await engine.remove_prefix(outcome.digest, OUT), fields.get("runtime", True))


def key_document(process: Process, files: DigestEntries) -> str:
    """Return everything that is in the key of a step's process, as JSON for people who look for a difference.

    :param files: the process's input, by file.
    """
    document = {
        "arguments": list(process.argv),
        "variables": dict(process.env),
        "named caches": dict(process.append_only_caches),
        "outputs": [*process.output_files, *process.output_directories],
        "trees": {path: digest.fingerprint for path, digest in process.immutable_input_digests.items()},
        "inputs": files_of(files),
    }
    return canonical_json(document).decode().rstrip()


def error_text(stderr: str) -> str:
    """Return the message of a step that left no document of its error."""
    lines = stderr.rstrip().splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith("error: ")]
    if not starts:
        return "\n".join(lines) or "the step failed and said nothing"
    kept = lines[starts[-1] :]
    return "\n".join([kept[0][len("error: ") :], *kept[1:]])


def answered(step: str, document: bytes, output: Digest) -> StepOutcome:
    """Return the outcome of a step that did its work; what its schema does not allow is an error."""

    def fail(path: str, what: str) -> StepFailed:
        place = f"{path}: " if path else ""
        return StepFailed(
            f"the step {step} answered with something else than this plugin reads: {place}{what}\n"
            "  -> please report it"
        )

    try:
        schemas.check(from_json(document, fail, _ANSWERS), schemas.ANSWERS[step])
    except StepFailed as e:
        return StepOutcome("{}", output, str(e))
    return StepOutcome(document.decode(), output)


@rule
async def run_step(
    request: StepRequest,
    core: CoreSources,
    where: ProcessExecutionEnvironment,
    options: SlimImageOptions,
) -> StepOutcome:
    machine = needs_machine(request, core.network)
    code = core.steps[request.step]
    if request.bytecode and request.toolbox:
        code, tools = await laid_over(request.bytecode, code, request.toolbox.digest)
        request = replace(request, toolbox=Toolbox(tools))
    process = step_process(request, code, options.limits, machine=machine)
    if logger.isEnabledFor(logging.DEBUG):
        files = await engine.entries(request.inputs)
        logger.debug("Key of `%s`: %s", request.description, key_document(process, files))
    if request.step in core.network:
        where = with_properties(where, options.fetch_platform_properties)
    if machine and not where.remote_execution:
        await prepare_machine(**implicitly())
    result = await engine.run_process(process, where)
    stderr = result.stderr.decode(errors="replace")
    if result.exit_code != 0:
        fault = fault_in(result.stdout.decode(errors="replace"))
        error = error_text(stderr) if fault is None else render_fault(fault)
        return StepOutcome("{}", result.output_digest, error, fault)
    for line in stderr.splitlines():
        if line.startswith("warning: "):
            logger.warning("%s: %s", request.description, line[len("warning: ") :])
    outcome = answered(request.step, result.stdout, result.output_digest)
    # What is made anew each time goes into no image that could tell them.
    for line in outcome.notes if request.fresh else ():
        logger.warning("%s: %s", request.description, line)
    return outcome


def files_of(entries: DigestEntries) -> dict[str, str]:
    """Return files by path: the SHA-256 of a file, the target of a link."""
    found = {}
    for entry in entries:
        if isinstance(entry, FileEntry):
            executable = " executable" if entry.is_executable else ""
            found[entry.path] = entry.file_digest.fingerprint + executable
        elif isinstance(entry, SymlinkEntry):
            found[entry.path] = f"-> {entry.target}"
        else:
            found[entry.path] = "directory"
    return found


@rule
async def step_inputs(request: StepRequest, core: CoreSources) -> StepInputs:
    document = {
        "step": request.step,
        "arguments": list(request.arguments),
        "files": files_of(await engine.entries(request.inputs)),
        "trees": {name: digest.fingerprint for name, digest in request.trees.items()},
        "code": core.steps[request.step].fingerprint,
        "libraries": request.toolbox.digest.fingerprint if request.toolbox else None,
        "interpreter": request.interpreter.digest.fingerprint if request.interpreter else None,
    }
    return StepInputs(canonical_json(document).decode())


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
