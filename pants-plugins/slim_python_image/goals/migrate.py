"""`pants slim-migrate`: image targets in the place of `docker_image` and `pex_binary`."""

from __future__ import annotations

import logging
import os
from typing import Any, Iterable

from pants.engine.console import Console
from pants.engine.goal import Goal, GoalSubsystem, Outputting
from pants.engine.target import AllTargets, Target, Targets
from pants.util.strutil import softwrap

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, goal_rule
from slim_python_image.goals.migrate_text import Stage, default_output, proposal, read_dockerfile

logger = logging.getLogger(__name__)
_DOCKER, _PEX = "docker_image", "pex_binary"


class SlimMigrateSubsystem(Outputting, GoalSubsystem):
    """Options of `slim-migrate`."""

    name = "slim-migrate"
    help = softwrap(
        """
        Print a `slim_python_image` target for each `docker_image` among the targets given that copies a
        `pex_binary`: with the fields of both, and with what the last stage of the Dockerfile says. What has
        no place in the new target is told in a comment above it. Nothing is written, built or run.
        """
    )


class SlimMigrate(Goal):
    """Targets for what there is."""

    subsystem_cls = SlimMigrateSubsystem
    environment_behavior = Goal.EnvironmentBehavior.LOCAL_ONLY


def fields_of(target: Target) -> dict[str, Any]:
    """Return the fields of a target that say something else than by default, by name."""
    found: dict[str, Any] = {"name": target.address.target_name}
    for one in target.field_values.values():
        value = getattr(one, "value", None)
        default = getattr(type(one), "default", None)
        if value and value not in (default, tuple(default or ()) if isinstance(value, tuple) else default):
            # An entry point is one of Pants's own objects.
            found[type(one).alias] = getattr(value, "spec", value)
    return found


def moved(fields: dict[str, Any], folder: str, to: str) -> dict[str, Any]:
    """Return the fields of a `pex_binary`, with the file that it starts as from the BUILD file of a folder.

    :param folder: that of the `pex_binary`, below which its `entry_point` is; Pants has the whole path of its
        `executable`.
    """
    start = to or os.curdir
    found = dict(fields)
    file, colon, function = str(fields.get("entry_point") or "").partition(":")
    if file.endswith(".py"):
        found["entry_point"] = f"{os.path.relpath(os.path.join(folder, file), start)}{colon}{function}"
    if fields.get("executable"):
        found["executable"] = os.path.relpath(fields["executable"], start)
    return found


def pex_outputs(targets: Iterable[Target]) -> dict[str, Target]:
    """Return the `pex_binary` targets by what a Dockerfile or `dependencies` may call them."""
    found = {}
    for target in targets:
        if target.alias == _PEX:
            address = target.address
            output = fields_of(target).get("output_path") or default_output(
                address.spec_path, address.target_name
            )
            found[output] = found[str(address)] = found[f"//{address}"] = target
    return found


async def stage_of(fields: dict[str, Any], folder: str) -> Stage:
    """Return the last stage of a `docker_image`."""
    if fields.get("instructions"):
        return read_dockerfile("\n".join(fields["instructions"]))
    data = await engine.read_path(os.path.join(folder, fields.get("source") or "Dockerfile"))
    return read_dockerfile((data or b"").decode(errors="replace"))


def copied_pex(docker: Target, stage: Stage, outputs: dict[str, Target]) -> list[Target]:
    """Return the `pex_binary` targets that a `docker_image` copies, or names among its dependencies."""
    named = fields_of(docker).get("dependencies") or ()
    folder = docker.address.spec_path
    texts = [*stage.copied, *(f"{folder}{one}" if one.startswith(":") else one for one in named)]
    found = {outputs[one].address: outputs[one] for one in texts if one in outputs}
    return [found[address] for address in sorted(found)]


def nothing_to_move(targets: Iterable[Target]) -> str:
    """Return what to say where no `docker_image` was given.

    :param targets: all of the repository.
    """
    there = {target.alias for target in targets}
    if _DOCKER in there:
        return "No `docker_image` is among the targets given.\n  -> ./pants slim-migrate ::"
    if _PEX in there:
        return (
            "No target of this repository is a `docker_image`; a `pex_binary` by itself is for `tailor`, "
            "which proposes a base and an image for each\n  -> ./pants tailor ::"
        )
    return (
        "No target of this repository is a `docker_image` or a `pex_binary`: there is nothing to move\n"
        "  -> ./pants help slim_python_image, then write one"
    )


@goal_rule
async def slim_migrate(
    console: Console, subsystem: SlimMigrateSubsystem, targets: Targets, all_targets: AllTargets
) -> SlimMigrate:
    """Read and print."""
    images = sorted((t for t in targets if t.alias == _DOCKER), key=lambda target: target.address)
    outputs = pex_outputs(all_targets)
    texts = []
    for image in images:
        stage = await stage_of(fields_of(image), image.address.spec_path)
        binaries = copied_pex(image, stage, outputs)
        if not binaries:
            logger.warning("%s: no `pex_binary` is copied by it or among its `dependencies`.", image.address)
        for binary in binaries:
            folder, home = image.address.spec_path, binary.address.spec_path
            address = f":{binary.address.target_name}" if home == folder else str(binary.address)
            heading = f"{os.path.join(folder, 'BUILD')}, for {image.address} and {binary.address}"
            pex = {**moved(fields_of(binary), home, folder), "name": address}
            texts.append(proposal(fields_of(image), pex, stage, heading))
    if not images:
        logger.warning(nothing_to_move(all_targets))
    if texts:
        with subsystem.output(console) as write:
            write("\n".join(texts))
    return SlimMigrate(exit_code=0)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
