"""Bases: a `debian_python_base` target and its lock, turned into layers, sysroot and interpreter."""

from __future__ import annotations

import json
import platform as host
from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.engine.rules import collect_rules, rule
from pants.engine.target import Target
from pants.util.docutil import bin_name
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.products import (
    Base,
    BaseLayers,
    BaseLayersRequest,
    BaseRequest,
    BuilderGroup,
    DebFiles,
    DebFilesRequest,
    DebLayerRequest,
    DebPackage,
    FetchedDeb,
    ImageTreeRequest,
    Interpreter,
    Layer,
    LayerGroup,
    RegistryBaseRequest,
    RootfsLayerRequest,
    SlimImageError,
    StepOutcome,
    StepRequest,
    SysrootRequest,
    TargetEnvironment,
    Toolbox,
    ToolsRequest,
    Tree,
    VenvLayerRequest,
    canonical_json,
)
from slim_python_image.registry_products import RemoteLayers
from slim_python_image.registry_target import RegistryImageField
from slim_python_image.target_types import (
    BaseBuilderPackagesField,
    BaseComponentsField,
    BaseEmulationPackagesField,
    BaseExcludedPackagesField,
    BaseLockfileField,
    BasePackagesField,
    BasePlatformsField,
    BasePythonField,
    BaseSuitesField,
)

LOCK_SCHEMA = "ociwheel.debian-lock/1"
_LOCKED_FIELDS = (
    *("suites", "components", "packages", "builder_packages", "excluded_packages"),
    "emulation_packages",
)
_OUT = "out"
# platform.machine() of machines that build, as OCI platforms.
_HOST_PLATFORMS = {
    "x86_64": "linux/amd64",
    "amd64": "linux/amd64",
    "aarch64": "linux/arm64",
    "arm64": "linux/arm64",
}


def relock_command(resolve: str) -> str:
    """Return the command that writes a lock again."""
    return f"{bin_name()} generate-lockfiles --resolve={resolve}"


def lock_inputs(target: Target) -> dict[str, Any]:
    """Return the fields of a base that its lock was resolved from."""
    excluded = target[BaseExcludedPackagesField].value
    emulation = target[BaseEmulationPackagesField].value
    chosen = {} if excluded is None else {"excluded_packages": list(excluded)}
    chosen.update({"emulation_packages": list(emulation)} if emulation else {})
    return {
        **chosen,
        "name": target.address.target_name,
        "suites": list(target[BaseSuitesField].value or ()),
        "components": list(target[BaseComponentsField].value or ()),
        "packages": list(target[BasePackagesField].value or ()),
        "builder_packages": list(target[BaseBuilderPackagesField].value or ()),
        "python": target[BasePythonField].value,
        "platforms": list(target[BasePlatformsField].value or ()),
    }


@dataclass(frozen=True)
class LockedBase:
    """A base's lock as it stands in the repository."""

    address: Address
    path: str
    lock: Mapping[str, Any]

    @property
    def resolve(self) -> str:
        """The name to relock with."""
        return self.address.target_name

    def error(self, what: str, hint: str) -> SlimImageError:
        """Return an error about this lock."""
        return SlimImageError(f"{self.path}: {what}\n  -> {hint}")

    def packages(self, keys: list[str]) -> tuple[DebPackage, ...]:
        """Return locked packages by their keys."""
        table = self.lock["packages"]
        return tuple(
            DebPackage(
                name=row["name"],
                version=row["version"],
                architecture=row["architecture"],
                archive=row["archive"],
                path=row["path"],
                size=row["size"],
                sha256=row["sha256"],
            )
            for row in (table[key] for key in keys)
        )


def builder_groups(locked: LockedBase, platform: str) -> FrozenDict[str, BuilderGroup]:
    """Return the locked groups of a platform; a lock of before there were groups has none.

    Whether they are those of today's options is asked when one of their distributions is compiled: a
    group that is new makes no other build wait for a new lock.
    """
    wanted = locked.lock.get("inputs", {}).get("builder_groups", {})
    groups = locked.lock["platforms"][platform].get("builder_groups", {})
    return FrozenDict(
        {
            name: BuilderGroup(tuple(wanted.get(name, ())), locked.packages(keys))
            for name, keys in groups.items()
        }
    )


def build_tools(locked: LockedBase, host_name: str) -> FrozenDict[str, tuple[DebPackage, ...]]:
    """Return the programs for builds on this machine; a lock of before they were locked has none."""
    rows = locked.lock.get("tools", {}).get(host_name, {})
    return FrozenDict({name: locked.packages(keys) for name, keys in rows.items()})


def check_inputs(target: Target, locked: LockedBase) -> None:
    """Raise when a base's fields are not those its lock was resolved from."""
    written, wanted = dict(locked.lock.get("inputs", {})), lock_inputs(target)
    stale = [field for field in _LOCKED_FIELDS if written.get(field) != wanted.get(field)]
    if wanted["python"] is not None and wanted["python"] != locked.lock["python"]:
        stale.append("python")
    if set(wanted["platforms"]) - set(locked.lock["platforms"]):
        stale.append("platforms")
    if stale:
        raise locked.error(
            f"the lock is older than the fields {', '.join(f'`{f}`' for f in stale)} of {target.address}",
            f"write it again: {relock_command(locked.resolve)}",
        )


def parse_lock(address: Address, path: str, data: bytes | None) -> LockedBase:
    """Return the lock in ``data``.

    :raises SlimImageError: there is none, or it is not a lock of the version this plugin reads.
    """
    resolve = address.target_name
    if data is None:
        raise SlimImageError(
            f"{address}: the base has no lock, {path} is not there\n  -> write it: {relock_command(resolve)}"
        )
    try:
        lock = json.loads(data)
    except ValueError as e:
        raise SlimImageError(
            f"{path}: is not JSON ({e}); a merge conflict?\n  -> write it again: {relock_command(resolve)}"
        ) from None
    found = lock.get("schema") if isinstance(lock, dict) else None
    if found != LOCK_SCHEMA:
        raise SlimImageError(
            f"{path}: expected a {LOCK_SCHEMA} document, found {found!r}\n"
            f"  -> write it again: {relock_command(resolve)}"
        )
    return LockedBase(address, path, lock)


def _target_environment(fields: Mapping[str, Any]) -> TargetEnvironment:
    return TargetEnvironment(
        platform=fields["platform"],
        python=fields["python"],
        libc=fields["libc"],
        libc_version=fields["libc_version"],
    )


def host_platform() -> str:
    """Return the OCI platform whose programs this machine runs."""
    machine = host.machine().lower()
    if machine not in _HOST_PLATFORMS:
        raise SlimImageError(
            f"this machine is a {machine}; steps run on {', '.join(sorted(set(_HOST_PLATFORMS)))}"
        )
    return _HOST_PLATFORMS[machine]


def check_platform(request: BaseRequest, target: Target) -> None:
    """Raise when a base is not for the platform that is asked for."""
    platforms = target[BasePlatformsField].value or ()
    if request.platform not in platforms:
        raise SlimImageError(
            f"{request.origin or request.address}: the platform {request.platform} is not one of the "
            f"base {request.address}, which has {', '.join(platforms)}\n"
            f"  -> add it to the field `platforms` of {request.address}, then: "
            f"{relock_command(request.address.target_name)}"
        )


@rule(desc="Read the lock of a base")
async def read_base(request: BaseRequest) -> Base:
    wrapped = await engine.target(request.address, request.origin or "the field `base`")
    target = wrapped.target
    if target.has_field(RegistryImageField):
        return await engine.registry_base(RegistryBaseRequest(request))
    if not target.has_field(BaseSuitesField):
        whose = f"{request.origin}: " if request.origin else ""
        raise SlimImageError(
            f"{whose}the field `base` names {request.address}, which is a "
            f"`{target.alias}`\n  -> name a `debian_python_base` or `registry_python_base` target"
        )
    check_platform(request, target)
    path = target[BaseLockfileField].path
    data = await engine.read_path(path)
    locked = parse_lock(request.address, path, data)
    check_inputs(target, locked)
    one = locked.lock["platforms"][request.platform]
    environment = _target_environment(one["target"])
    runs = host_platform()
    return Base(
        resolve=locked.resolve,
        target=environment,
        groups=tuple(
            LayerGroup(g["title"], g["bytecode"], locked.packages(g["packages"])) for g in one["layers"]
        ),
        builder=locked.packages(one["builder"]),
        interpreter=Interpreter(
            resolve=locked.resolve,
            target=TargetEnvironment(runs, environment.python, environment.libc, environment.libc_version),
            packages=locked.packages(locked.lock["interpreters"][runs]),
        ),
        builder_groups=builder_groups(locked, request.platform),
        emulation=locked.packages(one.get("emulation", [])),
        tools=build_tools(locked, runs),
    )


# --- packages ---------------------------------------------------------------------------------------


@rule
async def fetch_deb(package: DebPackage, toolbox: Toolbox) -> FetchedDeb:
    outcome = await engine.run_step(
        StepRequest(
            step="fetch-deb",
            arguments=(
                "--archive",
                package.archive,
                "--path",
                package.path,
                "--size",
                str(package.size),
                "--sha256",
                package.sha256,
                "--output",
                _OUT,
            ),
            description=f"Fetch {package.name} {package.version} ({package.architecture})",
            toolbox=toolbox,
            output_directories=(_OUT,),
        )
    )
    return FetchedDeb(outcome)


@rule
async def fetch_debs(request: DebFilesRequest) -> DebFiles:
    fetched = await engine.fetched_debs(request.packages)
    failed = [deb.outcome.error for deb in fetched if deb.outcome.error is not None]
    if failed:
        raise SlimImageError(
            "\n".join(failed)
            + f"\n  -> lock the versions that the mirrors have: {relock_command(request.resolve)}"
        )
    merged = await engine.merge(deb.outcome.digest for deb in fetched)
    return DebFiles(await engine.remove_prefix(merged, _OUT))


async def _with_debs(packages: tuple[DebPackage, ...], resolve: str, **files: bytes) -> Digest:
    """Return a sandbox's input: the packages in ``debs``, and named JSON files."""
    debs = await engine.deb_files(DebFilesRequest(packages, resolve))
    folder = await engine.add_prefix(debs.digest, "debs")
    named = await engine.create_files({f"{name}.json": data for name, data in files.items()})
    return await engine.merge((folder, named))


def tree_of(outcome: StepOutcome) -> Digest:
    """Return a step's files, after looking that it did not fail."""
    outcome.fields()
    return outcome.digest


@rule
async def unpack_interpreter(request: Interpreter, toolbox: Toolbox) -> Tree:
    if request.image is not None:
        return await engine.image_tree(ImageTreeRequest("image-interpreter", request.image, request.target))
    outcome = await engine.run_step(
        StepRequest(
            step="interpreter",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description=f"Unpack Python {request.target.python} for this machine",
            toolbox=toolbox,
            inputs=await _with_debs(request.packages, request.resolve, target=request.target.to_json()),
            output_directories=(_OUT,),
        )
    )
    return Tree(await engine.remove_prefix(tree_of(outcome), _OUT))


@rule
async def unpack_sysroot(request: SysrootRequest, toolbox: Toolbox) -> Tree:
    if request.image is not None:
        return await engine.image_tree(ImageTreeRequest("image-sysroot", request.image, request.target))
    outcome = await engine.run_step(
        StepRequest(
            step="sysroot",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description=f"Unpack headers and libraries for {request.target.platform}",
            toolbox=toolbox,
            inputs=await _with_debs(request.packages, request.resolve, target=request.target.to_json()),
            output_directories=(_OUT,),
        )
    )
    return Tree(await engine.remove_prefix(tree_of(outcome), _OUT))


@rule
async def unpack_tools(request: ToolsRequest, toolbox: Toolbox) -> Tree:
    outcome = await engine.run_step(
        StepRequest(
            step="tools",
            arguments=("--debs", "debs", "--target", "target.json", "--output", _OUT),
            description="Unpack programs for builds",
            toolbox=toolbox,
            inputs=await _with_debs(request.packages, request.resolve, target=request.target.to_json()),
            output_directories=(_OUT,),
        )
    )
    return Tree(await engine.remove_prefix(tree_of(outcome), _OUT))


# --- layers -----------------------------------------------------------------------------------------


async def make_layer(request: StepRequest) -> Layer:
    """Run a step that writes a layer to ``out``."""
    outcome = await engine.run_step(request)
    fields = outcome.fields()
    files = await engine.remove_prefix(outcome.digest, _OUT)
    return Layer(
        document=canonical_json(fields).decode(),
        digest=fields["descriptor"]["digest"],
        size=fields["descriptor"]["size"],
        unpacked_size=fields["unpacked_size"],
        elf_files=fields["elf_files"],
        title=fields["title"],
        blobs=await engine.subset(files, "blobs/**"),
        facts=await engine.subset(files, "layer-facts.json"),
        inputs=await engine.step_inputs(request),
    )


@rule
async def deb_layer(request: DebLayerRequest, toolbox: Toolbox) -> Layer:
    group, python = request.group, request.interpreter
    bytecode = group.bytecode and request.bytecode != "none"
    extra: tuple[str, ...] = ()
    if bytecode:
        extra = ("--python-minor", python.target.minor, "--bytecode", request.bytecode)
    return await make_layer(
        StepRequest(
            step="deb-layer",
            arguments=("--debs", "debs", "--title", group.title, *extra, "--output", _OUT),
            description=f"Layer {group.title} ({group.packages[0].architecture})",
            toolbox=toolbox,
            inputs=await _with_debs(group.packages, python.resolve),
            interpreter=await engine.interpreter(python) if bytecode else None,
            output_directories=(_OUT,),
        )
    )


@rule
async def rootfs_layer(request: RootfsLayerRequest, toolbox: Toolbox) -> Layer:
    return await make_layer(
        StepRequest(
            step="rootfs-layer",
            arguments=("--target", "target.json", "--prefix", request.prefix, "--output", _OUT),
            description=f"Layer users and folders ({request.target.platform})",
            toolbox=toolbox,
            inputs=await engine.create_files({"target.json": request.target.to_json()}),
            output_directories=(_OUT,),
        )
    )


def remote_layers(image: RemoteLayers) -> tuple[Layer, ...]:
    """Return the layers of a registry's image, by descriptor: no byte of them is here."""
    return tuple(
        Layer(
            document=canonical_json(layer.document()).decode(),
            digest=layer.digest,
            size=layer.size,
            unpacked_size=layer.unpacked,
            elf_files=0,
            title=layer.title,
            blobs=EMPTY_DIGEST,
            facts=EMPTY_DIGEST,
            remote=layer,
        )
        for layer in image.layers
    )


@rule
async def base_layers(request: BaseLayersRequest) -> BaseLayers:
    base = request.base
    if base.registry is not None:
        # The environment's layer is the image's own: everything below it is somebody else's, by digest.
        venv = await engine.venv_layer(
            VenvLayerRequest(base.target, base.registry.interpreter, request.prefix)
        )
        return BaseLayers((*remote_layers(base.registry.image), venv))
    rootfs = await engine.rootfs_layer(RootfsLayerRequest(base.target, request.prefix))
    groups = await engine.deb_layers(
        DebLayerRequest(group, base.interpreter, request.bytecode) for group in base.groups
    )
    return BaseLayers((rootfs, *groups))


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
