"""Bases of every kind: read from their locks, turned into layers, sysroot and interpreter."""

from __future__ import annotations

from typing import Iterable

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BaseSuitesField
from slim_python_image.bases import BaseRequest, PlatformBase
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.products import SlimImageError
from slim_python_image.registry_target import RegistryImageField
from slim_python_image.util_rules.base_locks import check_platform, host_platform, parse_lock
from slim_python_image.util_rules.debian_locks import (
    LOCK_SCHEMA,
    LockedBase,
    accepted_scripts,
    check_inputs,
    debian_base,
)
from slim_python_image.util_rules.registry_base import read_registry_base


@rule(desc="Read the lock of a base")
async def read_base(request: BaseRequest) -> PlatformBase:
    target = await engine.target(request.address, request.origin or "the field `base`")
    if target.has_field(RegistryImageField):
        if request.packages:
            raise SlimImageError(
                f"{request.origin}: the field `extra_packages` names {request.packages[-1]}, but its base "
                f"{request.address} is an image of a registry, whose packages nobody here can lock\n"
                "  -> name an image that has them in the field `image` of the base, or let the image have a "
                "`debian_python_base`"
            )
        return PlatformBase(await read_registry_base(request, **implicitly()))
    if not target.has_field(BaseSuitesField):
        whose = f"{request.origin}: " if request.origin else ""
        raise SlimImageError(
            f"{whose}the field `base` names {request.address}, which is a "
            f"`{target.alias}`\n  -> name a `debian_python_base` or `registry_python_base` target"
        )
    check_platform(target, request.platform, request.origin)
    path = target[BaseLockfileField].path
    data = await engine.read_path(path)
    locked = LockedBase(request.address, path, parse_lock(request.address, path, data, LOCK_SCHEMA))
    check_inputs(target, locked)
    accepted = accepted_scripts(target, locked)
    return PlatformBase(debian_base(locked, request, host_platform(), accepted))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
