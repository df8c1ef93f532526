"""What images start from: bases of Debian packages, and bases that are images of others."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Union

from pants.engine.addresses import Address
from pants.util.frozendict import FrozenDict

from slim_python_image.products import TargetEnvironment
from slim_python_image.remote_layers import RemoteLayers


@dataclass(frozen=True, order=True)
class DebPackage:
    """One locked Debian package.

    :param lot: packages of one lot are asked for together, and so are fetched together. No part of what the
        package is.
    """

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str
    lot: str = field(default="", compare=False)

    @property
    def filename(self) -> str:
        """The file's name in the pool."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class DebPackages:
    """Locked packages; ``resolve`` names the base in the error when one is gone."""

    packages: tuple[DebPackage, ...]
    resolve: str


Source = Union[DebPackages, RemoteLayers]
"""What a part of a base is unpacked from."""


@dataclass(frozen=True)
class LayerGroup:
    """The packages of one base layer."""

    title: str
    bytecode: bool
    packages: tuple[DebPackage, ...]


@dataclass(frozen=True)
class Interpreter:
    """A Python that runs steps on this machine's architecture.

    :param source: what it is unpacked from; ``None``: it is the machine's own, and no content.
    """

    resolve: str
    target: TargetEnvironment
    source: Optional[Source]


@dataclass(frozen=True)
class BuilderGroup:
    """What one distribution is compiled against beside the base's builder packages.

    :param wanted: the packages asked for when the lock was written.
    :param packages: those and their dependencies, without what the base has anyway.
    """

    wanted: tuple[str, ...]
    packages: tuple[DebPackage, ...]


@dataclass(frozen=True)
class DebianBase:
    """One platform of a base of Debian packages: what wheels must fit, what images start from, what builds.

    :param builder_groups: by distribution.
    :param emulation: what the container of an emulated build is made of; empty where none was locked.
    :param programs: what builds call on this machine, by the package that was asked for.
    :param gcc: Debian's own compiler for this platform; empty where none was locked.
    :param accept_scripts: names of packages of whose maintainer scripts nothing is said.
    :param made_with: its packages of the platform whose programs this machine runs; empty where they are not
        locked for it.
    :param added: what the field `extra_packages` of an image, and of those that it extends, adds.
    """

    resolve: str
    target: TargetEnvironment
    interpreter: Interpreter
    groups: tuple[LayerGroup, ...]
    builder: tuple[DebPackage, ...]
    builder_groups: FrozenDict[str, BuilderGroup] = FrozenDict()
    emulation: tuple[DebPackage, ...] = ()
    programs: FrozenDict[str, tuple[DebPackage, ...]] = FrozenDict()
    gcc: tuple[DebPackage, ...] = ()
    accept_scripts: tuple[str, ...] = ()
    made_with: tuple[DebPackage, ...] = ()
    added: tuple[LayerGroup, ...] = ()

    @property
    def packages(self) -> tuple[DebPackage, ...]:
        """What images on it hold."""
        return tuple(one for group in (*self.groups, *self.added) for one in group.packages)


@dataclass(frozen=True)
class RegistryBase:
    """One platform of a base that is an image of others, in a registry or in a layout.

    :param name: as in the BUILD file, without the registry.
    :param root: digest of what the name leads to, as a rule the index of all platforms.
    :param manifest: digest of the platform's manifest.
    :param builder: the image that wheels are compiled against; ``None`` where none was named.
    :param python: absolute path of its Python.
    :param certificates: absolute path of its certificate authorities.
    :param nonroot: whether it has a user of that name.
    """

    resolve: str
    target: TargetEnvironment
    interpreter: Interpreter
    name: str
    root: str
    manifest: str
    image: RemoteLayers
    builder: Optional[RemoteLayers]
    python: str
    certificates: Optional[str]
    nonroot: bool
    env: FrozenDict[str, str]
    labels: FrozenDict[str, str]


Base = Union[DebianBase, RegistryBase]


@dataclass(frozen=True)
class BaseRequest:
    """One platform of a base.

    :param packages: what images add to it, lowest image first, each with what those below it add; as in
        `Depends`: `("tini", "curl, tini")`.
    """

    address: Address
    platform: str
    origin: str = field(compare=False, default="")
    packages: tuple[str, ...] = ()


@dataclass(frozen=True)
class PlatformBase:
    """One platform of a base of either kind."""

    base: Base
