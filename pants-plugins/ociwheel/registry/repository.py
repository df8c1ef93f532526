"""Requests about one repository of a registry: what it has, and how it is given something.

Specification: OCI distribution-spec 1.1, "Pull" and "Push".
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus

from ociwheel.digest import Digest
from ociwheel.image.layout import INDEX, MANIFEST, Descriptor
from ociwheel.reading import parse_json
from ociwheel.registry.messages import Answer, Request
from ociwheel.registry.refusals import RegistryError
from ociwheel.registry.session import ATTEMPTS, Session, merged, scope
from ociwheel.transport.connection import Body
from ociwheel.transport.failure import RETRIED, Failure
from ociwheel.transport.urls import join_url
from ociwheel.wording import quoted

_ACCEPT = f"{INDEX}, {MANIFEST}"
_STORED = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
# What an upload that did not arrive whole, or whose session the registry lost, is answered with.
_DAMAGED = frozenset({"DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"})
# What a manifest is answered with that names something the registry lacks; which code stands in it, and
# whether one does, differs from registry to registry.
_LACKING = frozenset({HTTPStatus.BAD_REQUEST, HTTPStatus.NOT_FOUND})


class LackingError(Exception):
    """A registry does not take a manifest, perhaps because it lacks what the manifest names.

    :param error: what to tell where it lacks nothing.
    """

    def __init__(self, error: RegistryError) -> None:
        self.error = error
        super().__init__(str(error))


@dataclass(frozen=True)
class Destination:
    """A repository of a registry, and the tags that an image gets there."""

    domain: str
    repository: str
    tags: tuple[str, ...]

    @property
    def repository_name(self) -> str:
        """Registry and repository."""
        return f"{self.domain}/{self.repository}"

    @property
    def names(self) -> str:
        """The repository with its tags, for messages."""
        return f"{self.repository_name}:{','.join(self.tags)}"


class Repository:
    """One repository, to read from and to write to.

    :param session: of its registry.
    """

    def __init__(self, session: Session, to: Destination) -> None:
        self._session = session
        self._to = to
        self._scopes = (scope(to.repository, "pull,push"),)

    @property
    def name(self) -> str:
        """Registry and repository."""
        return self._to.repository_name

    def connect(self) -> None:
        """Find out how the registry is reached, unless that is known.

        :raises Failure: it does not answer, or is none.
        """
        self._session.connect(self._to.repository)

    # --- manifests ------------------------------------------------------------------------------------

    def digest_of(self, reference: str, accept: str = _ACCEPT) -> str | None:
        """Return the digest that a tag or digest leads to, ``None`` where there is none.

        :param accept: the media types that it may have.
        """
        answer = self.request("HEAD", f"manifests/{reference}", headers={"Accept": accept})
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self.unexpected(f"being asked for the manifest {reference}", answer)
        # distribution-spec: the header is optional; whoever was asked by digest has that digest.
        default = reference if Digest.fits(reference) else None
        return answer.headers.get("docker-content-digest", default)

    def read(self, digest: str) -> Mapping[str, object]:
        """Return a manifest or an index; one that cannot be had, or is damaged, has nothing in it."""
        try:
            answer = self.request("GET", f"manifests/{digest}", headers={"Accept": _ACCEPT})
            value = parse_json(answer.body) if Digest.of(answer.body) == digest else None
        except (Failure, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    def put_manifest(self, descriptor: Descriptor, data: bytes, reference: str) -> None:
        """Send a manifest by its digest or by a tag.

        :raises LackingError: the registry may lack what it names.
        :raises RegistryError: the registry refuses it, or stores something else.
        """
        answer = self.request(
            "PUT",
            f"manifests/{reference}",
            headers={"Content-Type": descriptor.media_type},
            body=Body(data, len(data)),
        )
        if answer.status not in _STORED:
            error = self.unexpected(f"being sent the manifest {reference}", answer)
            if answer.status in _LACKING and isinstance(error, RegistryError):
                raise LackingError(error)
            raise error
        stored = answer.headers.get("docker-content-digest", descriptor.digest)
        if stored != descriptor.digest:
            raise RegistryError(
                f"the registry changed the manifest {descriptor.digest}: it stored {stored}", where=self.name
            )

    # --- blobs ----------------------------------------------------------------------------------------

    def has(self, blob: Descriptor) -> bool:
        """Tell whether a blob is there."""
        return self._has(blob, self._to.repository, self._scopes)

    def _has(self, blob: Descriptor, repository: str, scopes: tuple[str, ...]) -> bool:
        url = self._session.url(f"{repository}/blobs/{blob.digest}")
        answer = self._session.send(Request("HEAD", url, self._to.repository, scopes))
        if answer.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return answer.status == HTTPStatus.OK
        if repository != self._to.repository:
            return False
        raise self.unexpected(f"being asked for the blob {blob.digest}", answer)

    def mount(self, blob: Descriptor, repository: str, *, dry: bool = False) -> bool:
        """Have a blob of another repository of the registry; tell whether that worked.

        :param dry: only ask whether it is there.
        """
        scopes = merged(self._scopes, (scope(repository, "pull"),))
        try:
            # Asked first: where the blob is gone, the registry would open an upload that nobody ends.
            if not self._has(blob, repository, scopes):
                return False
            if dry:
                return True
            query = urllib.parse.urlencode({"mount": blob.digest, "from": repository})
            url = self._session.url(f"{self._to.repository}/blobs/uploads/?{query}")
            answer = self._session.send(Request("POST", url, self._to.repository, scopes))
        except Failure:
            return False  # no right to read there is no reason not to send the blob
        return answer.status == HTTPStatus.CREATED

    def send_blob(self, blob: Descriptor, body: Body) -> None:
        """Send a blob: a new upload per attempt, because a broken one cannot be trusted."""
        for attempt in range(1, ATTEMPTS + 1):
            upload = self._to_url("PUT", self._open_upload(blob), body=body)
            try:
                answer = self._session.once(upload)
            except Failure as e:
                reason, asked = e.answer, e.retry_after or 0.0
            else:
                if answer.status in _STORED:
                    return
                if answer.status not in RETRIED and not answer.codes & _DAMAGED:
                    raise self.unexpected(f"being sent the blob {blob.digest}", answer)
                reason, asked = answer.text(), answer.failure("").retry_after or 0.0
            # It may be the answer that got lost, not the blob.
            if self.has(blob):
                return
            if attempt < ATTEMPTS:
                what = f"{self._to.domain}: the blob {blob.digest[:19]}"
                self._session.retry.pause(what, reason, attempt, asked)
        raise RegistryError(
            f"the blob {blob.digest} did not arrive in {ATTEMPTS} attempts: {reason}", where=self.name
        )

    def _open_upload(self, blob: Descriptor) -> str:
        """Return the URL that takes a whole blob."""
        answer = self.request("POST", "blobs/uploads/")
        location = answer.headers.get("location")
        if answer.status != HTTPStatus.ACCEPTED or not location:
            raise self.unexpected("being asked for an upload", answer)
        base = self._session.url(f"{self._to.repository}/blobs/uploads/")
        url = join_url(base, location)
        if url is None:
            raise RegistryError(f"the registry leads to {quoted(location)}, which is no URL", where=self.name)
        return f"{url}{'&' if '?' in url else '?'}digest={blob.digest}"

    # --- requests -------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, *, headers: Mapping[str, str] | None = None, body: Body | None = None
    ) -> Answer:
        """Ask the repository for something.

        :param path: below the repository, such as ``manifests/latest``.
        """
        url = self._session.url(f"{self._to.repository}/{path}")
        return self._session.send(self._to_url(method, url, headers=headers, body=body))

    def _to_url(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: Body | None = None
    ) -> Request:
        return Request(method, url, self._to.repository, self._scopes, headers or {}, body)

    def unexpected(self, doing: str, answer: Answer) -> Exception:
        """Return the error of an answer that ends the push."""
        if answer.status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
            return answer.failure(self.name)
        hint = None
        if "NAME_UNKNOWN" in answer.codes:
            hint = "some registries want a repository to be made before its first push"
        return RegistryError(f"the registry answered {answer.text()}, {doing}", where=self.name, hint=hint)
