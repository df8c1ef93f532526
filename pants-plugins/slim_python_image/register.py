"""What Pants loads: the targets and the rules."""

from __future__ import annotations

from typing import Iterable

from pants.engine.target import Target

from slim_python_image.base_target import DebianPythonBaseTarget
from slim_python_image.goals import (
    build_lock,
    coverage,
    digest,
    dist,
    explain,
    image_tests,
    lock,
    migrate,
    package_image,
    publish_image,
    publish_run,
    registry_lock,
    relations,
    run_image,
    sizes,
    tailor,
    updates,
)
from slim_python_image.image_test_target import SlimImageTestTarget
from slim_python_image.registry_target import RegistryPythonBaseTarget
from slim_python_image.target_types import SlimPythonImageTarget
from slim_python_image.util_rules import (
    archives,
    attestations,
    audit,
    base,
    base_layers,
    build_code,
    build_lock_targets,
    build_pins,
    build_requirements,
    build_wheel,
    compiler,
    core,
    crates,
    debian,
    docker_engine,
    emulation,
    fetch,
    image,
    image_content,
    image_definition,
    image_key,
    image_layers,
    inference,
    interpreter,
    layers,
    lock_lines,
    lock_news,
    locks,
    machine,
    made_files,
    manifests,
    newest_wheels,
    plan_coverage,
    plans,
    registry_base,
    registry_blobs,
    registry_images,
    steps,
    subjects,
    sysroot,
    tested_content,
    wheels,
    whole_image,
)
from slim_python_image.versions import PUBLISH_ASKS_FIRST
from slim_python_image.wheel_set_target import PythonWheelSetTarget


def target_types() -> Iterable[type[Target]]:
    """Return the targets of this backend."""
    return (
        DebianPythonBaseTarget,
        RegistryPythonBaseTarget,
        PythonWheelSetTarget,
        SlimPythonImageTarget,
        SlimImageTestTarget,
    )


def rules() -> Iterable[object]:
    """Return the rules of this backend."""
    modules = (
        *(archives, attestations, audit, base, base_layers, build_lock, build_pins, build_requirements),
        *(build_code, build_lock_targets, build_wheel),
        *(compiler, core, coverage, crates, debian, docker_engine, migrate, tailor),
        *(digest, image_key, image_tests, lock_lines, tested_content),
        *(
            emulation,
            explain,
            fetch,
            image,
            image_layers,
            inference,
            interpreter,
            layers,
            lock,
            locks,
            machine,
            made_files,
        ),
        *(
            dist,
            relations,
            manifests,
            newest_wheels,
            package_image,
            image_content,
            image_definition,
            plan_coverage,
            plans,
            publish_image,
            publish_run,
        ),
        *(
            registry_base,
            registry_blobs,
            registry_images,
            registry_lock,
            run_image,
            sizes,
            steps,
            subjects,
            sysroot,
            wheels,
            whole_image,
        ),
        *(updates, lock_news),
    )
    found = [rule for module in modules for rule in module.rules()]
    if PUBLISH_ASKS_FIRST:
        from slim_python_image.goals import publish_skips  # noqa: PLC0415 # of names that earlier ones lack

        found.extend(publish_skips.rules())
    return tuple(found)
