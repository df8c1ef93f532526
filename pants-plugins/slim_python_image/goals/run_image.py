"""`pants run` of images: this machine's platform, in docker or podman, in the foreground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.core.goals.run import RunFieldSet, RunInSandboxBehavior, RunRequest
from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST
from pants.engine.platform import Platform

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import SlimImageError
from slim_python_image.remedies import names, words_document
from slim_python_image.start_fields import EntryPointField
from slim_python_image.subsystems.run import RunOptions
from slim_python_image.target_types import ExtendsField, PortsField
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.debug_image import DebugImage, debug_image
from slim_python_image.util_rules.docker_engine import PlatformLayout, machine_platform, platform_layout
from slim_python_image.util_rules.image_definition import ImageDefinitionRequest, read_image
from slim_python_image.util_rules.local_names import local_name
from slim_python_image.util_rules.machine import CACHE_NAME, MachineReady
from slim_python_image.util_rules.steps import CORE, MACHINE, TOOLS, WORDS, WORDS_FILE, zstd_toolbox

_LAYOUT = ".ociwheel/layout"
_CHROOT = "{chroot}"


@dataclass(frozen=True)
class RunImageFieldSet(RunFieldSet):
    """What `run` needs of an image target."""

    required_fields = (EntryPointField, ExtendsField, PortsField)
    run_in_sandbox_behavior = RunInSandboxBehavior.NOT_SUPPORTED

    ports: PortsField


def choose_platform(
    address: Address, platforms: tuple[str, ...], wanted: str | None, machine: Platform
) -> str:
    """Return the platform to run.

    :raises SlimImageError: the image is not built for it.
    """
    platform = wanted or machine_platform(machine)
    if platform not in platforms:
        others = ", ".join(platforms)
        hint = (
            f"choose one of them with --{RunOptions.options_scope}-platform"
            if wanted
            else f"add it to the field `platforms`, or run another under emulation: "
            f"--{RunOptions.options_scope}-platform={platforms[0]}"
        )
        raise SlimImageError(f"{address}: it is built for {others}, not for {platform}\n  -> {hint}")
    return platform


def published(ports: Iterable[str], given: Iterable[str]) -> tuple[str, ...]:
    """Return the ports to publish: those given, and the image's others on the loopback interface."""
    chosen = tuple(given)

    def inner(port: str) -> tuple[str, str]:
        number, _, protocol = port.rpartition(":")[2].partition("/")
        return number, protocol or "tcp"

    taken = {inner(port) for port in chosen}
    own = (port for port in ports if inner(port) not in taken)
    return (*chosen, *(f"127.0.0.1:{inner(port)[0]}:{port}" for port in own))


def step_arguments(
    field_set: RunImageFieldSet, platform: str, docker: DockerOptions, options: RunOptions
) -> tuple[str, ...]:
    """Return the arguments of the core's step; those of the container follow."""
    name = local_name(field_set.address, platform)
    return (
        *("run", "--layout", f"{_CHROOT}/{_LAYOUT}", "--platform", platform),
        *("--name", f"{name}-debug" if options.debug else name, "--engine", options.engine.value),
        *(("--attach",) if options.debug else ()),
        *(f"--publish={port}" for port in published(field_set.ports.value or (), options.port)),
        *(f"--env={one}" for one in options.env),
        *(f"--engine-argument={one}" for one in docker.run_args),
        "--",
    )


@rule(desc="Prepare an image to run")
async def run_image(
    field_set: RunImageFieldSet,
    docker: DockerOptions,
    options: RunOptions,
    core: CoreSources,
    machine: Platform,
    _: MachineReady,
) -> RunRequest:
    parts = await read_image(ImageDefinitionRequest(field_set.address), **implicitly())
    platform = choose_platform(field_set.address, parts.platforms, options.platform, machine)
    built: PlatformLayout | DebugImage
    if options.debug:
        built = await debug_image(parts, platform)
    else:
        built = await platform_layout(parts, platform)
    words = await engine.create_files({WORDS_FILE: words_document(names())})
    trees = {CORE: core.steps["run"], _LAYOUT: built.layout, WORDS: words}
    # What is printed is the container's: no document of an error may be in it.
    env = {
        "OCIWHEEL_MACHINE": f"{_CHROOT}/{MACHINE}",
        "OCIWHEEL_ERRORS": "text",
        "OCIWHEEL_REMEDIES": f"{_CHROOT}/{WORDS}/{WORDS_FILE}",
    }
    if any(layer.zstd for layer in built.image.layers):
        # An engine gets such layers unpacked: Docker loads none before version 23.
        trees[TOOLS] = (await zstd_toolbox()).digest
        env["OCIWHEEL_TOOLS"] = f"{_CHROOT}/{TOOLS}"
    return RunRequest(
        digest=EMPTY_DIGEST,
        args=(
            "/bin/sh",
            f"{_CHROOT}/{CORE}/step.sh",
            *step_arguments(field_set, platform, docker, options),
        ),
        extra_env=env,
        immutable_input_digests=trees,
        append_only_caches={CACHE_NAME: MACHINE},
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (*collect_rules(), *RunImageFieldSet.rules())
