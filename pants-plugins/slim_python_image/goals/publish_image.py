"""`pants publish` of images: what registries lack, digests first, tags last.

The decisions about names are those of Pants's docker backend; the core's step `push` does the rest.
It runs outside the cache, and finds logins and proxies where other steps find the machine's settings,
so that no process and no log holds a secret.
"""

from __future__ import annotations

import contextlib
import json
import os
from dataclasses import dataclass, replace
from typing import Any, Iterable, Mapping

from pants.backend.docker.subsystems.docker_options import DockerOptions
from pants.base.build_root import BuildRoot
from pants.core.goals.package import PackageFieldSet
from pants.core.goals.publish import (
    PublishFieldSet,
    PublishOutputData,
    PublishPackages,
    PublishProcesses,
    PublishRequest,
)
from pants.engine.addresses import Address
from pants.engine.fs import Digest
from pants.engine.process import InteractiveProcess
from pants.engine.target import AllTargets
from pants.util.frozendict import FrozenDict

from slim_python_image import engine
from slim_python_image.by_name import collect_rules, implicitly, rule
from slim_python_image.goals.publish_run import PublishRun, left_image, origins
from slim_python_image.products import SlimImageError, canonical_json
from slim_python_image.remedies import names as remedy_names
from slim_python_image.remedies import words_document
from slim_python_image.start_fields import EntryPointField
from slim_python_image.subsystems.publish import PublishOptions
from slim_python_image.target_types import (
    ExtendsField,
    ImageTagsField,
    RegistriesField,
    RepositoryField,
    SkipPushField,
)
from slim_python_image.util_rules.attestations import Attestations, AttestationsRequest, attest
from slim_python_image.util_rules.core import CoreSources
from slim_python_image.util_rules.image import BuiltImage, BuiltImageRequest, build_image
from slim_python_image.util_rules.machine import MachineReady
from slim_python_image.util_rules.references import Destination, ImageNames, destinations, skipped_by_field
from slim_python_image.util_rules.registry_blobs import fetch_layers
from slim_python_image.util_rules.steps import MACHINE, WORDS, WORDS_FILE, StepRequest, run_step, step_process
from slim_python_image.wheel_set_target import BaseField

_LAYOUT = "layout"
_BLOBS = "blobs"
_ORIGINS = "origins.json"
_ATTACHED, _LIST = "attached", "list.json"
_PASSWORD = "COSIGN_PASSWORD"  # noqa: S105 (a variable's name)
# Beside the machine's settings, because it is about registries, not about an image.
_KNOWN = f"{MACHINE}/known-blobs.json"
_LIBRARIES = f"{MACHINE}/signing"


class PublishImageRequest(PublishRequest):  # type: ignore[type-arg] # see below
    """Publish one image target."""


@dataclass(frozen=True)
class PublishImageFieldSet(PublishFieldSet):  # type: ignore[type-arg] # Pants's own are not generic either
    """What `publish` needs of an image target."""

    publish_request_type = PublishImageRequest
    required_fields = (EntryPointField, ExtendsField, RegistriesField)

    registries: RegistriesField
    repository: RepositoryField
    image_tags: ImageTagsField
    skip_push: SkipPushField
    base: BaseField

    def check_skip_request(self, package_fs: PackageFieldSet) -> object:
        """Return what Pants 2.32 and later ask before they build; earlier ones never call this."""
        from slim_python_image.goals.publish_skips import SkipImageRequest  # noqa: PLC0415 # not before 2.32

        return SkipImageRequest(package_fs, self)

    def get_output_data(self) -> PublishOutputData:
        """Return what `publish --output` says of every artifact of the target."""
        return PublishOutputData(
            {
                "publisher": "slim-image",
                "registries": self.registries.value or (),
                **super().get_output_data(),
            }
        )

    def names(self) -> ImageNames:
        """Return what decides the image's names."""
        return ImageNames(self.address, self.registries, self.repository, self.image_tags, self.base)


async def _blobs(image: BuiltImage, destination: Destination) -> FrozenDict[str, Digest]:
    """Return the layers by folder, each a tree of its own: images share those that they have in common.

    Base layers are fetched for another registry than their own only; that one mounts them.
    """
    layers = {
        layer.digest: layer.blobs for one in image.platforms for layer in one.layers if not layer.remote
    }
    found = [digest for _, digest in sorted(layers.items())]
    mounted = origins(image, destination)
    for remote in image.remote:
        missing = replace(remote, layers=tuple(one for one in remote.layers if one.digest not in mounted))
        if missing.layers:
            found.append((await fetch_layers(missing, **implicitly())).digest)
    return FrozenDict({f"{_BLOBS}/{number:03}": digest for number, digest in enumerate(found)})


def check_attached(options: PublishOptions, found: Attestations, address: Address) -> None:
    """Check that there is something where something is to be attached.

    :raises SlimImageError: no kind of document is asked for.
    """
    if options.attach and not found.items:
        raise SlimImageError(
            f"{address}: [slim-image-publish].attach is set, and [slim-image].attestations names nothing\n"
            "  -> name what is wanted, such as ['spdx', 'provenance'], or take `attach` out"
        )


def attached(image: BuiltImage, found: Attestations) -> dict[str, bytes]:
    """Return the documents of an image by path, and the list of them that the core's step takes."""
    digests = {one.platform: json.loads(one.manifest.descriptor)["digest"] for one in image.platforms}
    rows = [
        {
            "subject": digests[one.platform] if one.platform else image.index_digest,
            "media_type": one.media_type,
            "predicate_type": one.predicate_type,
            "path": one.name,
        }
        for one in found.items
    ]
    return {**found.files(_ATTACHED), f"{_ATTACHED}/{_LIST}": canonical_json(rows)}


async def push_request(
    image: BuiltImage, destination: Destination, options: PublishOptions, found: Attestations, root: str
) -> StepRequest:
    """Return the step that sends an image to one repository."""
    layout = await engine.add_prefix(image.documents, _LAYOUT)
    said = attached(image, found) if options.attach else {}
    known = await engine.create_files({_ORIGINS: canonical_json(origins(image, destination)), **said})
    return StepRequest(
        step="push",
        arguments=push_arguments(destination, options, root),
        description=f"Publish {destination.repository}",
        toolbox=None,
        inputs=await engine.merge((layout, known)),
        trees=await _blobs(image, destination),
        fresh=True,
    )


def signing_arguments(options: PublishOptions, root: str) -> tuple[str, ...]:
    """Return the arguments that sign, none without a key; a dry run needs no key."""
    key = options.sign_key
    if not key or options.dry_run:
        return ()
    where = key if "://" in key else os.path.join(root, os.path.expanduser(key))
    return ("--sign", where, "--libraries", _LIBRARIES)


def push_arguments(destination: Destination, options: PublishOptions, root: str) -> tuple[str, ...]:
    """Return the arguments of the core's step.

    :param root: the repository, where a key may be.
    """
    return (
        *("--layout", _LAYOUT, "--blobs", _BLOBS, "--known", _KNOWN, "--origins", _ORIGINS),
        *("--jobs", str(options.jobs)),
        *(part for reference in destination.references for part in ("--image", reference)),
        *(part for host in options.insecure_registries for part in ("--insecure", host)),
        *(("--attach", f"{_ATTACHED}/{_LIST}") if options.attach else ()),
        *signing_arguments(options, root),
        *(("--dry-run",) if options.dry_run else ()),
    )


async def secrets(options: PublishOptions) -> dict[str, str]:
    """Return the variables that signing needs: for the process of a push alone, which no cache keeps."""
    if not options.sign_key:
        return {}
    scheme, _, name = options.sign_key.partition("://")
    return dict(await engine.environment([_PASSWORD, *([name] if scheme == "env" else [])]))


def push_process(
    request: StepRequest, core: Digest, words: Digest, secret: Mapping[str, str], done: str = ""
) -> InteractiveProcess:
    """Return the process of a push; its document is for programs, so it goes to a file.

    :param words: a tree with the words of remedies: what the process prints goes straight to the user.
    :param secret: variables that it may know besides.
    :param done: a file that says that there is nothing to do.
    """
    process = step_process(replace(request, trees=FrozenDict({**request.trees, WORDS: words})), core)
    script = '[ -f "$0" ] && exit 0; exec /bin/sh "$@" >push.json'
    argv = ("/bin/sh", "-c", script, done or "/nowhere", *process.argv[1:])
    env = FrozenDict({**process.env, **secret, "OCIWHEEL_REMEDIES": f"{WORDS}/{WORDS_FILE}"})
    return InteractiveProcess.from_process(replace(process, argv=argv, env=env))


def output_data(image: BuiltImage, destination: Destination) -> PublishOutputData:
    """Return what `publish --output` says of one repository."""
    digests = {one.platform: json.loads(one.manifest.descriptor)["digest"] for one in image.platforms}
    return PublishOutputData(
        {
            "digest": image.index_digest,
            "reference": f"{destination.repository}@{image.index_digest}",
            "platforms": FrozenDict(digests),
        }
    )


def would_send(document: Mapping[str, Any]) -> str:
    """Return what a dry run found, from the step's document."""
    tags = ", ".join(document["tags"]) or "none"
    return (
        f"(dry run: would send {len(document['sent'])} blobs and {len(document['manifests'])} manifests, "
        f"{document['sent_bytes']} bytes, mount {len(document['mounted'])} blobs; tags to move: {tags})"
    )


def check_clash(names: Iterable[tuple[ImageNames, tuple[Destination, ...]]]) -> None:
    """Raise when two images would take a reference from each other."""
    owners: dict[str, ImageNames] = {}
    for one, found in names:
        for reference in (
            r for destination in found if destination.skipped is None for r in destination.references
        ):
            other = owners.setdefault(reference, one)
            if other.address != one.address:
                raise SlimImageError(
                    f"{other.address} and {one.address} would both be published as {reference}\n"
                    f"  -> give them a `{RepositoryField.alias}`, for example "
                    '"{parent_directory}/{directory}", or set `[docker].default_repository`'
                )


def _others(field_set: PublishImageFieldSet, all_targets: AllTargets) -> list[ImageNames]:
    """Return the names of all other images that are published."""
    found = []
    for target in all_targets:
        if PublishImageFieldSet.is_applicable(target) and target.address != field_set.address:
            other = PublishImageFieldSet.create(target)
            if not other.skip_push.value:
                found.append(other.names())
    return found


def _destinations_of_others(
    others: Iterable[ImageNames], docker: DockerOptions
) -> list[tuple[ImageNames, tuple[Destination, ...]]]:
    result = []
    for one in others:
        # A name that is wrong is for that image to report.
        with contextlib.suppress(SlimImageError):
            # Their digest is not known, and a tag that holds it is nobody else's.
            result.append((one, destinations(one, str(one.address), docker)))
    return result


@rule(desc="Publish an image")
async def publish_image(  # noqa: PLR0917 (Pants gives each by its type)
    request: PublishImageRequest,
    docker: DockerOptions,
    options: PublishOptions,
    core: CoreSources,
    _: MachineReady,
    all_targets: AllTargets,
    build_root: BuildRoot,
    run: PublishRun,
) -> PublishProcesses:
    field_set = request.field_set
    assert isinstance(field_set, PublishImageFieldSet)
    image = await build_image(BuiltImageRequest(field_set.address), **implicitly())
    names = field_set.names()
    found = destinations(names, image.index_digest, docker)
    skipped = skipped_by_field(field_set.skip_push.value, names, found)
    if skipped is not None:
        return PublishProcesses([skipped])
    check_clash([(names, found), *_destinations_of_others(_others(field_set, all_targets), docker)])
    nothing = Attestations(())
    said = await attest(AttestationsRequest(image.address), **implicitly()) if options.attach else nothing
    check_attached(options, said, image.address)
    jobs = []
    for destination in found:
        data = output_data(image, destination)
        if destination.skipped is not None:
            jobs.append(PublishPackages(destination.references, description=destination.skipped, data=data))
            continue
        step = await push_request(image, destination, options, said, build_root.path)
        if options.dry_run:
            why = would_send((await run_step(step, **implicitly())).fields())
            jobs.append(PublishPackages(destination.references, description=why, data=data))
        else:
            known = remedy_names(base=next((one.resolve for one in image.remote), None))
            words = await engine.create_files({WORDS_FILE: words_document(known)})
            done = ""
            if not options.attach and not options.sign_key:
                done = run.leave(destination, await left_image(image, destination))
                step = replace(step, arguments=(*step.arguments, "--run", os.path.dirname(done)))
            process = push_process(step, core.steps["push"], words, await secrets(options), done)
            jobs.append(PublishPackages(destination.references, process, data=data))
    return PublishProcesses(jobs)


def rules() -> Iterable[object]:
    """Return the rules of this module."""
    return (*collect_rules(), *PublishImageFieldSet.rules())
