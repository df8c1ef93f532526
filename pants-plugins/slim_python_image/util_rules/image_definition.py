"""What an image or a wheel set consists of, read from its target and its dependency graph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from pants.backend.python.subsystems.setup import PythonSetup
from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.backend.python.target_types import InterpreterConstraintsField
from pants.engine.addresses import Address
from pants.engine.target import Target
from pants.engine.unions import UnionMembership
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.annotations import AnnotationsField
from slim_python_image.base_target import BasePlatformsField
from slim_python_image.bases import BaseRequest
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.content_fields import (
    FilesAtField,
    PreferField,
    SourceDateEpochField,
    StrictAuditField,
    WritableField,
)
from slim_python_image.layer_fields import LayerGroup, LayerGroupsField, MaxLayerSizeField
from slim_python_image.products import LayerOptions, Root, SlimImageError
from slim_python_image.start_fields import HealthcheckField, HealthcheckOptionsField, ImageResolveField
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.target_types import (
    AcceptField,
    ArgsField,
    BytecodeField,
    CompressionField,
    EnvField,
    ExcludeField,
    ExtendsField,
    ImageDependenciesField,
    LabelsField,
    LayerBudgetField,
    PortsField,
    StopSignalField,
    StripField,
    UserField,
    VolumesField,
    WorkdirField,
)
from slim_python_image.util_rules.ancestry import added_packages, ancestry
from slim_python_image.util_rules.declared_python import DeclaredPython, declared
from slim_python_image.util_rules.placed import check_taken, named_targets
from slim_python_image.util_rules.requirements import binary_choices, dependency_targets, requirements_of
from slim_python_image.util_rules.start import PREFIX, extra_environment, start_of
from slim_python_image.wheel_set_target import ImagePlatformsField


@dataclass(frozen=True)
class ImageConfig:
    """The run-time configuration of an image, in the OCI image specification's terms."""

    entrypoint: tuple[str, ...]
    cmd: tuple[str, ...]
    env: FrozenDict[str, str]
    user: str
    workdir: str
    ports: tuple[str, ...]
    volumes: tuple[str, ...]
    labels: FrozenDict[str, str]
    stop_signal: str | None
    healthcheck: FrozenDict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the core's ``config`` object."""
        return {
            "entrypoint": list(self.entrypoint),
            "cmd": list(self.cmd),
            "env": dict(self.env),
            "user": self.user,
            "workdir": self.workdir,
            "exposed_ports": list(self.ports),
            "volumes": list(self.volumes),
            "labels": dict(self.labels),
            "stop_signal": self.stop_signal,
            **({"healthcheck": dict(self.healthcheck)} if self.healthcheck else {}),
        }


@dataclass(frozen=True)
class ImageDefinition:
    """What an image target asks for, before anything is built: all but the content of its own files.

    An edit of these leaves it as it is, and what was made for it.

    :param start: what it starts, as the core's check takes it.
    :param folders: of the targets that have first-party code.
    :param time: of first-party files, in seconds since 1970; by default, it follows from each one's content.
    :param max_layer_size: bytes of a layer of wheels, ``None`` for any.
    :param start_script: the path in the repository of the file that is started first.
    :param packages: of Debian, that it and those it extends add to the base, as in :class:`BaseRequest`.
    """

    address: Address
    base: Address
    extends: Address | None
    platforms: tuple[str, ...]
    roots: tuple[Root, ...]
    resolve: str
    lockfile: str
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]
    options: LayerOptions
    layer_budget: int
    scripts: tuple[tuple[str, str], ...]
    config: ImageConfig
    accept: tuple[str, ...]
    annotations: FrozenDict[str, str] = FrozenDict()
    start: tuple[tuple[str, str], ...] = ()
    prefer: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    time: int | None = None
    strict_audit: bool = False
    declared: tuple[DeclaredPython, ...] = ()
    folders: tuple[str, ...] = ()
    groups: tuple[LayerGroup, ...] = ()
    max_layer_size: int | None = None
    packages: tuple[str, ...] = ()
    start_script: str | None = None

    def base_on(self, platform: str) -> BaseRequest:
        """Return the request of what it stands on, with the packages that it adds."""
        return BaseRequest(self.base, platform, str(self.address), self.packages)


@dataclass(frozen=True)
class ImageDefinitionRequest:
    """Read an image target."""

    address: Address


DEFAULT_ENVIRONMENT = FrozenDict(
    {
        "PATH": f"{PREFIX}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "SSL_CERT_FILE": "/etc/ssl/certs/ca-certificates.crt",
        "LANG": "C.UTF-8",
    }
)


async def content_targets(target: Target, base: Address, extends: Address | None) -> tuple[Target, ...]:
    """Return the targets whose content is in an image: its dependencies, without what it stands on."""
    aside = [base, *([extends] if extends else []), *await named_targets(target[FilesAtField])]
    return await dependency_targets(target[ImageDependenciesField], aside)


def code_folders(targets: Iterable[Target]) -> tuple[str, ...]:
    """Return the folders of the targets that have code, or make a wheel of it."""
    return tuple(
        sorted(
            {
                t.address.spec_path
                for t in targets
                if t.has_field(InterpreterConstraintsField) or PythonDistributionFieldSet.is_applicable(t)
            }
        )
    )


def image_config(
    target: Target,
    entrypoint: tuple[str, ...],
    below: ImageConfig | None = None,
    extra_env: Mapping[str, str] | None = None,
) -> ImageConfig:
    """Return the run-time configuration that a target's fields ask for.

    :param below: that of the image which is the target's base.
    :param extra_env: what `extra_env_vars` adds.
    """
    env = {
        **(below.env if below else DEFAULT_ENVIRONMENT),
        **(target[EnvField].value or {}),
        **(extra_env or {}),
    }
    health = list(target[HealthcheckField].value or ())
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
        healthcheck=FrozenDict({"command": tuple(health), **target[HealthcheckOptionsField].numbers})
        if health
        else None,
    )


async def platforms_of(target: Target, base: Address) -> tuple[str, ...]:
    """Return a target's platforms, those of its base by default."""
    own = target[ImagePlatformsField].value
    if own:
        return tuple(own)
    named = await engine.target(base, f"the field `base` of {target.address}")
    if named.has_field(ExtendsField):
        return (await read_image(ImageDefinitionRequest(base), **implicitly())).platforms
    if not named.has_field(BasePlatformsField):
        raise SlimImageError(
            f"{target.address}: the field `base` names {base}, which is a `{named.alias}`\n"
            "  -> name a `debian_python_base` or `registry_python_base` target"
        )
    return tuple(named[BasePlatformsField].value or ())


@rule(desc="Read an image target")
async def read_image(
    request: ImageDefinitionRequest,
    options: SlimImageOptions,
    python_setup: PythonSetup,
    union_membership: UnionMembership,
) -> ImageDefinition:
    target = await engine.target(request.address, "an image to package")
    if not target.has_field(ExtendsField):
        raise SlimImageError(
            f"{request.address} is a `{target.alias}`\n  -> name a `slim_python_image` target"
        )
    below = await ancestry(target)
    base, extends = below.base, below.extends
    targets = await content_targets(target, base, extends)
    check_taken(target.address, targets, union_membership)
    requirements = requirements_of(targets, target.address, python_setup, target[ImageResolveField].value)
    start = await start_of(target, python_setup)
    extra_env = await extra_environment(target)
    no_binary, only_binary = binary_choices(target, requirements.resolve, python_setup)
    inherited = (
        await read_image(ImageDefinitionRequest(extends), **implicitly())
        if extends and below.inherits
        else None
    )
    return ImageDefinition(
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
        scripts=start.scripts,
        config=image_config(target, start.entrypoint, inherited.config if inherited else None, extra_env),
        accept=tuple(target[AcceptField].value or ()),
        annotations=FrozenDict(sorted((target[AnnotationsField].value or {}).items())),
        start=start.checked,
        prefer=tuple(target[PreferField].value or ()),
        writable=tuple(target[WritableField].value or ()),
        time=target[SourceDateEpochField].seconds,
        strict_audit=target[StrictAuditField].value,
        declared=declared(targets, requirements.resolve, python_setup),
        folders=code_folders(targets),
        groups=target[LayerGroupsField].groups,
        max_layer_size=options.layer_size(target[MaxLayerSizeField].bytes),
        packages=await added_packages(target),
        start_script=start.first,
    )


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return collect_rules()
