"""Base images of registries: what their lock says."""

from __future__ import annotations

from typing import Iterable

from pants.backend.docker.subsystems.docker_options import DockerOptions

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField
from slim_python_image.bases import BaseRequest, RegistryBase
from slim_python_image.by_name import collect_rules, rule
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.base_locks import check_platform, host_platform, relock_command
from slim_python_image.util_rules.registry_locks import base_of_lock, image_names, parse_registry_lock


@rule
async def read_registry_base(request: BaseRequest, docker: DockerOptions) -> RegistryBase:
    target = await engine.target(request.address, request.origin or "the field `base`")
    check_platform(target, request.platform, request.origin)
    lock = parse_registry_lock(target, await engine.read_path(target[BaseLockfileField].path))
    names = image_names(target, docker.registries())
    try:
        return base_of_lock(lock, request.platform, names, request.address.target_name, host_platform())
    except (KeyError, TypeError) as e:
        raise SlimImageError(
            f"{target[BaseLockfileField].path}: is damaged: {e}\n"
            f"  -> write it again: {relock_command(request.address.target_name)}"
        ) from None


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
