"""What Pants loads: the targets and the rules."""

from __future__ import annotations

from slim_python_image.goals import lock, package_image
from slim_python_image.target_types import (
    DebianPythonBaseTarget,
    PythonWheelSetTarget,
    SlimPythonImageTarget,
)
from slim_python_image.util_rules import base, core, image, layers, locks, machine, parts, steps, wheels


def target_types():  # noqa: ANN201
    """Return the targets of this backend."""
    return (DebianPythonBaseTarget, PythonWheelSetTarget, SlimPythonImageTarget)


def rules():  # noqa: ANN201
    """Return the rules of this backend."""
    modules = (base, core, image, layers, lock, locks, machine, package_image, parts, steps, wheels)
    return tuple(rule for module in modules for rule in module.rules())
