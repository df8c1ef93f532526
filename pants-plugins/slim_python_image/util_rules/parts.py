"""What an image or a wheel set consists of, read from its target and its dependency graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pants.backend.python.dependency_inference.module_mapper import (
    PythonModuleOwnersRequest,
    map_module_to_address,
)
from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.backend.python.target_types import (
    PythonRequirementResolveField,
    PythonRequirementsField,
    PythonResolveField,
)
from pants.backend.python.util_rules.local_dists import isolate_local_dist_wheels
from pants.backend.python.util_rules.python_sources import PythonSourceFilesRequest, strip_python_sources
from pants.core.target_types import FileSourceField
from pants.core.util_rules.source_files import SourceFilesRequest, determine_source_files
from pants.engine.addresses import Address
from pants.engine.fs import Digest, FileEntry
from pants.engine.internals.graph import resolve_dependencies, transitive_targets
from pants.engine.target import (
    Dependencies,
    DependenciesRequest,
    FieldSet,
    InferDependenciesRequest,
    InferredDependencies,
    SourcesField,
    Target,
    TransitiveTargetsRequest,
)
from pants.engine.unions import UnionRule
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.annotations import AnnotationsField
from slim_python_image.by_name import collect_rules, concurrently, implicitly, rule
from slim_python_image.products import ImageConfig, ImageParts, LayerOptions, Root, SlimImageError, Wheel
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import (
    AcceptField,
    ArgsField,
    BaseField,
    BasePlatformsField,
    BytecodeField,
    CompressionField,
    EntryPointField,
    EnvField,
    ExcludeField,
    ExtendsField,
    ImageDependenciesField,
    ImagePlatformsField,
    LabelsField,
    LayerBudgetField,
    NoBinaryField,
    OnlyBinaryField,
    PortsField,
    ScriptField,
    StopSignalField,
    StripField,
    UserField,
    VolumesField,
    WorkdirField,
)
from slim_python_image.util_rules.footing import footing, one_address


@dataclass(frozen=True)
class ImagePartsRequest:
    """Read an image target."""

    address: Address


PREFIX = "/app"
DEFAULT_ENVIRONMENT = FrozenDict(
    {
        "PATH": f"{PREFIX}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "LANG": "C.UTF-8",
    }
)


# --- dependencies that fields imply ------------------------------------------------------------------


@dataclass(frozen=True)
class BaseInferenceFieldSet(FieldSet):
    """Targets that stand on a base."""

    required_fields = (BaseField,)

    base: BaseField


class InferBaseDependency(InferDependenciesRequest[BaseInferenceFieldSet]):
    """The base of an image or a wheel set, so that changing it changes them."""

    infer_from = BaseInferenceFieldSet


@dataclass(frozen=True)
class ImageInferenceFieldSet(FieldSet):
    """Images, whose entry point and parent are dependencies too."""

    required_fields = (EntryPointField, ExtendsField)

    entry_point: EntryPointField
    extends: ExtendsField


class InferImageDependencies(InferDependenciesRequest[ImageInferenceFieldSet]):
    """The owner of an image's entry point, and the image it extends."""

    infer_from = ImageInferenceFieldSet


async def entry_point_owners(value: str | None, python_setup: PythonSetup) -> tuple[Address, ...]:
    """Return the addresses that own an entry point's module.

    Of a package that runs as `python -m`, both `__init__` and `__main__`.
    """
    if not value:
        return ()
    module, _, function = value.partition(":")
    resolve = python_setup.default_resolve if python_setup.enable_resolves else None
    found: list[Address] = []
    for name in (module,) if function else (module, f"{module}.__main__"):
        owners = await map_module_to_address(PythonModuleOwnersRequest(name, resolve=resolve), **implicitly())
        found.extend(owners.unambiguous)
    return tuple(dict.fromkeys(found))


@rule(desc="Infer the base of an image")
async def infer_base(request: InferBaseDependency) -> InferredDependencies:
    field = request.field_set.base
    assert field.value is not None
    return InferredDependencies([await one_address(field.value, field.address, field.alias)])


@rule(desc="Infer the entry point and the parent of an image")
async def infer_image(request: InferImageDependencies, python_setup: PythonSetup) -> InferredDependencies:
    fields = request.field_set
    found = list(await entry_point_owners(fields.entry_point.value, python_setup))
    if fields.extends.value:
        found.append(await one_address(fields.extends.value, fields.address, fields.extends.alias))
    return InferredDependencies(found)


# --- requirements ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Requirements:
    """Third-party requirements of a dependency graph and the lockfile that pins them."""

    roots: tuple[Root, ...]
    resolve: str
    lockfile: str


def requirements_of(targets: Iterable[Target], owner: Address, python_setup: PythonSetup) -> Requirements:
    """Return the requirements among ``targets``.

    :raises SlimImageError: resolves are off, or the requirements are of several resolves.
    """
    if not python_setup.enable_resolves:
        raise SlimImageError(
            f"{owner}: no lockfile pins the wheels\n"
            "  -> set `[python].enable_resolves = true` and `[python].resolves` in pants.toml"
        )
    roots: set[Root] = set()
    resolves: dict[str, Address] = {}
    for target in targets:
        if target.has_field(PythonRequirementsField):
            resolve = target[PythonRequirementResolveField].normalized_value(python_setup)
            resolves.setdefault(resolve, target.address)
            roots |= {Root(str(r), str(target.address)) for r in target[PythonRequirementsField].value}
        elif target.has_field(PythonResolveField):
            resolves.setdefault(target[PythonResolveField].normalized_value(python_setup), target.address)
    if len(resolves) > 1:
        listed = "\n".join(f"  {resolve}: {address}" for resolve, address in sorted(resolves.items()))
        raise SlimImageError(
            f"{owner}: its dependencies are of several resolves\n{listed}\n"
            "  -> one image takes its wheels from one lockfile; use the same `resolve` throughout"
        )
    resolve = next(iter(resolves), python_setup.default_resolve)
    return Requirements(tuple(sorted(roots)), resolve, python_setup.resolves[resolve])


async def dependency_targets(field: Dependencies, aside: Iterable[Address]) -> tuple[Target, ...]:
    """Return the transitive targets of a dependencies field, some direct ones left out."""
    direct = await resolve_dependencies(DependenciesRequest(field), **implicitly())
    skipped = set(aside)
    roots = [address for address in direct if address not in skipped]
    reached = await transitive_targets(TransitiveTargetsRequest(roots), **implicitly())
    return tuple(reached.closure)


def binary_choices(
    target: Target, resolve: str, python_setup: PythonSetup
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the names to compile and the names never to compile."""
    no_binary = {*(target[NoBinaryField].value or ())}
    only_binary = {*(target[OnlyBinaryField].value or ())}
    for option, names in (
        (python_setup.options.resolves_to_no_binary, no_binary),
        (python_setup.options.resolves_to_only_binary, only_binary),
    ):
        names.update(option.get(resolve, option.get("__default__", ())))
    return tuple(sorted(no_binary)), tuple(sorted(only_binary))


# --- the parts of an image ---------------------------------------------------------------------------


@dataclass(frozen=True)
class FirstParty:
    """First-party code of an image: stripped sources, files, and wheels of distributions."""

    sources: Digest
    files: Digest
    wheels: tuple[Wheel, ...]


async def first_party(targets: tuple[Target, ...]) -> FirstParty:
    """Return the first-party code among ``targets``."""
    dists = [t for t in targets if PythonDistributionFieldSet.is_applicable(t)]
    local = await concurrently(
        isolate_local_dist_wheels(PythonDistributionFieldSet.create(t), **implicitly()) for t in dists
    )
    provided = frozenset(path for one in local for path in one.provided_files)
    wheels: list[Wheel] = []
    for one in local:
        for entry in await engine.entries(one.wheels_digest):
            assert isinstance(entry, FileEntry)
            filename = entry.path.rsplit("/", 1)[-1]
            name, version = filename.split("-")[:2]
            digest = await engine.create_entries([FileEntry(filename, entry.file_digest)])
            size = entry.file_digest.serialized_bytes_length
            wheels.append(Wheel(name, version, filename, size, entry.file_digest.fingerprint, digest))
    stripped = await strip_python_sources(
        **implicitly(PythonSourceFilesRequest(targets, include_resources=True, include_files=False))
    )
    sources = stripped.stripped_source_files.snapshot.digest
    if provided:
        kept = [e for e in await engine.entries(sources) if e.path not in provided]
        sources = await engine.create_entries(e for e in kept if isinstance(e, FileEntry))
    files = await determine_source_files(
        SourceFilesRequest(
            (t[SourcesField] for t in targets if t.has_field(SourcesField)),
            for_sources_types=(FileSourceField,),
            enable_codegen=True,
        )
    )
    return FirstParty(sources, files.snapshot.digest, tuple(sorted(wheels)))


def command(target: Target) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Return the OCI entry point of an image target, and the scripts it needs.

    :raises SlimImageError: both or neither of `entry_point` and `script` are set.
    """
    entry_point, script = target[EntryPointField].value, target[ScriptField].value
    if bool(entry_point) == bool(script):
        raise SlimImageError(
            f"{target.address}: set one of the fields `entry_point` and `script`, "
            f"{'not both' if entry_point else 'neither is set'}"
        )
    if script:
        return (f"{PREFIX}/bin/{script}",), ()
    assert entry_point is not None
    if ":" in entry_point:
        name = target.address.target_name
        return (f"{PREFIX}/bin/{name}",), ((name, entry_point),)
    # -P keeps the working directory off sys.path: what runs is what was packaged.
    return (f"{PREFIX}/bin/python", "-P", "-m", entry_point), ()


def image_config(
    target: Target, entrypoint: tuple[str, ...], below: ImageConfig | None = None
) -> ImageConfig:
    """Return the run-time configuration that a target's fields ask for.

    :param below: that of the image which is the target's base.
    """
    env = {**(below.env if below else DEFAULT_ENVIRONMENT), **(target[EnvField].value or {})}
    return ImageConfig(
        entrypoint=entrypoint,
        cmd=tuple(target[ArgsField].value or ()),
        env=FrozenDict(sorted(env.items())),
        user=target[UserField].value or (below.user if below else "nonroot"),
        workdir=target[WorkdirField].value or (below.workdir if below else PREFIX),
        ports=tuple(target[PortsField].value or ()),
        volumes=tuple(target[VolumesField].value or ()),
        labels=FrozenDict(sorted((target[LabelsField].value or {}).items())),
        stop_signal=target[StopSignalField].value,
    )


async def platforms_of(target: Target, base: Address) -> tuple[str, ...]:
    """Return a target's platforms, those of its base by default."""
    own = target[ImagePlatformsField].value
    if own:
        return tuple(own)
    named = await engine.target(base, f"the field `base` of {target.address}")
    if named.has_field(ExtendsField):
        return (await read_image(ImagePartsRequest(base), **implicitly())).platforms
    if not named.has_field(BasePlatformsField):
        raise SlimImageError(
            f"{target.address}: the field `base` names {base}, which is a `{named.alias}`\n"
            "  -> name a `debian_python_base` or `registry_python_base` target"
        )
    return tuple(named[BasePlatformsField].value or ())


@rule(desc="Read an image target")
async def read_image(
    request: ImagePartsRequest, options: SlimImageOptions, python_setup: PythonSetup
) -> ImageParts:
    target = await engine.target(request.address, "an image to package")
    if not target.has_field(ExtendsField):
        raise SlimImageError(
            f"{request.address} is a `{target.alias}`\n  -> name a `slim_python_image` target"
        )
    below = await footing(target)
    base, extends = below.base, below.extends
    aside = [base, *([extends] if extends else [])]
    targets = await dependency_targets(target[ImageDependenciesField], aside)
    requirements = requirements_of(targets, target.address, python_setup)
    own = await first_party(targets)
    entrypoint, scripts = command(target)
    no_binary, only_binary = binary_choices(target, requirements.resolve, python_setup)
    inherited = (
        await read_image(ImagePartsRequest(extends), **implicitly()) if extends and below.inherits else None
    )
    return ImageParts(
        address=target.address,
        base=base,
        extends=extends,
        platforms=await platforms_of(target, inherited.address if inherited else base),
        roots=requirements.roots,
        resolve=requirements.resolve,
        lockfile=requirements.lockfile,
        no_binary=no_binary,
        only_binary=only_binary,
        options=LayerOptions(
            PREFIX,
            target[BytecodeField].value or "none",
            tuple(target[ExcludeField].value or ()),
            options.compression_of(target[CompressionField].value),
            target[StripField].value,
        ),
        layer_budget=target[LayerBudgetField].value or options.layer_budget,
        sources=own.sources,
        files=own.files,
        local_wheels=own.wheels,
        scripts=scripts,
        config=image_config(target, entrypoint, inherited.config if inherited else None),
        accept=tuple(target[AcceptField].value or ()),
        annotations=FrozenDict(sorted((target[AnnotationsField].value or {}).items())),
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (
        *collect_rules(),
        UnionRule(InferDependenciesRequest, InferBaseDependency),
        UnionRule(InferDependenciesRequest, InferImageDependencies),
    )
