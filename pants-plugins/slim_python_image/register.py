"""What Pants loads: the targets and the rules."""

from __future__ import annotations

from typing import Iterable

from pants.engine.target import Target

from slim_python_image.goals import (
    coverage,
    explain,
    lock,
    package_image,
    publish_image,
    registry_lock,
    run_image,
)
from slim_python_image.registry_target import RegistryPythonBaseTarget
from slim_python_image.target_types import (
    DebianPythonBaseTarget,
    PythonWheelSetTarget,
    SlimPythonImageTarget,
)
from slim_python_image.util_rules import (
    base,
    core,
    debian,
    docker_engine,
    emulation,
    image,
    inputs,
    layers,
    locks,
    machine,
    parts,
    plan_coverage,
    registry,
    steps,
    wheels,
)


def target_types() -> Iterable[type[Target]]:
    """Return the targets of this backend."""
    return (
        DebianPythonBaseTarget,
        RegistryPythonBaseTarget,
        PythonWheelSetTarget,
        SlimPythonImageTarget,
    )


def rules() -> Iterable[object]:
    """Return the rules of this backend."""
    modules = (
        *(base, core, coverage, debian, docker_engine, emulation, explain, image, inputs, layers, lock),
        *(locks, machine),
        *(package_image, parts, plan_coverage, publish_image, registry, registry_lock, run_image),
        *(steps, wheels),
    )
    return tuple(rule for module in modules for rule in module.rules())
