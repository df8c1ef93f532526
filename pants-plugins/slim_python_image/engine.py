"""Every engine call of the backend that is not a plain rule input.

Pants 2.17 knows only ``Get``; Pants 2.32 and later know only call-by-name. This module is the one to
change to support the other. Each helper names one product, because the rule graph reads the types
from the source of these functions.
"""

from __future__ import annotations

from typing import Any, Iterable, Mapping

from pants.backend.python.dependency_inference.module_mapper import (
    PythonModuleOwners,
    PythonModuleOwnersRequest,
)
from pants.backend.python.subsystems.setuptools import PythonDistributionFieldSet
from pants.backend.python.util_rules.local_dists import LocalDistWheels
from pants.backend.python.util_rules.python_sources import (
    PythonSourceFilesRequest,
    StrippedPythonSourceFiles,
)
from pants.core.util_rules.source_files import SourceFiles, SourceFilesRequest
from pants.engine.addresses import Address, Addresses, UnparsedAddressInputs
from pants.engine.env_vars import EnvironmentVars, EnvironmentVarsRequest
from pants.engine.fs import (
    EMPTY_DIGEST,
    AddPrefix,
    CreateDigest,
    Digest,
    DigestContents,
    DigestEntries,
    DigestSubset,
    FileContent,
    FileEntry,
    MergeDigests,
    PathGlobs,
    RemovePrefix,
    SymlinkEntry,
)
from pants.engine.process import FallibleProcessResult, Process, ProcessExecutionEnvironment
from pants.engine.rules import Get, MultiGet
from pants.engine.target import (
    DependenciesRequest,
    TransitiveTargets,
    TransitiveTargetsRequest,
    WrappedTarget,
    WrappedTargetRequest,
)

from slim_python_image import products as p
from slim_python_image import registry_products as r

# --- files ------------------------------------------------------------------------------------------


async def create_files(files: Mapping[str, bytes]) -> Digest:
    """Return a digest of files by path."""
    return await Get(Digest, CreateDigest([FileContent(path, data) for path, data in sorted(files.items())]))


async def create_entries(entries: Iterable[FileEntry | SymlinkEntry]) -> Digest:
    """Return a digest of files that the store already has."""
    return await Get(Digest, CreateDigest(list(entries)))


async def merge(digests: Iterable[Digest]) -> Digest:
    """Return the union of several digests."""
    return await Get(Digest, MergeDigests(digests))


async def add_prefix(digest: Digest, prefix: str) -> Digest:
    """Return ``digest`` below a folder."""
    return await Get(Digest, AddPrefix(digest, prefix))


async def remove_prefix(digest: Digest, prefix: str) -> Digest:
    """Return what ``digest`` has below a folder."""
    return await Get(Digest, RemovePrefix(digest, prefix))


async def subset(digest: Digest, *globs: str) -> Digest:
    """Return the files of ``digest`` that match."""
    return await Get(Digest, DigestSubset(digest, PathGlobs(globs)))


async def entries(digest: Digest) -> DigestEntries:
    """Return the files of ``digest`` by path and content digest, without their bytes."""
    return await Get(DigestEntries, Digest, digest)


async def read_path(path: str) -> bytes | None:
    """Return the bytes of a file of the repository, ``None`` where there is none."""
    found = await Get(DigestContents, PathGlobs([path]))
    return found[0].content if found else None


async def repository_files(*globs: str) -> DigestEntries:
    """Return the files of the repository that match, without their bytes; those that Pants ignores do not."""
    found = await Get(Digest, PathGlobs(globs))
    return await Get(DigestEntries, Digest, found)


async def repository_folder(folder: str) -> Digest:
    """Return a folder of the repository as a tree; empty where there is none."""
    found = await Get(Digest, PathGlobs([f"{folder}/**"]))
    return found if found == EMPTY_DIGEST else await Get(Digest, RemovePrefix(found, folder))


async def environment(names: Iterable[str]) -> EnvironmentVars:
    """Return the variables of the user's environment that are set."""
    return await Get(EnvironmentVars, EnvironmentVarsRequest(tuple(names)))


# --- targets ----------------------------------------------------------------------------------------


async def addresses(inputs: UnparsedAddressInputs) -> Addresses:
    """Return the addresses that a field names."""
    return await Get(Addresses, UnparsedAddressInputs, inputs)


async def target(address: Address, origin: str) -> WrappedTarget:
    """Return the target of an address."""
    return await Get(WrappedTarget, WrappedTargetRequest(address, description_of_origin=origin))


async def dependencies(request: DependenciesRequest) -> Addresses:
    """Return the direct dependencies of a field."""
    return await Get(Addresses, DependenciesRequest, request)


async def closure(roots: Iterable[Address]) -> TransitiveTargets:
    """Return the transitive targets of some addresses."""
    return await Get(TransitiveTargets, TransitiveTargetsRequest(roots))


async def module_owners(request: PythonModuleOwnersRequest) -> PythonModuleOwners:
    """Return the targets that provide a Python module."""
    return await Get(PythonModuleOwners, PythonModuleOwnersRequest, request)


async def stripped_sources(request: PythonSourceFilesRequest) -> StrippedPythonSourceFiles:
    """Return Python sources and resources without their source roots."""
    return await Get(StrippedPythonSourceFiles, PythonSourceFilesRequest, request)


async def source_files(request: SourceFilesRequest) -> SourceFiles:
    """Return the files of source fields at their full paths."""
    return await Get(SourceFiles, SourceFilesRequest, request)


async def local_wheels(field_sets: Iterable[PythonDistributionFieldSet]) -> tuple[LocalDistWheels, ...]:
    """Return the wheels of first-party distributions."""
    return await MultiGet(
        Get(LocalDistWheels, PythonDistributionFieldSet, field_set) for field_set in field_sets
    )


# --- processes --------------------------------------------------------------------------------------


async def run_process(process: Process, where: ProcessExecutionEnvironment) -> FallibleProcessResult:
    """Run a process; failing is an answer too."""
    return await Get(FallibleProcessResult, {process: Process, where: ProcessExecutionEnvironment})


async def machine_ready() -> p.MachineReady:
    """Write what steps may know of this machine."""
    return await Get(p.MachineReady)


async def run_step(request: p.StepRequest) -> p.StepOutcome:
    """Run one step of the core."""
    return await Get(p.StepOutcome, p.StepRequest, request)


async def step_inputs(request: p.StepRequest) -> p.StepInputs:
    """Return what a step is made from."""
    return await Get(p.StepInputs, p.StepRequest, request)


# --- our own products -------------------------------------------------------------------------------


async def base(request: p.BaseRequest) -> p.Base:
    """Return one platform of a base."""
    return await Get(p.Base, p.BaseRequest, request)


async def bases(requests: Iterable[p.BaseRequest]) -> tuple[p.Base, ...]:
    """Return several platforms of bases."""
    return await MultiGet(Get(p.Base, p.BaseRequest, request) for request in requests)


async def fetched_debs(packages: Iterable[p.DebPackage]) -> tuple[p.FetchedDeb, ...]:
    """Fetch Debian packages."""
    return await MultiGet(Get(p.FetchedDeb, p.DebPackage, package) for package in packages)


async def deb_files(request: p.DebFilesRequest) -> p.DebFiles:
    """Fetch Debian packages into one folder."""
    return await Get(p.DebFiles, p.DebFilesRequest, request)


async def interpreter(request: p.Interpreter) -> p.Tree | None:
    """Return an unpacked Python; ``None``: the machine's own."""
    if request.own:
        return None
    return await Get(p.Tree, p.Interpreter, request)


async def build_inputs(
    sysroot: p.SysrootRequest,
    libc: p.CompilerLibcRequest,
    interpreter: p.Interpreter,
    artifacts: Iterable[p.Artifact],
    *,
    tools: p.ToolsRequest | None = None,
    host_libc: p.CompilerLibcRequest | None = None,
) -> tuple[dict[str, p.Tree], tuple[p.FetchedArtifact, ...]]:
    """Return what a build stands on, all made at once: trees by the name that the step gives them, and files.

    :param host_libc: of this machine, for programs that the build compiles and runs.
    :returns: without ``interpreter`` where it is the machine's own, without what is ``None``.
    """
    # The compiler first: it takes longest, and its libc waits for it.
    trees: dict[str, Get[Any]] = {
        "zig": Get(p.Tree, p.CompilerRequest, p.CompilerRequest()),
        "zig-libc": Get(p.Tree, p.CompilerLibcRequest, libc),
        "sysroot": Get(p.Tree, p.SysrootRequest, sysroot),
    }
    if tools is not None:
        trees["tools"] = Get(p.Tree, p.ToolsRequest, tools)
    if host_libc is not None:
        trees["host-libc"] = Get(p.Tree, p.CompilerLibcRequest, host_libc)
    if not interpreter.own:
        trees["interpreter"] = Get(p.Tree, p.Interpreter, interpreter)
    files = [Get(p.FetchedArtifact, p.Artifact, one) for one in artifacts]
    found = await MultiGet([*trees.values(), *files])
    return dict(zip(trees, found)), tuple(found[len(trees) :])


async def newest_wheel(request: p.NewestWheelsRequest) -> p.NewestWheels:
    """Find the newest versions that have a wheel."""
    return await Get(p.NewestWheels, p.NewestWheelsRequest, request)


async def compiler() -> p.Tree:
    """Return the unpacked compiler."""
    return await Get(p.Tree, p.CompilerRequest, p.CompilerRequest())


async def compiler_libc(request: p.CompilerLibcRequest) -> p.Tree:
    """Return the compiler's own libc for a target."""
    return await Get(p.Tree, p.CompilerLibcRequest, request)


async def lock_entries(request: p.LockEntriesRequest) -> p.LockEntries:
    """Read a lockfile."""
    return await Get(p.LockEntries, p.LockEntriesRequest, request)


async def descriptions(requests: Iterable[p.DescribeRequest]) -> tuple[p.Description, ...]:
    """Find files and metadata of locked versions."""
    return await MultiGet(Get(p.Description, p.DescribeRequest, request) for request in requests)


async def wheel_plan(request: p.WheelPlanRequest) -> p.WheelPlan:
    """Choose artifacts."""
    return await Get(p.WheelPlan, p.WheelPlanRequest, request)


async def wheel_plans(requests: Iterable[p.WheelPlanRequest]) -> tuple[p.WheelPlan, ...]:
    """Choose artifacts for several targets."""
    return await MultiGet(Get(p.WheelPlan, p.WheelPlanRequest, request) for request in requests)


async def fetched(artifacts: Iterable[p.Artifact]) -> tuple[p.FetchedArtifact, ...]:
    """Fetch artifacts."""
    return await MultiGet(Get(p.FetchedArtifact, p.Artifact, artifact) for artifact in artifacts)


async def wheels(
    ready: Iterable[p.PlannedArtifact],
    cross: Iterable[p.BuildWheelRequest],
    emulated: Iterable[p.EmulateWheelRequest],
) -> tuple[p.Wheel, ...]:
    """Fetch wheels and build wheels, all at once: cross, and in containers of their platform."""
    return await MultiGet(
        [
            *(Get(p.Wheel, p.PlannedArtifact, one) for one in ready),
            *(Get(p.Wheel, p.BuildWheelRequest, request) for request in cross),
            *(Get(p.Wheel, p.EmulateWheelRequest, request) for request in emulated),
        ]
    )


async def container(request: p.ContainerRequest) -> p.Tree:
    """Return the image of a container that compiles."""
    return await Get(p.Tree, p.ContainerRequest, request)


async def wheel_set_on_base(
    request: p.WheelSetRequest, base: p.BaseLayersRequest
) -> tuple[p.WheelSet, p.BaseLayers]:
    """Fetch and build the wheels of one plan while the layers below them are made."""
    return await MultiGet(
        Get(p.WheelSet, p.WheelSetRequest, request), Get(p.BaseLayers, p.BaseLayersRequest, base)
    )


async def wheel_set_on_image(
    request: p.WheelSetRequest, parent: p.ImageLayersRequest
) -> tuple[p.WheelSet, p.ImageLayers]:
    """Fetch and build the wheels of one plan while the layers of the image that it extends are made."""
    return await MultiGet(
        Get(p.WheelSet, p.WheelSetRequest, request), Get(p.ImageLayers, p.ImageLayersRequest, parent)
    )


async def wheel_sets(requests: Iterable[p.WheelSetRequest]) -> tuple[p.WheelSet, ...]:
    """Fetch and build the wheels of several plans."""
    return await MultiGet(Get(p.WheelSet, p.WheelSetRequest, request) for request in requests)


async def deb_layers(requests: Iterable[p.DebLayerRequest]) -> tuple[p.Layer, ...]:
    """Unpack Debian packages into layers."""
    return await MultiGet(Get(p.Layer, p.DebLayerRequest, request) for request in requests)


async def rootfs_layer(request: p.RootfsLayerRequest) -> p.Layer:
    """Write the layer of users and folders."""
    return await Get(p.Layer, p.RootfsLayerRequest, request)


async def wheel_layers(requests: Iterable[p.WheelLayerRequest]) -> tuple[p.Layer, ...]:
    """Install wheels into layers."""
    return await MultiGet(Get(p.Layer, p.WheelLayerRequest, request) for request in requests)


async def layers_and_sources(
    request: p.ImageLayersRequest, sources: Iterable[p.SourceLayerRequest]
) -> tuple[p.ImageLayers, tuple[p.Layer, ...]]:
    """Return base and wheel layers of an image target, and the layers of its first-party code."""
    layers: Get[Any] = Get(p.ImageLayers, p.ImageLayersRequest, request)
    found = await MultiGet([layers, *(Get(p.Layer, p.SourceLayerRequest, one) for one in sources)])
    return found[0], tuple(found[1:])


async def image_layers_of(requests: Iterable[p.ImageLayersRequest]) -> tuple[p.ImageLayers, ...]:
    """Return base and wheel layers of several image targets."""
    return await MultiGet(Get(p.ImageLayers, p.ImageLayersRequest, request) for request in requests)


async def image_parts_of(requests: Iterable[p.ImagePartsRequest]) -> tuple[p.ImageParts, ...]:
    """Return what several image targets consist of."""
    return await MultiGet(Get(p.ImageParts, p.ImagePartsRequest, request) for request in requests)


async def image_parts(request: p.ImagePartsRequest) -> p.ImageParts:
    """Return what an image target consists of."""
    return await Get(p.ImageParts, p.ImagePartsRequest, request)


async def platform_images(requests: Iterable[p.PlatformImageRequest]) -> tuple[p.PlatformImage, ...]:
    """Build single platforms of an image."""
    return await MultiGet(Get(p.PlatformImage, p.PlatformImageRequest, request) for request in requests)


async def audit(request: p.AuditRequest) -> p.Audit:
    """Check ELF files."""
    return await Get(p.Audit, p.AuditRequest, request)


async def manifest(request: p.ManifestRequest) -> p.Manifest:
    """Write config and manifest."""
    return await Get(p.Manifest, p.ManifestRequest, request)


async def index(request: p.IndexRequest) -> p.Index:
    """Write the index."""
    return await Get(p.Index, p.IndexRequest, request)


async def archives(requests: Iterable[p.ArchiveRequest]) -> tuple[p.Archive, ...]:
    """Pack layouts."""
    return await MultiGet(Get(p.Archive, p.ArchiveRequest, request) for request in requests)


async def built_image(request: p.BuiltImageRequest) -> p.BuiltImage:
    """Build an image."""
    return await Get(p.BuiltImage, p.BuiltImageRequest, request)


async def built_images(requests: Iterable[p.BuiltImageRequest]) -> tuple[p.BuiltImage, ...]:
    """Build several images."""
    return await MultiGet(Get(p.BuiltImage, p.BuiltImageRequest, request) for request in requests)


# --- base images of registries ----------------------------------------------------------------------


async def registry_base(request: p.RegistryBaseRequest) -> p.Base:
    """Return one platform of a base that a registry has."""
    return await Get(p.Base, p.RegistryBaseRequest, request)


async def blob_places(request: r.BlobPlaces) -> r.BlobPlacesKnown:
    """Tell the steps that fetch which repository has some blobs."""
    return await Get(r.BlobPlacesKnown, r.BlobPlaces, request)


async def fetched_blobs(requests: Iterable[r.BlobRequest]) -> tuple[r.FetchedBlob, ...]:
    """Fetch blobs."""
    return await MultiGet(Get(r.FetchedBlob, r.BlobRequest, request) for request in requests)


async def remote_blobs(layers: r.RemoteLayers) -> r.RemoteBlobs:
    """Fetch the layers of an image."""
    return await Get(r.RemoteBlobs, r.RemoteLayers, layers)


async def remote_facts(requests: Iterable[r.LayerFactsRequest]) -> tuple[r.LayerFacts, ...]:
    """List the files of layers of a registry."""
    return await MultiGet(Get(r.LayerFacts, r.LayerFactsRequest, request) for request in requests)


async def image_tree(request: p.ImageTreeRequest) -> p.Tree:
    """Unpack a part of an image."""
    return await Get(p.Tree, p.ImageTreeRequest, request)


async def loaded_image(request: p.LoadImageRequest) -> p.LoadedImage:
    """Load an image into this machine's Docker."""
    return await Get(p.LoadedImage, p.LoadImageRequest, request)


async def zstd_toolbox() -> p.Toolbox:
    """Prepare the libraries of steps that write or read zstd."""
    return (await Get(p.ZstdToolbox)).toolbox


async def venv_layer(request: p.VenvLayerRequest) -> p.Layer:
    """Write the layer of the virtual environment."""
    return await Get(p.Layer, p.VenvLayerRequest, request)


async def learned(requests: Iterable[r.LearnRequest]) -> tuple[r.Learned, ...]:
    """Look at images."""
    return await MultiGet(Get(r.Learned, r.LearnRequest, request) for request in requests)


# --- coverage ---------------------------------------------------------------------------------------


async def coverage_subjects(requests: Iterable[p.CoverageSubjectRequest]) -> tuple[p.CoverageSubject, ...]:
    """Read what images and wheel sets need planned."""
    return await MultiGet(Get(p.CoverageSubject, p.CoverageSubjectRequest, request) for request in requests)


async def attempted_plans(requests: Iterable[p.PlanAttempt]) -> tuple[p.PlanOutcome, ...]:
    """Plan several platforms of several targets; failing is an answer too."""
    return await MultiGet(Get(p.PlanOutcome, p.PlanAttempt, request) for request in requests)


async def inspected_sdists(requests: Iterable[p.InspectSdist]) -> tuple[p.InspectedSdist, ...]:
    """Look inside sdists."""
    return await MultiGet(Get(p.InspectedSdist, p.InspectSdist, request) for request in requests)


async def newest_wheels(requests: Iterable[p.NewestWheelsRequest]) -> tuple[p.NewestWheels, ...]:
    """Find the newest versions that have a wheel."""
    return await MultiGet(Get(p.NewestWheels, p.NewestWheelsRequest, request) for request in requests)
