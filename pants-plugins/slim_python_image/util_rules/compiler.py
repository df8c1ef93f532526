"""The compiler for this machine, and its own runtime for a target whose builder has none."""

from __future__ import annotations

import json
import platform as host
from dataclasses import dataclass
from typing import Any, Iterable

from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Artifact, SlimImageError, TargetEnvironment, Tree
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.fetch import fetch_artifact
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree


@dataclass(frozen=True)
class CompilerRequest:
    """The compiler for this machine.

    :param runtimes: with the sources of its own C and C++ runtimes.
    """

    runtimes: bool = False


@dataclass(frozen=True)
class CompilerLibcRequest:
    """The compiler's own libc for a platform and a libc version, where the builder has none.

    ``cxx``: with libc++, which takes ten times as long to compile as the rest.
    """

    target: TargetEnvironment
    cxx: bool = False


def compiler_wheel(tools: dict[str, Any]) -> Artifact:
    """Return the compiler's wheel for this machine, from the core's lock of tools."""
    system = {"Linux": "linux", "Darwin": "macosx"}.get(host.system(), host.system())
    machine = host.machine()
    row = tools["zig"].get(f"{system}-{machine}")
    if row is None:
        raise SlimImageError(
            f"no compiler is locked for {system}-{machine}\n"
            f"  -> build on one of these: {', '.join(sorted(tools['zig']))}"
        )
    return Artifact(row["name"], row["version"], "wheel", row["filename"], row["sha256"])


@rule(desc="Unpack the compiler")
async def unpack_compiler(request: CompilerRequest, toolbox: Toolbox, core: CoreSources) -> Tree:
    artifact = compiler_wheel(json.loads(core.tools))
    fetched = await fetch_artifact(artifact, **implicitly())
    return await run_for_tree(
        StepRequest(
            step="zig",
            arguments=(
                *("--wheel", artifact.filename, "--output", OUT),
                *(("--runtimes",) if request.runtimes else ()),
            ),
            description=(
                f"Unpack the compiler, zig {artifact.version}"
                + (", with its runtimes" if request.runtimes else "")
            ),
            toolbox=toolbox,
            inputs=fetched.digest,
            output_directories=(OUT,),
        )
    )


@rule
async def compile_libc(request: CompilerLibcRequest, toolbox: Toolbox) -> Tree:
    target = request.target
    zig = await unpack_compiler(CompilerRequest(runtimes=True), **implicitly())
    return await run_for_tree(
        StepRequest(
            step="zig-libc",
            arguments=(
                *("--zig", "zig", "--target", "target.json", "--output", OUT),
                *(("--cxx",) if request.cxx else ()),
            ),
            description=(
                f"Compile the {'C++' if request.cxx else 'C'} runtime for {target.platform}, "
                f"{target.libc} {target.libc_version}"
            ),
            toolbox=toolbox,
            inputs=await engine.create_files({"target.json": target.to_json()}),
            trees=FrozenDict({"zig": zig.digest}),
            output_directories=(OUT,),
        )
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
