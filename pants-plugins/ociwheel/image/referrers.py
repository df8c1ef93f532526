"""Artifacts that refer to an image: manifests with a ``subject``.

Specification: OCI image-spec 1.1, manifest.md, "Guidelines for Artifact Usage"; distribution-spec 1.1,
"Referrers Tag Schema".
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ociwheel.digest import Digest
from ociwheel.image.layout import INDEX, MANIFEST, Blob, Descriptor, encode

EMPTY_TYPE = "application/vnd.oci.empty.v1+json"


def blob(data: bytes, media_type: str, annotations: Mapping[str, str] | None = None) -> Blob:
    """Return bytes as a blob."""
    digest = Digest.of(data)
    return Blob(Descriptor(media_type, digest, len(data), annotations=annotations or {}), data)


# manifest.md: "If this property [config] is not needed, it MUST be the empty descriptor": two bytes, `{}`.
EMPTY = blob(b"{}", EMPTY_TYPE)


@dataclass(frozen=True)
class Artifact:
    """A manifest that is there for another, and the blobs that must be in a repository before it."""

    manifest: Blob
    blobs: tuple[Blob, ...]
    artifact_type: str
    annotations: Mapping[str, str] = field(default_factory=dict)

    def row(self) -> dict[str, Any]:
        """Return its descriptor as a list of referrers has it: with type and annotations of the manifest."""
        value = {**self.manifest.descriptor.to_json(), "artifactType": self.artifact_type}
        return {**value, "annotations": dict(self.annotations)} if self.annotations else value


def artifact(
    subject: Descriptor, artifact_type: str, content: Blob, annotations: Mapping[str, str] | None = None
) -> Artifact:
    """Return an artifact of one blob.

    :param subject: the manifest or index that it is about.
    """
    value: dict[str, Any] = {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": artifact_type,
        "config": EMPTY.descriptor.to_json(),
        "layers": [content.descriptor.to_json()],
        "subject": Descriptor(subject.media_type, subject.digest, subject.size).to_json(),
    }
    if annotations:
        value["annotations"] = dict(annotations)
    return Artifact(blob(encode(value), MANIFEST), (EMPTY, content), artifact_type, dict(annotations or {}))


def fallback_tag(digest: str) -> str:
    """Return the tag that lists what refers to a digest, where a registry cannot."""
    return digest.replace(":", "-")


def listed(rows: Iterable[Mapping[str, Any]]) -> Blob:
    """Return a list of referrers as an index."""
    return blob(
        encode({"schemaVersion": 2, "mediaType": INDEX, "manifests": [dict(one) for one in rows]}), INDEX
    )
