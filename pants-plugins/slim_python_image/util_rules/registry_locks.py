"""The lock of a base that a registry has: read, compared with its target, and turned into values."""

from __future__ import annotations

import posixpath
from dataclasses import replace
from typing import Any, Iterable, Mapping

from pants.backend.docker.registries import DockerRegistries
from pants.engine.addresses import Address
from pants.engine.target import Target
from pants.util.frozendict import FrozenDict

from slim_python_image.base_target import BaseLockfileField, BasePlatformsField
from slim_python_image.bases import Interpreter, RegistryBase
from slim_python_image.products import SlimImageError, TargetEnvironment
from slim_python_image.registry_target import RegistryBuilderImageField, RegistryImageField
from slim_python_image.remote_layers import RemoteLayer, RemoteLayers
from slim_python_image.util_rules.base_locks import parse_lock, relock_command

# As skopeo and podman name an image that is an OCI layout.
LAYOUT_PREFIX = "oci:"
LOCK_SCHEMA = "ociwheel.registry-lock/1"
# Where steps look for the Python of an image.
_USUAL_FOLDERS = ("/usr/local/bin", "/usr/bin", "/bin")


def layout_folder(image: str) -> str | None:
    """Return the folder of an image that is an OCI layout of the repository, ``None`` for a registry's.

    Names are skopeo's: ``oci:PATH[:REFERENCE]``.
    """
    if not image.startswith(LAYOUT_PREFIX):
        return None
    return image[len(LAYOUT_PREFIX) :].partition(":")[0].rstrip("/")


def check_layout(image: str, owner: Address, field: str) -> None:
    """Raise when the name of a layout leads out of the repository."""
    folder = layout_folder(image)
    if folder is None:
        return
    parts = folder.split("/")
    if (
        not folder
        or folder.startswith("/")
        or not {"", ".", ".."}.isdisjoint(parts)
        or set("*?[]!") & set(folder)
    ):
        raise SlimImageError(
            f"{owner}: the field `{field}` is {image!r}, but a layout is a folder of the repository\n"
            "  -> write its path from the repository's root: oci:path/of/layout or oci:path/of/layout:tag"
        )


def expand_alias(image: str, registries: DockerRegistries, owner: Address) -> str:
    """Return an image's name with an alias of `[docker].registries` replaced by its address."""
    alias, slash, rest = image.partition("/")
    if not alias.startswith("@"):
        return image
    options = registries.registries.get(alias)
    if options is None or not slash:
        known = ", ".join(sorted(name for name in registries.registries if name.startswith("@"))) or "none"
        raise SlimImageError(
            f"{owner}: {image!r} names no registry of [docker].registries, which has {known}\n"
            "  -> add it there, or write the registry's address"
        )
    return f"{options.address}/{rest}"


def plain_name(image: str) -> str:
    """Return an image's name without its registry: what a lock holds."""
    first, slash, rest = image.partition("/")
    if image.startswith(LAYOUT_PREFIX):
        return image
    if slash and (first.startswith("@") or "." in first or ":" in first or first == "localhost"):
        return rest
    return image


def lock_names(target: Target) -> dict[str, str]:
    """Return the names of a base's images as its lock has them."""
    names = {
        "image": target[RegistryImageField].value,
        "builder_image": target[RegistryBuilderImageField].value,
    }
    return {role: plain_name(name) for role, name in names.items() if name}


def parse_registry_lock(target: Target, data: bytes | None) -> dict[str, Any]:
    """Return the lock of a base.

    :raises SlimImageError: there is none, it is damaged, or older than the target's fields.
    """
    address, path = target.address, target[BaseLockfileField].path
    relock = relock_command(address.target_name)
    lock = parse_lock(address, path, data, LOCK_SCHEMA)
    written, wanted = lock["inputs"], lock_names(target)
    stale = [role for role in ("image", "builder_image") if written.get(role) != wanted.get(role)]
    if set(target[BasePlatformsField].value or ()) - set(lock["platforms"]):
        stale.append("platforms")
    if stale:
        fields = ", ".join(f"`{field}`" for field in stale)
        raise SlimImageError(
            f"{path}: the lock is older than the fields {fields} of {address}\n  -> write it again: {relock}"
        )
    return lock


def remote_layers_of(
    rows: Iterable[Mapping[str, Any]], image_name: str, resolve: str, python: str = ""
) -> RemoteLayers:
    """Return the layers that a lock, or the core's resolving step, lists.

    :param python: as :class:`RemoteLayers` has it.
    """
    return RemoteLayers(
        tuple(
            RemoteLayer(
                digest=row["digest"],
                size=row["size"],
                media_type=row["mediaType"],
                diff_id=row["diff_id"],
                title=row.get("created_by", ""),
                unpacked=row.get("unpacked", 0),
            )
            for row in rows
        ),
        image_name,
        resolve,
        python,
    )


def python_folder(found: Mapping[str, Any]) -> str:
    """Return where steps have to be told that Python is, from what locking found; else nothing."""
    folder = posixpath.dirname(found["interpreter"])
    return "" if folder in _USUAL_FOLDERS else folder


def interpreter_of(
    lock: Mapping[str, Any], target: TargetEnvironment, image_name: str, resolve: str, runs: str
) -> Interpreter:
    """Return the Python that runs steps: the base's own for this machine.

    musl's cannot load the steps' libraries, and not every image is for this machine: then it is the
    machine's own, which must be of the base's version.
    """
    rows = {**lock["interpreters"], **lock["platforms"]}
    mine = replace(target, platform=runs)
    if target.libc != "glibc" or runs not in rows:
        return Interpreter(resolve, mine, None)
    # It is of the same image, whatever its platform.
    python = python_folder(lock["platforms"][target.platform]["found"])
    return Interpreter(resolve, mine, remote_layers_of(rows[runs]["layers"], image_name, resolve, python))


def base_of_lock(
    lock: Mapping[str, Any], platform: str, names: Mapping[str, str], resolve: str, runs: str
) -> RegistryBase:
    """Return one platform of a base.

    :param names: names of the images with their registries, by field.
    :param runs: the platform whose programs this machine runs.
    """
    row = lock["platforms"][platform]
    found = row["found"]
    target = TargetEnvironment.of(row["target"])
    builder = row.get("builder")
    return RegistryBase(
        resolve=resolve,
        target=target,
        interpreter=interpreter_of(lock, target, names["image"], resolve, runs),
        name=lock["inputs"]["image"],
        root=lock["image"]["digest"],
        manifest=row["manifest"]["digest"],
        image=remote_layers_of(row["layers"], names["image"], resolve),
        builder=remote_layers_of(builder["layers"], names["builder_image"], resolve, python_folder(found))
        if builder
        else None,
        python=found["interpreter"],
        certificates=found["certificates"],
        nonroot=found["nonroot"],
        env=FrozenDict(sorted(row["env"].items())),
        labels=FrozenDict(sorted(row["labels"].items())),
    )


def image_names(target: Target, registries: DockerRegistries) -> dict[str, str]:
    """Return the names of a base's images with their registries, by field."""
    fields = (RegistryImageField, RegistryBuilderImageField)
    names = {field.alias: target[field].value for field in fields}
    for role, name in names.items():
        check_layout(name or "", target.address, role)
    return {role: expand_alias(name, registries, target.address) for role, name in names.items() if name}
