"""`pants generate-lockfiles` of bases that a registry has, or a layout in the repository."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.base.build_environment import get_buildroot
from pants.core.goals.generate_lockfiles import (
    GenerateLockfile,
    GenerateLockfileResult,
    KnownUserResolveNames,
    KnownUserResolveNamesRequest,
    RequestedUserResolveNames,
    UserGenerateLockfiles,
)
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.target import AllTargets
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.base_target import BaseLockfileField, BasePlatformsField
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.registry_target import RegistryImageField
from slim_python_image.util_rules.base_locks import bases_by_name
from slim_python_image.util_rules.registry_images import InspectImageRequest, inspect_image
from slim_python_image.util_rules.registry_locks import (
    image_names,
    layout_folder,
    lock_names,
    remote_layers_of,
)
from slim_python_image.util_rules.steps import StepRequest, Toolbox, run_step

# Machines that build: their Python is locked too.
_HOSTS = ("linux/amd64", "linux/arm64")
_LAYOUTS = "layouts"


@dataclass(frozen=True)
class GenerateRegistryLock(GenerateLockfile):
    """Resolve the images of one base.

    :param names: of the images without their registries, as JSON; the other two have them.
    """

    names: str
    image: str
    builder_image: str | None
    platforms: tuple[str, ...]


class RequestedRegistryBaseNames(RequestedUserResolveNames):
    """Bases to lock, by target name."""


class KnownRegistryBaseNamesRequest(KnownUserResolveNamesRequest):
    """Which bases there are."""


@rule
async def known_registry_bases(
    _: KnownRegistryBaseNamesRequest, all_targets: AllTargets
) -> KnownUserResolveNames:
    return KnownUserResolveNames(
        names=tuple(sorted(bases_by_name(all_targets, RegistryImageField))),
        option_name="the names of `registry_python_base` targets",
        requested_resolve_names_cls=RequestedRegistryBaseNames,
    )


@rule
async def registry_lock_requests(
    requested: RequestedRegistryBaseNames, all_targets: AllTargets, docker: DockerOptions
) -> UserGenerateLockfiles:
    bases = bases_by_name(all_targets, RegistryImageField)
    requests = []
    for name in sorted(requested):
        names = image_names(bases[name], docker.registries())
        requests.append(
            GenerateRegistryLock(
                resolve_name=name,
                lockfile_dest=bases[name][BaseLockfileField].path,
                diff=False,
                names=canonical_json(lock_names(bases[name])).decode(),
                image=names["image"],
                builder_image=names.get("builder_image"),
                platforms=tuple(bases[name][BasePlatformsField].value or ()),
            )
        )
    return UserGenerateLockfiles(requests)


async def layout_tree(resolve: str, folder: str) -> Digest:
    """Return a layout of the repository.

    :raises SlimImageError: Pants sees no file of it.
    """
    tree = await engine.repository_folder(folder)
    if tree != EMPTY_DIGEST:
        return tree
    if (Path(get_buildroot()) / folder).is_dir():
        raise SlimImageError(
            f"{resolve}: Pants sees no file of the layout {folder}, it is empty or ignored\n"
            "  -> keep it where neither .gitignore nor [GLOBAL].pants_ignore names it; both name dist"
        )
    raise SlimImageError(
        f"{resolve}: there is no layout {folder} in the repository\n"
        f"  -> write it, for example: skopeo copy --all docker://IMAGE oci:{folder}:TAG"
    )


@rule
async def lock_registry_base(request: GenerateRegistryLock, toolbox: Toolbox) -> GenerateLockfileResult:
    names = {"image": request.image, "builder_image": request.builder_image or ""}
    folders = {role: folder for role, name in names.items() if (folder := layout_folder(name))}
    trees = {
        f"{_LAYOUTS}/{role}": await layout_tree(request.resolve_name, folder)
        for role, folder in folders.items()
    }
    asked = {
        "image": request.image,
        "builder_image": request.builder_image,
        "platforms": list(request.platforms),
        "interpreters": list(_HOSTS),
        "layouts": {role: f"{_LAYOUTS}/{role}" for role in folders},
    }
    outcome = await run_step(
        StepRequest(
            step="registry-resolve",
            arguments=("--request", "request.json"),
            description=f"Resolve the images of {request.resolve_name}",
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": canonical_json(asked)}),
            trees=FrozenDict(trees),
            fresh=True,
        ),
        **implicitly(),
    )
    resolved = outcome.fields()
    rows = resolved["image"]["platforms"]
    requests = [
        InspectImageRequest(
            remote_layers_of(rows[name]["layers"], request.image, request.resolve_name),
            canonical_json(
                {
                    "name": resolved["image"]["name"],
                    "platform": name,
                    "env": rows[name]["image"]["env"],
                    "layers": rows[name]["layers"],
                }
            ).decode(),
            name,
        )
        for name in request.platforms
    ]
    learned = await concurrently(inspect_image(one, **implicitly()) for one in requests)
    document = {
        "names": json.loads(request.names),
        "platforms": list(request.platforms),
        "resolved": resolved,
        "learned": {name: one.fields() for name, one in zip(request.platforms, learned)},
    }
    written = await run_step(
        StepRequest(
            step="registry-lock",
            arguments=("--request", "request.json", "--output", request.lockfile_dest),
            description=f"Write the lock of {request.resolve_name}",
            toolbox=toolbox,
            inputs=await engine.create_files({"request.json": canonical_json(document)}),
            output_files=(request.lockfile_dest,),
        ),
        **implicitly(),
    )
    written.fields()
    return GenerateLockfileResult(written.digest, request.resolve_name, request.lockfile_dest)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(GenerateLockfile, GenerateRegistryLock),
        UnionRule(KnownUserResolveNamesRequest, KnownRegistryBaseNamesRequest),
        UnionRule(RequestedUserResolveNames, RequestedRegistryBaseNames),
    )
