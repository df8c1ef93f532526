"""Sending an image to a repository: only what is missing there, by digest first, tags last.

Specification: OCI distribution-spec 1.1, "Push". A manifest that is there by its digest has all its
blobs, because a registry takes a manifest only after them; nothing below it is asked for.
"""

from __future__ import annotations

import threading
import urllib.parse
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ociwheel.digest import Digest
from ociwheel.image.layout import INDEX, MANIFEST, Blob, Descriptor
from ociwheel.reading import parse_json
from ociwheel.registry.content import Content, KnownRepositories, Manifest
from ociwheel.registry.messages import Answer, Request
from ociwheel.registry.refusals import RegistryError, push_error
from ociwheel.registry.session import ATTEMPTS, Session, merged, scope
from ociwheel.remedies import Remedy
from ociwheel.transport.connection import Body
from ociwheel.transport.download import WrongContentError
from ociwheel.transport.failure import RETRIED, Failure, Kind
from ociwheel.transport.urls import join_url
from ociwheel.wording import quoted

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_Asked = TypeVar("_Asked")
_Told = TypeVar("_Told")
_ACCEPT = f"{INDEX}, {MANIFEST}"
_STORED = frozenset({HTTPStatus.OK, HTTPStatus.CREATED, HTTPStatus.ACCEPTED, HTTPStatus.NO_CONTENT})
# What an upload that did not arrive whole, or whose session the registry lost, is answered with.
_DAMAGED = frozenset({"DIGEST_INVALID", "SIZE_INVALID", "BLOB_UPLOAD_INVALID", "BLOB_UPLOAD_UNKNOWN"})


@dataclass(frozen=True)
class Destination:
    """A repository of a registry, and the tags that the image gets there."""

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


@dataclass
class Tally:
    """What a push did, or would do: digests, and the bytes of blobs."""

    sent: list[Descriptor] = field(default_factory=list)
    mounted: list[Descriptor] = field(default_factory=list)
    present: int = 0
    manifests: list[Descriptor] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)

    @property
    def sent_bytes(self) -> int:
        """Bytes of blobs and manifests."""
        return sum(one.size for one in (*self.sent, *self.manifests))


def _fetch_none(repository: str, _blob: Descriptor) -> Path:
    raise Failure(Kind.NOT_FOUND, repository, "was not asked")


class Push:
    """One push of one image to one repository.

    :param origins: repositories of the same registry that have a blob, by digest: where a base is from.
    :param fetch: writes a blob of such a repository to a file, for a registry that does not mount it.
    :param jobs: how many blobs go up at the same time.
    :param dry: only ask; nothing is written.
    """

    def __init__(
        self,
        session: Session,
        content: Content,
        destination: Destination,
        *,
        known: KnownRepositories,
        origins: Mapping[str, tuple[str, ...]] | None = None,
        fetch: Callable[[str, Descriptor], Path] = _fetch_none,
        jobs: int = 4,
        dry: bool = False,
    ) -> None:
        self._session = session
        self._content = content
        self._to = destination
        self._known = known
        self._origins = origins or {}
        self._fetch = fetch
        self._jobs = jobs
        self._dry = dry
        self._lock = threading.Lock()
        self._scopes = (scope(destination.repository, "pull,push"),)
        self._tagged: frozenset[str] = frozenset()
        self.tally = Tally()

    @property
    def repository_name(self) -> str:
        """Registry and repository."""
        return self._to.repository_name

    def run(
        self,
        announce: Callable[[int, int], None] = lambda _blobs, _size: None,
        before_tags: Callable[[Push], None] | None = None,
    ) -> Tally:
        """Push.

        :param announce: told the number and the bytes of the blobs to send, before they are.
        :param before_tags: does what has to be done to the image before a tag names it: attaching, signing.
        :raises RegistryError: the registry refuses something, or cannot be reached.
        """
        try:
            return self._run(announce, before_tags)
        except Failure as e:
            login = self._session.login(self._to.repository_name)
            raise push_error(e, self._to.domain, self._to.repository, login) from e

    def _run(self, announce: Callable[[int, int], None], before_tags: Callable[[Push], None] | None) -> Tally:
        self._session.connect(self._to.repository)
        root = self._content.root
        named = {tag: self._digest_of(tag) for tag in self._to.tags}
        stale = [tag for tag, digest in named.items() if digest != root.digest]
        # What a tag brings is there by its digest too. Who wants it there before asks, and sends it first.
        early = before_tags is not None or not stale
        unsent = False
        # A tag that names the digest shows that the digest is there.
        if len(stale) == len(self._to.tags) and not (early and self._digest_of(root.digest) == root.digest):
            self._push_content(announce, {digest for digest in named.values() if digest})
            unsent = all(one.descriptor.digest != root.digest for one in self._content.manifests)
        if unsent and early:
            self.send_manifest(root, self._content.data)
            unsent = False
        if before_tags is not None:
            before_tags(self)
        for tag in stale:
            if unsent:
                self.send_manifest(root, self._content.data, tag)
                unsent = False
            elif not self._dry:
                self._put_manifest(root, self._content.data, tag)
            self.tally.tags.append(tag)
        return self.tally

    def _push_content(self, announce: Callable[[int, int], None], tagged: Iterable[str]) -> None:
        """Send what the repository lacks below the root, without a tag.

        :param tagged: digests that the tags name now.
        """
        # What asks only whether the tags are right loads no more than that.
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        with ThreadPoolExecutor(self._jobs) as pool:
            digests = [one.descriptor.digest for one in self._content.manifests]
            there = self._all(pool, self._digest_of, digests)
            new = [one for one, digest in zip(self._content.manifests, there, strict=True) if digest is None]
            if not new:
                return
            self._tagged = frozenset(self._blobs_of(pool, tagged))
            self._push_blobs(pool, new, announce)
            self._all(pool, lambda one: self.send_manifest(one.descriptor, one.data), new)

    def _blobs_of(self, pool: ThreadPoolExecutor, tagged: Iterable[str]) -> Iterator[str]:
        """Yield the digests of blobs of the images that tags name now: they need not be asked for one by one.

        A tag's image is there with all that is below it, as said at the head of this module.
        """
        documents = self._all(pool, self._read, tagged)
        below = {str(row.get("digest")) for one in documents for row in _rows(one, "manifests")}
        documents += self._all(pool, self._read, filter(Digest.fits, sorted(below)))
        for one in documents:
            for row in (one.get("config"), *_rows(one, "layers")):
                if isinstance(row, dict):
                    yield str(row.get("digest"))

    def _read(self, digest: str) -> Mapping[str, object]:
        """Return a manifest or an index; one that cannot be had, or is damaged, has nothing in it."""
        try:
            answer = self.request("GET", f"manifests/{digest}", headers={"Accept": _ACCEPT})
            value = parse_json(answer.body) if Digest.of(answer.body) == digest else None
        except (Failure, ValueError):
            return {}
        return value if isinstance(value, dict) else {}

    # --- manifests ------------------------------------------------------------------------------------

    def _digest_of(self, reference: str) -> str | None:
        """Return the digest that a tag or digest leads to, ``None`` where there is none."""
        answer = self.request("HEAD", f"manifests/{reference}", headers={"Accept": _ACCEPT})
        if answer.status == HTTPStatus.NOT_FOUND:
            return None
        if answer.status != HTTPStatus.OK:
            raise self.unexpected(f"being asked for the manifest {reference}", answer)
        # distribution-spec: the header is optional; whoever was asked by digest has that digest.
        default = reference if Digest.fits(reference) else None
        return answer.headers.get("docker-content-digest", default)

    def send_manifest(self, descriptor: Descriptor, data: bytes, tag: str | None = None) -> None:
        """Send a manifest whose blobs are there, by its digest or by a tag."""
        if not self._dry:
            self._put_manifest(descriptor, data, tag or descriptor.digest)
        with self._lock:
            self.tally.manifests.append(descriptor)

    def _put_manifest(self, descriptor: Descriptor, data: bytes, reference: str) -> None:
        answer = self.request(
            "PUT",
            f"manifests/{reference}",
            headers={"Content-Type": descriptor.media_type},
            body=Body(data, len(data)),
        )
        if answer.status not in _STORED:
            raise self.unexpected(f"being sent the manifest {reference}", answer)
        stored = answer.headers.get("docker-content-digest", descriptor.digest)
        if stored != descriptor.digest:
            raise RegistryError(
                f"the registry changed the manifest {descriptor.digest}: it stored {stored}",
                where=self._to.repository_name,
            )

    # --- blobs ----------------------------------------------------------------------------------------

    def _push_blobs(
        self, pool: ThreadPoolExecutor, manifests: Iterable[Manifest], announce: Callable[[int, int], None]
    ) -> None:
        blobs = {blob.digest: blob for one in manifests for blob in one.blobs}
        there = self._all(pool, self._has_or_mounts, blobs.values())
        missing = [blob for blob, found in zip(blobs.values(), there, strict=True) if not found]
        announce(len(missing), sum(blob.size for blob in missing))
        # The largest first: the last one to end is then a small one.
        self._all(pool, self._upload, sorted(missing, key=lambda blob: -blob.size))

    @staticmethod
    def _all(
        pool: ThreadPoolExecutor, work: Callable[[_Asked], _Told], items: Iterable[_Asked]
    ) -> list[_Told]:
        from concurrent.futures import FIRST_EXCEPTION, wait  # noqa: PLC0415 (as above)

        futures = [pool.submit(work, item) for item in items]
        try:
            wait(futures, return_when=FIRST_EXCEPTION)
        finally:
            for future in futures:
                future.cancel()
        for future in futures:
            if not future.cancelled() and (error := future.exception()):
                raise error
        return [future.result() for future in futures]

    def _has_or_mounts(self, blob: Descriptor) -> bool:
        if blob.digest in self._tagged or self._has(blob, self._to.repository, self._scopes):
            with self._lock:
                self.tally.present += 1
                self._known.add(self._to.domain, blob.digest, self._to.repository)
            return True
        for repository in self._repositories(blob):
            if self._mount(blob, repository):
                with self._lock:
                    self.tally.mounted.append(blob)
                    self._known.add(self._to.domain, blob.digest, self._to.repository)
                return True
            with self._lock:
                self._known.forget(self._to.domain, blob.digest, repository)
        return False

    def _repositories(self, blob: Descriptor) -> tuple[str, ...]:
        """Return the other repositories of the registry that may have a blob."""
        known = (*self._origins.get(blob.digest, ()), *self._known.of(self._to.domain, blob.digest))
        return tuple(repository for repository in dict.fromkeys(known) if repository != self._to.repository)

    def _has(self, blob: Descriptor, repository: str, scopes: tuple[str, ...]) -> bool:
        url = self._session.url(f"{repository}/blobs/{blob.digest}")
        answer = self._session.send(Request("HEAD", url, self._to.repository, scopes))
        if answer.status in (HTTPStatus.OK, HTTPStatus.NOT_FOUND):
            return answer.status == HTTPStatus.OK
        if repository != self._to.repository:
            return False
        raise self.unexpected(f"being asked for the blob {blob.digest}", answer)

    def _mount(self, blob: Descriptor, repository: str) -> bool:
        """Let the repository have a blob of another repository; tell whether that worked."""
        scopes = merged(self._scopes, (scope(repository, "pull"),))
        try:
            # Asked first: where the blob is gone, the registry would open an upload that nobody ends.
            if not self._has(blob, repository, scopes):
                return False
            if self._dry:
                return True
            query = urllib.parse.urlencode({"mount": blob.digest, "from": repository})
            url = self._session.url(f"{self._to.repository}/blobs/uploads/?{query}")
            answer = self._session.send(Request("POST", url, self._to.repository, scopes))
        except Failure:
            return False  # no right to read there is no reason not to send the blob
        return answer.status == HTTPStatus.CREATED

    def _upload(self, blob: Descriptor) -> bool:
        if not self._dry:
            path = self._content.files.get(blob.digest) or self._fetched(blob)
            self._send_blob(blob, Body(path, blob.size))
        with self._lock:
            self.tally.sent.append(blob)
            self._known.add(self._to.domain, blob.digest, self._to.repository)
        return True

    def _fetched(self, blob: Descriptor) -> Path:
        """Return a blob that the registry has elsewhere and did not mount.

        distribution-spec: "If a registry does not support cross-repository mounting or is unable to mount
        the requested blob, it SHOULD return a 202."
        """
        details = []
        for repository in self._origins.get(blob.digest, ()):
            try:
                return self._fetch(repository, blob)
            except Failure as e:
                details.append(str(e))
            except WrongContentError as e:
                details.append(f"{repository}: gives {e}")
        raise RegistryError(
            f"neither this machine nor a repository that it may read has the blob {blob.digest} "
            f"({blob.size} bytes)",
            where=self._to.repository_name,
            details=details,
            hint=Remedy("read-base-or-relock"),
        )

    def send_data(self, blob: Blob) -> None:
        """Send a small blob, unless it is there."""
        if self._has(blob.descriptor, self._to.repository, self._scopes):
            self.tally.present += 1
            return
        if not self._dry:
            self._send_blob(blob.descriptor, Body(blob.data, blob.descriptor.size))
        self.tally.sent.append(blob.descriptor)

    def _send_blob(self, blob: Descriptor, body: Body) -> None:
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
            if self._has(blob, self._to.repository, self._scopes):
                return
            if attempt < ATTEMPTS:
                what = f"{self._to.domain}: the blob {blob.digest[:19]}"
                self._session.retry.pause(what, reason, attempt, asked)
        raise RegistryError(
            f"the blob {blob.digest} did not arrive in {ATTEMPTS} attempts: {reason}",
            where=self._to.repository_name,
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
            raise RegistryError(
                f"the registry leads to {quoted(location)}, which is no URL", where=self._to.repository_name
            )
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
            return answer.failure(self._to.repository_name)
        hint = None
        if "NAME_UNKNOWN" in answer.codes:
            hint = "some registries want a repository to be made before its first push"
        return RegistryError(
            f"the registry answered {answer.text()}, {doing}", where=self._to.repository_name, hint=hint
        )


def _rows(document: Mapping[str, object], name: str) -> list[dict[str, object]]:
    """Return the descriptors that a document lists, none where it does not."""
    rows = document.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
