"""Reads manifests and blobs of one repository: OCI distribution-spec 1.1, "Pull"."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from ociwheel.digest import Digest
from ociwheel.image_name import ImageName
from ociwheel.reading import parse_json
from ociwheel.registry.messages import Answer, Request
from ociwheel.registry.session import Session, scope
from ociwheel.transport.connection import Response
from ociwheel.transport.failure import Failure, Kind

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFEST_TYPES = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)


@dataclass(frozen=True)
class Document:
    """A JSON document of a registry, verified."""

    media_type: str
    digest: Digest
    size: int
    """Bytes."""
    value: Mapping[str, Any]

    def descriptor(self) -> dict[str, Any]:
        """Return the document's descriptor."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


class RegistryClient:
    """Reads the repository of an image.

    :param session: of the image's registry.
    """

    def __init__(self, session: Session, name: ImageName) -> None:
        self.session = session
        self.name = name

    def manifest(self, reference: str) -> Document:
        """Return a manifest or an index.

        :param reference: a tag or a digest.
        :raises Failure: the registry does not give it, or something else.
        """
        url = self.session.url(f"{self.name.repository}/manifests/{reference}")
        accept = ", ".join((*INDEX_TYPES, *MANIFEST_TYPES))
        return self._document(url, accept, Digest(reference) if Digest.fits(reference) else None)

    def config(self, digest: Digest) -> Document:
        """Return an image configuration.

        :raises Failure: the registry does not give it, or something else.
        """
        return self._document(self.blob_url(digest), "*/*", digest)

    def blob_url(self, digest: Digest) -> str:
        """Return where a blob is."""
        return self.session.url(f"{self.name.repository}/blobs/{digest}")

    def get(self, url: str, use: Callable[[Response], Any], *, accept: str = "*/*") -> Any:
        """GET ``url`` and return what ``use`` makes of the answer, as :meth:`Network.get` does."""
        own = (scope(self.name.repository, "pull"),)
        request = Request("GET", url, self.name.repository, own, {"Accept": accept})

        def once() -> Any:
            with contextlib.closing(self.session.open(request)) as response:
                if response.status != HTTPStatus.OK:
                    raise Answer.read(response, request.method).failure(response.url)
                return use(response)

        return self.session.retry.run(once, f"{self.name.domain}: GET")

    def _document(self, url: str, accept: str, digest: Digest | None) -> Document:
        own = (scope(self.name.repository, "pull"),)
        answer = self.session.send(Request("GET", url, self.name.repository, own, {"Accept": accept}))
        if answer.status != HTTPStatus.OK:
            raise answer.failure(url)
        found = Digest.of(answer.body)
        if digest is not None and found != digest:
            raise Failure(Kind.ANSWER, url, f"gives another document, {found}")
        try:
            value = parse_json(answer.body)
        except ValueError as e:
            raise Failure(Kind.ANSWER, url, f"does not answer in JSON: it {e}") from e
        if not isinstance(value, dict):
            raise Failure(Kind.ANSWER, url, "answers with something that is no JSON object")
        # image-spec: "mediaType SHOULD be used"; where it is missing the header says what it is.
        said = answer.headers.get("content-type", "").partition(";")[0].strip()
        return Document(str(value.get("mediaType") or said), found, len(answer.body), value)
