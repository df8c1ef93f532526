"""Bytecode of what builds run: they have no cache of the machine, and load more than other steps."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.util_rules.bytecode import Bytecode
from slim_python_image.util_rules.interpreter import InterpreterRequest, unpack_interpreter
from slim_python_image.util_rules.steps import OUT, StepRequest, Toolbox, run_for_tree


@dataclass(frozen=True)
class BuildCodeRequest:
    """Compile what a build runs, with the Python that runs it."""

    python: InterpreterRequest


@rule
async def compile_build_code(request: BuildCodeRequest, toolbox: Toolbox) -> Bytecode:
    interpreter = await unpack_interpreter(request.python, **implicitly())
    made = await run_for_tree(
        StepRequest(
            step="build-code",
            arguments=("--output", OUT),
            description=f"Compile what builds run for Python {request.python.target.python}",
            toolbox=toolbox,
            interpreter=interpreter,
            output_directories=(OUT,),
        )
    )
    core = await engine.subset(made.digest, "core/**")
    tools = await engine.subset(made.digest, "tools/**")
    return Bytecode(await engine.remove_prefix(core, "core"), await engine.remove_prefix(tools, "tools"))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
