"""Attaching to an image in a registry what is said of it, and signatures.

Specification: OCI distribution-spec 1.1, "Listing Referrers", and for registries without it, "Unavailable
Referrers API": a tag `sha256-<hex>` names the list.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any

from ociwheel.digest import Digest
from ociwheel.documents import read_json
from ociwheel.image.layout import INDEX, MANIFEST, Descriptor
from ociwheel.image.referrers import Artifact, artifact, blob, fallback_tag, listed
from ociwheel.reading import LIMITS, bytes_of, parse_json
from ociwheel.registry.content import Content
from ociwheel.registry.push import Push
from ociwheel.registry.refusals import RegistryError
from ociwheel.sbom.provenance import STATEMENT
from ociwheel.signing.signatures import Signer, attested, signed, simple_tag, with_simple


@dataclass(frozen=True)
class Statement:
    """A document about an image.

    :param subject: digest of the manifest or index that it is about.
    :param predicate_type: what a signed statement with this document is called.
    """

    subject: str
    media_type: str
    predicate_type: str
    title: str
    data: bytes


def read_statements(file: Path) -> tuple[Statement, ...]:
    """Return the documents that a file lists, which lie beside it.

    :raises UsageError: a document cannot be read.
    """
    return tuple(
        Statement(
            row["subject"],
            row["media_type"],
            row["predicate_type"],
            row["path"],
            bytes_of(file.parent / row["path"], LIMITS.size),
        )
        for row in read_json(file)
    )


@dataclass(frozen=True)
class Statements:
    """What is said of an image with all its platforms, and who signs that and the image."""

    image: Content
    items: tuple[Statement, ...]
    signer: Signer | None

    def before_tags(self, push: Push) -> None:
        """Attach all of it, and sign every manifest and the index."""
        roots = {one.descriptor.digest: one.descriptor for one in self.image.manifests}
        roots[self.image.root.digest] = self.image.root
        for subject in roots.values():
            found = [item for item in self.items if item.subject == subject.digest]
            attach(push, subject, [made for item in found for made in self._artifacts(item, subject)])
            if self.signer is not None:
                attach(push, subject, [signed(self.signer, subject)])
                sign_simply(push, push.repository_name, subject, self.signer)

    def _artifacts(self, item: Statement, subject: Descriptor) -> Iterator[Artifact]:
        """Yield a document as it is, and where there is a key, as a signed statement."""
        named = {"org.opencontainers.image.title": item.title}
        yield artifact(subject, item.media_type, blob(item.data, item.media_type, named))
        if self.signer is not None:
            value = parse_json(item.data)
            # Provenance is a statement already, about all platforms; what is signed is about this subject.
            predicate = value["predicate"] if value.get("_type") == STATEMENT else value
            yield attested(self.signer, subject, item.predicate_type, predicate)


def attach(push: Push, subject: Descriptor, artifacts: Sequence[Artifact]) -> None:
    """Attach artifacts to a manifest that is in the repository; those that are there are not sent again.

    :raises RegistryError: the registry refuses one, or its list of referrers is none.
    """
    if not artifacts:
        return
    rows, api = _referrers(push, subject.digest)
    there = {row.get("digest") for row in rows}
    new = [one for one in artifacts if one.manifest.descriptor.digest not in there]
    for one in new:
        for part in one.blobs:
            push.send_data(part)
        push.send_manifest(one.manifest.descriptor, one.manifest.data)
    if new and not api:
        index = listed([*rows, *(one.row() for one in new)])
        push.send_manifest(index.descriptor, index.data, fallback_tag(subject.digest))


def sign_simply(push: Push, repository: str, subject: Descriptor, signer: Signer) -> None:
    """Add a simple signature to those that a manifest has.

    :param repository: registry and repository.
    """
    tag = simple_tag(subject.digest)
    there = _document(push, tag, MANIFEST) or {}
    layers = there.get("layers") or []
    if not isinstance(layers, list) or not all(
        isinstance(row, dict) and Digest.fits(row.get("digest")) for row in layers
    ):
        raise RegistryError(f"the signatures that {tag} names are no list", where=push.repository_name)
    made = with_simple(signer, repository, subject, there)
    if made is not None:
        for part in made.blobs:
            push.send_data(part)
        push.send_manifest(made.manifest.descriptor, made.manifest.data, tag)


def _referrers(push: Push, digest: str) -> tuple[list[dict[str, Any]], bool]:
    """Return the descriptors of what refers to a digest, and whether the registry lists them itself."""
    answer = push.request("GET", f"referrers/{digest}", headers={"Accept": INDEX})
    # distribution-spec: "If the registry does not support the referrers API [...] 404".
    if answer.status == HTTPStatus.OK and INDEX in answer.headers.get("content-type", ""):
        return _rows(push, _parsed(push, answer.body)), True
    return _rows(push, _document(push, fallback_tag(digest), INDEX) or {}), False


def _rows(push: Push, value: Mapping[str, Any]) -> list[dict[str, Any]]:
    rows = value.get("manifests") or []
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise RegistryError("the registry's list of referrers is no list", where=push.repository_name)
    return rows


def _document(push: Push, tag: str, media_type: str) -> dict[str, Any] | None:
    answer = push.request("GET", f"manifests/{tag}", headers={"Accept": media_type})
    if answer.status == HTTPStatus.NOT_FOUND:
        return None
    if answer.status != HTTPStatus.OK:
        raise push.unexpected(f"being asked for the manifest {tag}", answer)
    return _parsed(push, answer.body)


def _parsed(push: Push, body: bytes) -> dict[str, Any]:
    try:
        value = parse_json(body)
    except ValueError as e:
        raise RegistryError(f"the registry answers with no JSON: it {e}", where=push.repository_name) from e
    if not isinstance(value, dict):
        raise RegistryError("the registry answers with no JSON object", where=push.repository_name)
    return value
