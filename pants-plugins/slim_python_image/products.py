"""What the backend's rules ask of each other: one frozen dataclass per request and per answer.

They hold content (digests, names, hashes) and never a place, because equality of a request is what
decides whether its rule runs again.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Mapping

from pants.engine.addresses import Address
from pants.engine.fs import EMPTY_DIGEST, Digest
from pants.util.frozendict import FrozenDict

from slim_python_image.registry_products import RegistryBase, RemoteLayer, RemoteLayers

GZIP, ZSTD = "gzip", "zstd"
"""How layers are compressed."""


def canonical_json(value: Any) -> bytes:
    """Return ``value`` as JSON that is the same for the same value."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode() + b"\n"


class SlimImageError(Exception):
    """An error that a user reads: what is wrong, where, and what to do next."""


class BuildFailed(SlimImageError):
    """An sdist that does not build.

    :param name: of the distribution.
    """

    def __init__(self, message: str, name: str) -> None:
        super().__init__(message)
        self.name = name


class StepFailed(SlimImageError):
    """A step of the core said no; the message is the step's own."""


# --- steps -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoreSources:
    """The core's own code, as it goes into the sandbox of each step, and its lock of tools.

    :param network: the steps whose code can reach the network.
    """

    steps: FrozenDict[str, Digest]
    tools: str
    network: frozenset[str]


@dataclass(frozen=True)
class MachineReady:
    """The machine's settings stand where a step finds them. Empty: no setting is in a key."""


@dataclass(frozen=True)
class Toolbox:
    """The libraries that steps import."""

    digest: Digest


@dataclass(frozen=True)
class ResolverToolbox:
    """The toolbox with pip, which resolves build requirements when they are locked."""

    toolbox: Toolbox


@dataclass(frozen=True)
class ZstdToolbox:
    """The toolbox with zstandard, for what writes or reads layers compressed with it, and nothing else."""

    toolbox: Toolbox


@dataclass(frozen=True)
class StepRequest:
    """One run of ``python -m ociwheel <step>`` in a sandbox.

    :param inputs: files relative to the sandbox.
    :param trees: large inputs by folder, shared between sandboxes and read-only.
    :param interpreter: a Python that is content; without it, the machine's own.
    :param fresh: the answer changes with the world (a lock), so it is not cached between runs.
    """

    step: str
    arguments: tuple[str, ...]
    description: str = field(compare=False)
    toolbox: Toolbox | None
    inputs: Digest = EMPTY_DIGEST
    trees: FrozenDict[str, Digest] = FrozenDict()
    interpreter: Tree | None = None
    output_files: tuple[str, ...] = ()
    output_directories: tuple[str, ...] = ()
    fresh: bool = False


@dataclass(frozen=True)
class StepOutcome:
    """What a step left: its document, its files, or its error."""

    document: str
    digest: Digest
    error: str | None = None

    def fields(self, hint: str = "") -> dict[str, Any]:
        """Return the document.

        :param hint: what to add to the error.
        :raises StepFailed: the step failed.
        """
        if self.error is not None:
            raise StepFailed(f"{self.error}\n  -> {hint}" if hint else self.error)
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True, order=True)
class StepInputs:
    """What a step was made from, as canonical JSON; empty where nobody looked."""

    document: str = ""

    def __bool__(self) -> bool:
        return bool(self.document)

    @property
    def key(self) -> str | None:
        """The SHA-256 of the document: equal for two runs that are one in the cache."""
        return hashlib.sha256(self.document.encode()).hexdigest() if self.document else None

    def fields(self) -> dict[str, Any]:
        """Return the document."""
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class Tree:
    """A folder tree that a step unpacked: an interpreter, a sysroot, a compiler."""

    digest: Digest


# --- targets of a build -----------------------------------------------------------------------------


@dataclass(frozen=True, order=True)
class TargetEnvironment:
    """What a wheel must fit: platform, Python and libc of the base."""

    platform: str
    python: str
    libc: str
    libc_version: str

    @property
    def minor(self) -> str:
        """``3.11`` of ``3.11.2``."""
        return ".".join(self.python.split(".")[:2])

    def to_json(self) -> bytes:
        """Return the core's ``target`` document."""
        return canonical_json(
            {
                "schema": "ociwheel.target/1",
                "platform": self.platform,
                "python": self.python,
                "libc": self.libc,
                "libc_version": self.libc_version,
            }
        )


@dataclass(frozen=True)
class CompilerLibcRequest:
    """The compiler's own libc for a platform and a libc version.

    ``cxx``: with libc++, which takes ten times as long to compile as the rest.
    """

    target: TargetEnvironment
    cxx: bool = False


@dataclass(frozen=True)
class CompilerRequest:
    """The compiler for this machine."""


@dataclass(frozen=True, order=True)
class DebPackage:
    """One locked Debian package."""

    name: str
    version: str
    architecture: str
    archive: str
    path: str
    size: int
    sha256: str

    @property
    def filename(self) -> str:
        """The file's name in the pool."""
        return self.path.rsplit("/", 1)[-1]


@dataclass(frozen=True)
class FetchedDeb:
    """A Debian package's file, or why there is none."""

    outcome: StepOutcome


@dataclass(frozen=True)
class DebFiles:
    """Several packages' files in one folder."""

    digest: Digest


@dataclass(frozen=True)
class DebFilesRequest:
    """Fetch packages; ``resolve`` names the base in the error when one is gone."""

    packages: tuple[DebPackage, ...]
    resolve: str


@dataclass(frozen=True)
class LayerGroup:
    """The packages of one base layer."""

    title: str
    bytecode: bool
    packages: tuple[DebPackage, ...]


@dataclass(frozen=True)
class Interpreter:
    """The packages, or the image, of a Python that runs steps on this machine's architecture.

    :param own: it is this machine's own: none is content.
    """

    resolve: str
    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    image: RemoteLayers | None = None
    own: bool = False


@dataclass(frozen=True)
class BaseRequest:
    """One platform of a base."""

    address: Address
    platform: str
    origin: str = field(compare=False, default="")


@dataclass(frozen=True)
class BuilderGroup:
    """What one distribution is compiled against beside the base's builder packages.

    :param wanted: the packages asked for when the lock was written.
    :param packages: those and their dependencies, without what the base has anyway.
    """

    wanted: tuple[str, ...]
    packages: tuple[DebPackage, ...]


@dataclass(frozen=True)
class Base:
    """One platform of a base: what wheels must fit, what the image starts from, what builds.

    :param builder_groups: by distribution.
    :param emulation: what the container of an emulated build is made of; empty where none was locked.
    :param tools: programs that builds call on this machine, by the package that was asked for.
    """

    resolve: str
    target: TargetEnvironment
    groups: tuple[LayerGroup, ...]
    builder: tuple[DebPackage, ...]
    interpreter: Interpreter
    builder_groups: FrozenDict[str, BuilderGroup] = FrozenDict()
    registry: RegistryBase | None = None
    emulation: tuple[DebPackage, ...] = ()
    tools: FrozenDict[str, tuple[DebPackage, ...]] = FrozenDict()


@dataclass(frozen=True)
class RegistryBaseRequest:
    """One platform of a base that a registry has."""

    request: BaseRequest


@dataclass(frozen=True)
class ImageTreeRequest:
    """Unpack a part of an image: ``image-sysroot`` or ``image-interpreter``."""

    step: str
    image: RemoteLayers
    target: TargetEnvironment


@dataclass(frozen=True)
class VenvLayerRequest:
    """The layer of the empty virtual environment on an image's own Python."""

    target: TargetEnvironment
    interpreter: str
    prefix: str
    compression: str = GZIP


@dataclass(frozen=True)
class BaseLayersRequest:
    """The layers that an image starts from."""

    base: Base
    prefix: str
    bytecode: str
    compression: str = GZIP


@dataclass(frozen=True)
class DebLayerRequest:
    """One layer of Debian packages."""

    group: LayerGroup
    interpreter: Interpreter
    bytecode: str
    compression: str = GZIP


@dataclass(frozen=True)
class RootfsLayerRequest:
    """The layer of users, folders and the empty virtual environment."""

    target: TargetEnvironment
    prefix: str
    compression: str = GZIP


@dataclass(frozen=True)
class SysrootRequest:
    """Headers and libraries of a base's builder packages, or of its builder image."""

    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    resolve: str
    image: RemoteLayers | None = None


@dataclass(frozen=True)
class ToolsRequest:
    """Programs that builds call on this machine, from Debian packages.

    :param target: this machine.
    """

    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    resolve: str

    @property
    def rust(self) -> bool:
        """Whether cargo is among them."""
        return any(package.name in ("cargo", "cargo-web") for package in self.packages)


# --- lockfiles and plans ----------------------------------------------------------------------------


@dataclass(frozen=True)
class LockEntriesRequest:
    """Read the lockfile at a path of the repository."""

    path: str


@dataclass(frozen=True)
class LockEntry:
    """One locked version, as JSON of the core's ``lock-entries`` document."""

    name: str
    version: str
    json: str

    @property
    def fields(self) -> dict[str, Any]:
        """The entry's fields."""
        value = json.loads(self.json)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class LockEntries:
    """All entries of a lockfile."""

    path: str
    entries: tuple[LockEntry, ...]


@dataclass(frozen=True)
class DescribeRequest:
    """Find files and metadata of a locked version."""

    name: str
    version: str
    hashes: tuple[str, ...]


@dataclass(frozen=True)
class Description:
    """Files and metadata of a locked version, and its pure wheel where it has one."""

    document: str
    digest: Digest


@dataclass(frozen=True, order=True)
class Root:
    """A requirement that a target depends on."""

    requirement: str
    origin: str


@dataclass(frozen=True)
class WheelPlanRequest:
    """Choose artifacts for ``roots`` from a lockfile."""

    roots: tuple[Root, ...]
    lockfile: str
    target: TargetEnvironment
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]


@dataclass(frozen=True, order=True)
class Artifact:
    """The file that was chosen for a distribution."""

    name: str
    version: str
    kind: str
    filename: str
    sha256: str

    @property
    def pure(self) -> bool:
        """Whether it is a wheel for any platform."""
        return self.kind == "wheel" and self.filename.endswith("-none-any.whl")


@dataclass(frozen=True)
class PlannedArtifact:
    """An artifact, and where its description already holds the file."""

    artifact: Artifact
    described: Digest | None


@dataclass(frozen=True)
class WheelPlan:
    """One artifact per distribution, by name.

    :param sizes: bytes of each artifact, ``None`` where the index does not say.
    """

    artifacts: tuple[PlannedArtifact, ...]
    sizes: tuple[int | None, ...]


@dataclass(frozen=True)
class FetchedArtifact:
    """An artifact's file, at the root of ``digest``."""

    digest: Digest


# --- wheels -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BuildPins:
    """The locked build requirements of one sdist."""

    artifacts: tuple[Artifact, ...]


@dataclass(frozen=True)
class BuildWheelRequest:
    """Build one sdist for one target."""

    artifact: Artifact
    target: TargetEnvironment
    builder: tuple[DebPackage, ...]
    interpreter: Interpreter
    pins: BuildPins
    settings: str
    resolve: str
    builder_image: RemoteLayers | None = None
    tools: ToolsRequest | None = None


@dataclass(frozen=True)
class ContainerRequest:
    """The image, an OCI layout, of the container that compiles for its own platform.

    :param interpreter: the Python that makes it, of the target's version.
    """

    target: TargetEnvironment
    packages: tuple[DebPackage, ...]
    interpreter: Interpreter


@dataclass(frozen=True)
class EmulateWheelRequest:
    """Build one sdist for one target in a container of that target."""

    artifact: Artifact
    container: ContainerRequest
    pins: BuildPins
    settings: str
    resolve: str


@dataclass(frozen=True, order=True)
class Wheel:
    """A wheel file, at the root of ``digest``.

    :param inputs: what it was built from here; empty when it was fetched.
    """

    name: str
    version: str
    filename: str
    size: int
    sha256: str
    digest: Digest = field(compare=True)
    inputs: StepInputs = StepInputs()

    @property
    def pure(self) -> bool:
        """Whether it fits every platform."""
        return self.filename.endswith("-none-any.whl")


@dataclass(frozen=True)
class WheelSetRequest:
    """The wheels that ``roots`` need on one platform of a base."""

    roots: tuple[Root, ...]
    lockfile: str
    resolve: str
    base: Base
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]


@dataclass(frozen=True)
class WheelSet:
    """The wheels of one plan, by name."""

    wheels: tuple[Wheel, ...]


# --- layers and images ------------------------------------------------------------------------------


@dataclass(frozen=True)
class LayerOptions:
    """What decides a layer's bytes besides its content."""

    prefix: str
    bytecode: str
    exclude: tuple[str, ...]
    compression: str = GZIP
    strip: bool = True


@dataclass(frozen=True)
class WheelLayerRequest:
    """Install wheels into one layer."""

    wheels: tuple[Wheel, ...]
    title: str
    target: TargetEnvironment
    options: LayerOptions
    interpreter: Interpreter


@dataclass(frozen=True)
class SourceLayerRequest:
    """Put first-party code into one layer."""

    sources: Digest
    files: Digest
    workdir: str
    scripts: tuple[tuple[str, str], ...]
    title: str
    target: TargetEnvironment
    options: LayerOptions
    interpreter: Interpreter


@dataclass(frozen=True)
class Layer:
    """A layer: its document, its blob, the list of what is in it, and what it was made from.

    :param remote: the layer of a registry's image, whose blob and list are not here.
    """

    document: str
    digest: str
    size: int
    unpacked_size: int
    elf_files: int
    title: str
    blobs: Digest
    facts: Digest
    inputs: StepInputs = StepInputs()
    remote: RemoteLayer | None = None

    @property
    def zstd(self) -> bool:
        """Whether it is compressed with zstd."""
        return str(self.fields()["descriptor"]["mediaType"]).endswith("+zstd")

    def fields(self) -> Mapping[str, Any]:
        """Return the layer's document."""
        value = json.loads(self.document)
        assert isinstance(value, dict)
        return value


@dataclass(frozen=True)
class ImageLayersRequest:
    """Base and wheel layers of an image target on one platform."""

    address: Address
    platform: str


@dataclass(frozen=True)
class ImageLayers:
    """Base and wheel layers of an image, those of the image it extends first."""

    base: tuple[Layer, ...]
    wheels: tuple[Layer, ...]
    wheel_set: WheelSet


@dataclass(frozen=True)
class AuditRequest:
    """Check that the ELF files of some layers can load.

    :param facts: `layer-facts.json` of each layer, bottom first.
    :param packages: the names of the base's packages.
    """

    platform: str
    facts: tuple[Digest, ...]
    packages: tuple[str, ...]
    accept: tuple[str, ...]
    libc: str = "glibc"


@dataclass(frozen=True)
class Audit:
    """What the audit found, or its faults."""

    outcome: StepOutcome


@dataclass(frozen=True)
class ManifestRequest:
    """Write config and manifest of one platform."""

    document: str
    platform: str


@dataclass(frozen=True)
class Manifest:
    """One platform's manifest: its descriptor, and config and manifest as blobs."""

    descriptor: str
    document: str
    blobs: Digest
    inputs: StepInputs = StepInputs()


@dataclass(frozen=True)
class IndexRequest:
    """Write the index over the platforms' manifests."""

    document: str


@dataclass(frozen=True)
class Index:
    """The index's digest, and index.json, oci-layout and its blob."""

    digest: str
    layout: Digest
    inputs: StepInputs = StepInputs()


@dataclass(frozen=True)
class ArchiveRequest:
    """Pack a layout into one file.

    :param zstd: whether some of its layers are compressed with zstd.
    """

    layout: Digest
    format: str
    references: tuple[str, ...]
    platform: str | None
    filename: str
    zstd: bool = False


@dataclass(frozen=True)
class Archive:
    """An archive's file, at the root of ``digest``."""

    digest: Digest


@dataclass(frozen=True)
class LoadImageRequest:
    """Load an image into this machine's Docker, under some names."""

    address: Address
    names: tuple[str, ...]


@dataclass(frozen=True)
class LoadedImage:
    """An image that Docker has.

    :param image_id: as `docker image inspect` says it.
    """

    image_id: str
    platform: str


@dataclass(frozen=True)
class BuiltImageRequest:
    """Build an image target on all its platforms."""

    address: Address


@dataclass(frozen=True)
class PlatformImage:
    """One platform of a built image.

    :param context: JSON of what stands behind its digests, for the report.
    """

    platform: str
    manifest: Manifest
    layers: tuple[Layer, ...]
    base_layers: int
    wheels: tuple[Wheel, ...]
    audit: str
    context: str = "{}"


@dataclass(frozen=True)
class BuiltImage:
    """A built image: the index, its platforms, and its layout.

    :param layout: without the blobs of a registry's base image.
    :param remote: those, per platform, and where they are.
    :param fields: JSON of the fields that decide which wheels and layers it has, for the report.
    :param documents: the layout without its layers.
    """

    address: Address
    index_digest: str
    platforms: tuple[PlatformImage, ...]
    layout: Digest
    inputs: StepInputs = StepInputs()
    fields: str = "{}"
    remote: tuple[RemoteLayers, ...] = ()
    documents: Digest = EMPTY_DIGEST


@dataclass(frozen=True)
class BaseLayers:
    """The layers an image starts from, bottom first."""

    layers: tuple[Layer, ...]


@dataclass(frozen=True)
class ImagePartsRequest:
    """Read an image target."""

    address: Address


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
        }


@dataclass(frozen=True)
class ImageParts:
    """What an image target consists of, before anything is built."""

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
    sources: Digest
    files: Digest
    local_wheels: tuple[Wheel, ...]
    scripts: tuple[tuple[str, str], ...]
    config: ImageConfig
    accept: tuple[str, ...]
    annotations: FrozenDict[str, str] = FrozenDict()


@dataclass(frozen=True)
class PlatformImageRequest:
    """Build one platform of an image target."""

    address: Address
    platform: str


# --- coverage ---------------------------------------------------------------------------------------


@dataclass(frozen=True)
class CoverageSubjectRequest:
    """Read what an image or a wheel set needs planned."""

    address: Address


@dataclass(frozen=True)
class CoverageSubject:
    """What an image or a wheel set needs planned; nothing of it is built to know that."""

    address: Address
    base: Address
    platforms: tuple[str, ...]
    roots: tuple[Root, ...]
    resolve: str
    lockfile: str
    no_binary: tuple[str, ...]
    only_binary: tuple[str, ...]


@dataclass(frozen=True)
class PlanAttempt:
    """Plan one platform of a subject."""

    subject: CoverageSubject
    platform: str


@dataclass(frozen=True)
class PlanOutcome:
    """A plan and what it is for, or why there is none."""

    target: TargetEnvironment | None = None
    plan: WheelPlan | None = None
    error: str | None = None


@dataclass(frozen=True)
class InspectSdist:
    """Look inside an sdist.

    :param described: where its description already holds the file.
    """

    artifact: Artifact
    described: Digest | None


@dataclass(frozen=True)
class InspectedSdist:
    """Whether an sdist has code to compile, and its size in bytes; or why nobody knows."""

    native: bool | None = None
    rust: bool = False
    size: int | None = None
    error: str | None = None


@dataclass(frozen=True)
class NewestWheelsRequest:
    """Find the newest versions of ``names`` that have a wheel and satisfy what requires them.

    :param roots: all requirements of the resolve, those of other targets too.
    """

    names: tuple[str, ...]
    roots: tuple[Root, ...]
    lockfile: str
    target: TargetEnvironment


@dataclass(frozen=True)
class NewestWheels:
    """Version by name, ``None`` where no version has a wheel that fits; or why nobody knows."""

    versions: FrozenDict[str, str | None] = FrozenDict()
    error: str | None = None
