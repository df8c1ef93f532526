"""The Python that runs steps, unpacked."""

from __future__ import annotations

from typing import Iterable

from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import Interpreter, Tree
from slim_python_image.util_rules.debian import DebFilesRequest, unpack_debs
from slim_python_image.util_rules.registry_images import ImageTreeRequest, unpack_image
from slim_python_image.util_rules.steps import Toolbox


@rule
async def unpack_interpreter(request: Interpreter, toolbox: Toolbox) -> Tree:
    if request.image is not None:
        image = ImageTreeRequest("image-interpreter", request.image, request.target)
        return await unpack_image(image, **implicitly())
    return await unpack_debs(
        "interpreter",
        f"Unpack Python {request.target.python} for this machine",
        DebFilesRequest(request.packages, request.resolve),
        request.target,
        toolbox,
    )


async def interpreter_tree(request: Interpreter) -> Tree | None:
    """Return an unpacked Python; ``None``: the machine's own."""
    return None if request.own else await unpack_interpreter(request, **implicitly())


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
