"""The Python that runs steps, unpacked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from slim_python_image.bases import Interpreter, Source
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import TargetEnvironment, Tree
from slim_python_image.util_rules.steps import Toolbox
from slim_python_image.util_rules.unpack import unpack


@dataclass(frozen=True)
class InterpreterRequest:
    """A Python that is content."""

    source: Source
    target: TargetEnvironment


@rule
async def unpack_interpreter(request: InterpreterRequest, toolbox: Toolbox) -> Tree:
    title = f"Unpack Python {request.target.python} for this machine"
    return await unpack("interpreter", title, request.source, request.target, toolbox)


async def interpreter_tree(python: Interpreter) -> Tree | None:
    """Return an unpacked Python; ``None``: the machine's own."""
    if python.source is None:
        return None
    return await unpack_interpreter(InterpreterRequest(python.source, python.target), **implicitly())


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
