"""Reads an image from an OCI layout on disk, as :mod:`ociwheel.registry.client` reads one from a registry.

Specification: OCI image-spec 1.1, image-layout.md. Names are those of the transport ``oci`` of skopeo and
podman: ``oci:PATH[:REFERENCE]`` (containers-transports(5)).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ociwheel.digest import Digest
from ociwheel.errors import BaseError, ImageError, UsageError
from ociwheel.image.layout import INDEX, MANIFEST, REF_NAME, Descriptor
from ociwheel.reading import bytes_of, parse_json
from ociwheel.registry.client import Document

PREFIX = "oci:"
# Documents are some KB; a layer that is called a manifest is not read into memory.
_LARGEST = 4 << 20


@dataclass(frozen=True)
class LayoutName:
    """A layout, and which image of it.

    :param folder: as the name has it.
    :param tag: the annotation ``org.opencontainers.image.ref.name``; None: the only image.
    """

    folder: str
    tag: str | None

    @staticmethod
    def parse(text: str) -> LayoutName:
        """Parse ``oci:PATH[:REFERENCE]``.

        :raises UsageError: it is no such name.
        """
        folder, _, tag = text.removeprefix(PREFIX).partition(":")
        if not text.startswith(PREFIX) or not folder:
            raise UsageError(
                f"{text!r} is no name of a layout", hint="write oci:path/of/layout or oci:path/of/layout:tag"
            )
        return LayoutName(folder, tag or None)

    @property
    def reference(self) -> str:
        """What the layout is asked for; empty for its only image."""
        return self.tag or ""

    @property
    def plain(self) -> str:
        """The name: it holds no registry."""
        return str(self)

    def __str__(self) -> str:
        return f"{PREFIX}{self.folder}{':' if self.tag else ''}{self.tag or ''}"


class LayoutSource:
    """Reads the documents of a layout; whatever is wrong with them is a :class:`BaseError`.

    :param folder: where the layout is.
    """

    def __init__(self, name: LayoutName, folder: Path) -> None:
        self.name = name
        self._folder = folder

    def manifest(self, reference: str) -> Document:
        """Return a manifest or an index.

        :param reference: that of the name, or a digest.
        :raises BaseError: the layout has none, or several.
        """
        if not Digest.fits(reference):
            return self._root(reference)
        return self._document(Descriptor("", Digest(reference), -1))

    def config(self, digest: Digest) -> Document:
        """Return an image configuration.

        :raises BaseError: the layout has none.
        """
        return self._document(Descriptor("", digest, -1))

    def _root(self, tag: str) -> Document:
        data, index = self._index()
        offers = list(self._entries(index))
        if tag:
            offers = [one for one in offers if one.annotations.get(REF_NAME) == tag]
        roots = {one.digest: one for one in offers}
        if len(roots) == 1:
            (root,) = roots.values()
            return self._document(root)
        if not tag and self._is_one_image(offers):
            # No index of its own between index.json and the manifests: index.json is the image's.
            return Document(INDEX, Digest.of(data), len(data), index)
        raise self._choose(tag, list(self._entries(index)), len(roots))

    def _index(self) -> tuple[bytes, Mapping[str, Any]]:
        # image-layout.md: both files MUST exist.
        version = self._read(self._folder / "oci-layout", "oci-layout")
        data = self._read(self._folder / "index.json", "index.json")
        if not str(self._parsed(version, "oci-layout").get("imageLayoutVersion", "")).startswith("1."):
            raise BaseError("its imageLayoutVersion is not 1.x", where=f"{self.name}: oci-layout")
        return data, self._parsed(data, "index.json")

    def _entries(self, index: Mapping[str, Any]) -> Iterator[Descriptor]:
        items = index.get("manifests")
        if not isinstance(items, list) or not items:
            raise BaseError("its index.json lists no manifests", where=str(self.name))
        for number, item in enumerate(items):
            try:
                yield Descriptor.parse(item, f"{self.name}: index.json: manifests[{number}]")
            except ImageError as e:
                raise BaseError(e.what, where=e.where) from e

    @staticmethod
    def _is_one_image(offers: list[Descriptor]) -> bool:
        """Whether the entries are the platforms of one image: each has another."""
        platforms = Counter(json.dumps(one.platform, sort_keys=True) for one in offers if one.platform)
        names = {one.annotations.get(REF_NAME) for one in offers}
        return len(platforms) == len(offers) and len(names) == 1

    def _choose(self, tag: str, offers: list[Descriptor], found: int) -> BaseError:
        names = sorted({one.annotations.get(REF_NAME, "") for one in offers} - {""})
        has = [f"it has {', '.join(names)}" if names else "its images have no reference"]
        if tag and not found:
            return BaseError(
                f"the layout has no image {tag!r}",
                where=str(self.name),
                details=has,
                hint="the reference is the annotation org.opencontainers.image.ref.name in index.json",
            )
        return BaseError(
            f"the layout has several images{f' {tag!r}' if tag else ''}",
            where=str(self.name),
            details=has,
            hint=f"name one: {PREFIX}{self.name.folder}:{names[0] if names else 'REFERENCE'}",
        )

    def _document(self, wanted: Descriptor) -> Document:
        inside = wanted.digest.path
        data = self._read(self._folder / inside, inside)
        found = Digest.of(data)
        if found != wanted.digest:
            raise BaseError(
                f"the blob is damaged: {len(data)} bytes of {found}",
                where=f"{self.name}: {inside}",
                hint="write the layout again",
            )
        value = self._parsed(data, inside)
        # image-spec: mediaType SHOULD be there, and older tools leave it out.
        said = value.get("mediaType") or wanted.media_type or (INDEX if "manifests" in value else MANIFEST)
        return Document(str(said), found, len(data), value)

    def _read(self, path: Path, inside: str) -> bytes:
        where = f"{self.name}: {inside}"
        try:
            return bytes_of(path, _LARGEST)
        except ValueError as e:
            raise BaseError("it is too large for a document", where=where) from e
        except OSError as e:
            hint = "copy the whole image: skopeo copy --all docker://IMAGE oci:PATH:TAG"
            if inside.startswith("blobs/"):
                raise BaseError("the layout lacks this blob", where=where, hint=hint) from e
            what = "it is no OCI image layout" if self._folder.is_dir() else "there is no such folder"
            raise BaseError(f"{what}: it has no {inside}", where=str(self.name), hint=hint) from e

    def _parsed(self, data: bytes, inside: str) -> Mapping[str, Any]:
        try:
            value = parse_json(data)
        except ValueError as e:
            raise BaseError(f"it is no JSON: it {e}", where=f"{self.name}: {inside}") from e
        if not isinstance(value, dict):
            raise BaseError("it is no JSON object", where=f"{self.name}: {inside}")
        return value
