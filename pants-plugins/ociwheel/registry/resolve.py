"""From the name of an image to digests: index, one manifest per platform, configuration, layers.

The image is in a registry or in a layout on disk.

Specification: OCI image-spec 1.1, image-index.md, manifest.md, config.md; Docker's schema 2 says the same
under other names.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ociwheel.digest import Digest
from ociwheel.errors import BaseError, ErrorCollector, FetchError, ImageError, OciwheelError
from ociwheel.image.layout import LAYER_TYPES, Descriptor
from ociwheel.platforms import Platform, platform
from ociwheel.reading import Value, failing
from ociwheel.registry.client import INDEX_TYPES, MANIFEST_TYPES, Document, RegistryClient
from ociwheel.registry.layout_source import LayoutSource
from ociwheel.registry.refusals import login_hint, not_allowed, reading_hint
from ociwheel.transport.failure import Failure, Kind

# What `docker history` shows of a layer, cut so that the lock stays a text that people read.
_MOST_HISTORY = 100
_MOST_LAYERS = 127
_SPACES = re.compile(r"\s+")
_BUILDKIT = re.compile(r"^(?:/bin/sh -c )?(?:#\(nop\) +)?|\s*# buildkit$")


@dataclass(frozen=True)
class Resolved:
    """One image by digest, on each platform that was asked for."""

    root: Document
    platforms: Mapping[str, Mapping[str, Any]]
    """By OCI platform: ``manifest`` and ``config`` (descriptors), ``image`` (the run-time configuration) and
    ``layers`` (descriptors with ``diff_id`` and ``created_by``, bottom first)."""

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {"root": self.root.descriptor(), "platforms": {k: dict(v) for k, v in self.platforms.items()}}


def resolve(
    client: RegistryClient | LayoutSource, platforms: Sequence[str], optional: Sequence[str] = ()
) -> Resolved:
    """Resolve the image of a client.

    :param platforms: OCI platforms that it must have.
    :param optional: those that are taken where it has them.
    :raises FetchError: the registry does not give it.
    :raises BaseError: it is damaged, not for the platforms, or not in the layout.
    """
    where = str(client.name)
    root = _asked(client, client.name.reference)
    if root.media_type in INDEX_TYPES:
        offers = _offers(root.value, where)
    elif root.media_type in MANIFEST_TYPES:
        offers = None
    else:
        raise BaseError(f"{root.media_type!r} is neither an image nor an index", where=where)
    errors = ErrorCollector()
    found: dict[str, Mapping[str, Any]] = {}
    for name in dict.fromkeys((*platforms, *optional)):
        row = platform(name)
        try:
            manifest = root if offers is None else _manifest(client, offers, row)
            if manifest is not None:
                found[name] = _image(client, manifest, row, where)
            elif name in platforms:
                errors.add(_lacking(row, offers or {}, where))
        except OciwheelError as e:
            if name in platforms:
                errors.add(e)
    errors.raise_if_any()
    return Resolved(root, found)


def fetch_error(failure: Failure, client: RegistryClient, reference: str, *, locked: bool) -> FetchError:
    """Return what a registry's refusal means for the user.

    :param locked: the reference is one that a lock holds.
    """
    where, name = str(client.name), client.name
    what = "the registry does not give it"
    otherwise = "check the name of the image, and that its registry is the right one"
    if failure.kind is Kind.NOT_FOUND and locked:
        what = f"the registry no longer has {reference}"
        otherwise = "it was deleted there: lock the base again"
    elif failure.kind is Kind.NOT_FOUND:
        what = f"the registry has no image {name.repository} with the tag or digest {reference}"
        otherwise = f"look what it has: skopeo list-tags docker://{name.repository_name}"
    elif failure.kind is Kind.CREDENTIALS:
        what = not_allowed(failure, client.session.login(name.repository_name), "read")
        return FetchError(what, where=where, hint=login_hint(name.domain))
    elif failure.kind is Kind.ANSWER:
        return FetchError(
            what, where=where, details=[str(failure)], hint=f"look whether {name.domain} is a registry"
        )
    return FetchError(what, where=where, details=[str(failure)], hint=reading_hint([failure], otherwise))


def _asked(client: RegistryClient | LayoutSource, reference: str, *, locked: bool = False) -> Document:
    if isinstance(client, LayoutSource):
        return client.manifest(reference)
    try:
        return client.manifest(reference)
    except Failure as e:
        raise fetch_error(e, client, reference, locked=locked) from e


def _configuration(client: RegistryClient | LayoutSource, digest: Digest) -> Document:
    if isinstance(client, LayoutSource):
        return client.config(digest)
    try:
        return client.config(digest)
    except Failure as e:
        raise fetch_error(e, client, digest, locked=True) from e


def _offers(index: Mapping[str, Any], where: str) -> dict[tuple[str, str, str], Descriptor]:
    """Return the manifests of an index by os, architecture and variant."""
    found: dict[tuple[str, str, str], Descriptor] = {}
    items = index.get("manifests")
    if not isinstance(items, list):
        raise BaseError("its index lists no manifests", where=where)
    for number, item in enumerate(items):
        try:
            descriptor = Descriptor.parse(item, f"{where}: manifests[{number}]")
        except ImageError as e:
            raise BaseError(e.what, where=e.where) from e
        row = descriptor.platform if isinstance(descriptor.platform, dict) else {}
        if descriptor.media_type in MANIFEST_TYPES:
            found.setdefault(_key(row), descriptor)
    return found


def _key(row: Mapping[str, Any]) -> tuple[str, str, str]:
    os, architecture = str(row.get("os", "")), str(row.get("architecture", ""))
    variant = str(row.get("variant") or "")
    # image-index.md: arm64 is v8, whether it says so or not.
    return os, architecture, "" if (architecture, variant) == ("arm64", "v8") else variant


def _manifest(
    client: RegistryClient | LayoutSource, offers: Mapping[tuple[str, str, str], Descriptor], row: Platform
) -> Document | None:
    descriptor = offers.get((row.os, row.architecture, row.variant or ""))
    if descriptor is None:
        return None
    return _asked(client, descriptor.digest, locked=True)


def _lacking(row: Platform, offers: Mapping[tuple[str, str, str], Descriptor], where: str) -> BaseError:
    has = sorted("/".join(part for part in key if part) for key in offers if "unknown" not in key)
    return BaseError(
        f"the image is not for {row.oci}",
        where=where,
        details=[f"it is for {', '.join(has) or 'no platform'}"],
        hint="take the platform out of the field `platforms`, or choose an image that has it",
    )


def _image(
    client: RegistryClient | LayoutSource, manifest: Document, row: Platform, where: str
) -> dict[str, Any]:
    """Return what a lock holds of one platform."""
    items = manifest.value.get("layers")
    if not isinstance(items, list) or not 0 < len(items) <= _MOST_LAYERS:
        raise BaseError(f"its manifest has no list of 1 to {_MOST_LAYERS} layers", where=where)
    try:
        config = Descriptor.parse(manifest.value.get("config"), f"{where}: config")
        layers = [Descriptor.parse(item, f"{where}: layers[{n}]") for n, item in enumerate(items)]
    except ImageError as e:
        raise BaseError(e.what, where=e.where, hint="name a container image") from e
    value = _configuration(client, config.digest).value
    if _key(value) != (row.os, row.architecture, row.variant or "") and not _older(value, row):
        said = "/".join(part for part in _key(value) if part)
        raise BaseError(
            f"its manifest for {row.oci} is of an image for {said or 'no platform'}",
            where=f"{where}@{manifest.digest}",
            hint="the image was put together wrongly: tell its makers, or choose another",
        )
    described = Value(value, "", failing(BaseError, f"{where}: configuration"))
    return {
        "manifest": manifest.descriptor(),
        "config": {"digest": config.digest, "size": config.size},
        "image": _run_time(described.maybe("config")),
        "layers": _layers(layers, value, where),
    }


def _older(value: Mapping[str, Any], row: Platform) -> bool:
    """Whether a configuration without a variant is of the row's: many builders leave it out."""
    return _key(value) == (row.os, row.architecture, "")


def _run_time(config: Value | None) -> dict[str, Any]:
    """Return the part of the configuration that an image on this base inherits."""
    env = config.optional("Env", Value.texts) if config else None
    labels = config.optional("Labels", Value.text_members) if config else None
    pairs = (item.partition("=") for item in env or () if "=" in item)
    return {"env": {name: text for name, _, text in pairs}, "labels": labels or {}}


def _layers(layers: Sequence[Descriptor], config: Mapping[str, Any], where: str) -> list[dict[str, Any]]:
    rootfs = config.get("rootfs")
    diff_ids = rootfs.get("diff_ids") if isinstance(rootfs, dict) else None
    # config.md of diff_ids: "An array of layer content hashes, in order from first to last".
    if not isinstance(diff_ids, list) or len(diff_ids) != len(layers) or not all(map(Digest.fits, diff_ids)):
        raise BaseError("its configuration does not describe the layers of its manifest", where=where)
    listed = config.get("history")
    history = [h for h in listed if isinstance(h, dict)] if isinstance(listed, list) else []
    history = [h for h in history if not h.get("empty_layer")]
    said = [str(h.get("created_by") or "") for h in history] if len(history) == len(layers) else []
    rows = []
    for number, (layer, diff_id) in enumerate(zip(layers, diff_ids, strict=True)):
        if layer.media_type not in LAYER_TYPES:
            raise BaseError(
                f"a layer is a {layer.media_type!r}",
                where=f"{where}: layers[{number}]",
                hint="bases are of tar layers, plain or compressed with gzip or zstd",
            )
        rows.append(
            {
                "mediaType": LAYER_TYPES[layer.media_type],
                "digest": layer.digest,
                "size": layer.size,
                "diff_id": diff_id,
                "created_by": _brief(said[number]) if said else "",
            }
        )
    return rows


def _brief(text: str) -> str:
    plain = _BUILDKIT.sub("", _SPACES.sub(" ", text)).strip()
    plain = plain.encode("utf-8", "replace").decode()
    return plain if len(plain) <= _MOST_HISTORY else plain[: _MOST_HISTORY - 1].rstrip() + "…"
