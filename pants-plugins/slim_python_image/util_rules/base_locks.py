"""What the locks of all kinds of bases have in common: how they are read, compared and written again."""

from __future__ import annotations

import json
import platform as host
from typing import Any, Iterable

from pants.engine.addresses import Address
from pants.engine.target import Field, Target
from pants.util.docutil import bin_name

from ociwheel.platforms import of_machine
from slim_python_image.base_target import BasePlatformsField
from slim_python_image.products import SlimImageError

_BUILD_ON = ("linux/amd64", "linux/arm64")


def relock_command(resolve: str) -> str:
    """Return the command that writes a lock again."""
    return f"{bin_name()} generate-lockfiles --resolve={resolve}"


def parse_lock(address: Address, path: str, data: bytes | None, schema: str) -> dict[str, Any]:
    """Return the lock of a base.

    :param schema: the `schema` that this plugin reads.
    :raises SlimImageError: there is none, or it is not a lock of that schema.
    """
    relock = relock_command(address.target_name)
    if data is None:
        raise SlimImageError(f"{address}: the base has no lock, {path} is not there\n  -> write it: {relock}")
    try:
        lock = json.loads(data)
    except ValueError as e:
        raise SlimImageError(
            f"{path}: is not JSON ({e}); a merge conflict?\n  -> write it again: {relock}"
        ) from None
    found = lock.get("schema") if isinstance(lock, dict) else None
    if found != schema:
        raise SlimImageError(
            f"{path}: expected a {schema} document, found {found!r}\n  -> write it again: {relock}"
        )
    assert isinstance(lock, dict)
    return lock


def host_platform() -> str:
    """Return the OCI platform whose programs this machine runs."""
    row = of_machine(host.machine())
    if row is None or row.oci not in _BUILD_ON:
        raise SlimImageError(
            f"this machine is a {host.machine()}, where no step runs\n"
            f"  -> build on one of these: {', '.join(_BUILD_ON)}"
        )
    return row.oci


def bases_by_name(targets: Iterable[Target], field: type[Field]) -> dict[str, Target]:
    """Return the bases of one kind among targets by the name that they are locked by.

    :param field: that the targets of this kind have.
    :raises SlimImageError: two have the same name.
    """
    found: dict[str, Target] = {}
    for target in targets:
        if not target.has_field(field):
            continue
        name = target.address.target_name
        if name in found:
            raise SlimImageError(
                f"{found[name].address} and {target.address} are bases of one name, which is the name of "
                "their lock too\n  -> rename one"
            )
        found[name] = target
    return found


def check_platform(target: Target, platform: str, origin: str) -> None:
    """Raise when a base is not for the platform that is asked for.

    :param origin: who asks, for the message.
    """
    platforms = target[BasePlatformsField].value or ()
    if platform not in platforms:
        raise SlimImageError(
            f"{origin or target.address}: the platform {platform} is not one of the "
            f"base {target.address}, which has {', '.join(platforms)}\n"
            f"  -> add it to the field `platforms` of {target.address}, then: "
            f"{relock_command(target.address.target_name)}"
        )
