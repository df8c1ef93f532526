"""Sending an image to a repository: only what is missing there, by digest first, tags last.

Specification: OCI distribution-spec 1.1, "Push". A manifest that is there by its digest has all its
blobs, because a registry takes a manifest only after them; nothing below it is asked for.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from ociwheel.digest import Digest
from ociwheel.image.layout import Blob, Descriptor
from ociwheel.registry.content import Content, KnownRepositories, Manifest
from ociwheel.registry.messages import Answer
from ociwheel.registry.refusals import RegistryError, push_error
from ociwheel.registry.repository import Destination, LackingError, Repository
from ociwheel.registry.session import Session
from ociwheel.registry.workers import Workers
from ociwheel.remedies import Remedy
from ociwheel.transport.connection import Body
from ociwheel.transport.download import WrongContentError
from ociwheel.transport.failure import Failure, Kind


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


class ElsewhereError(Exception):
    """A blob that has to be sent is not at hand."""


def _fetch_none(repository: str, _blob: Descriptor) -> Path:
    raise Failure(Kind.NOT_FOUND, repository, "was not asked")


class Push:
    """One push of one image to one repository.

    :param known: what repositories have; pushes at the same time share it.
    :param workers: send and ask; pushes at the same time share them.
    :param origins: repositories of the same registry that have a blob, by digest: where a base is from.
    :param fetch: writes a blob of such a repository to a file, for a registry that does not mount it.
    :param dry: only ask; nothing is written.
    :param named: what its tags name, where that was asked.
    :param whole: send nothing unless all that has to be sent is at hand.
    """

    def __init__(
        self,
        session: Session,
        content: Content,
        destination: Destination,
        *,
        known: KnownRepositories,
        workers: Workers,
        origins: Mapping[str, tuple[str, ...]] | None = None,
        fetch: Callable[[str, Descriptor], Path] = _fetch_none,
        dry: bool = False,
        named: Mapping[str, str | None] | None = None,
        whole: bool = False,
    ) -> None:
        self._session = session
        self._content = content
        self._to = destination
        self._repository = Repository(session, destination)
        self._known = known
        self._workers = workers
        self._origins = origins or {}
        self._fetch = fetch
        self._dry = dry
        self._named = named
        self._whole = whole
        self._lock = threading.Lock()
        self._tagged: frozenset[str] = frozenset()
        # Whether a manifest that is there shows that what is below it is there too.
        self._believes = True
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
        :raises ElsewhereError: ``whole``, and something is not at hand.
        """
        try:
            self._repository.connect()
            named = self._named or tags_of(self._repository, self._to)
            try:
                return self._run(named, announce, before_tags)
            except LackingError:
                # A registry that lost a blob, or collected what a manifest still names, is asked for each.
                self._believes = False
                self._tagged = frozenset()
                self.tally.present = 0
                return self._run(named, announce, before_tags)
        except LackingError as e:
            raise e.error from e
        except Failure as e:
            login = self._session.login(self._to.repository_name)
            raise push_error(e, self._to.domain, self._to.repository, login) from e

    def _run(
        self,
        named: Mapping[str, str | None],
        announce: Callable[[int, int], None],
        before_tags: Callable[[Push], None] | None,
    ) -> Tally:
        root = self._content.root
        stale = [tag for tag, digest in named.items() if digest != root.digest]
        # What a tag brings is there by its digest too. Who wants it there before asks, and sends it first.
        early = before_tags is not None or not stale
        unsent = False
        # A tag that names the digest shows that the digest is there.
        if len(stale) == len(self._to.tags) and not (early and self._is_there(root)):
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
                self._repository.put_manifest(root, self._content.data, tag)
            self.tally.tags.append(tag)
        return self.tally

    def _push_content(self, announce: Callable[[int, int], None], tagged: Iterable[str]) -> None:
        """Send what the repository lacks below the root, without a tag.

        :param tagged: digests that the tags name now.
        """
        manifests = self._content.manifests
        ask = (partial(self._is_there, one.descriptor) for one in manifests)
        read = (partial(self._repository.read, digest) for digest in tagged if self._believes)
        there, documents = self._workers.two(ask, read)
        new = [one for one, found in zip(manifests, there, strict=True) if not found]
        if not new:
            return
        self._tagged = frozenset(self._blobs_below(documents))
        self._push_blobs(new, announce)
        self._workers.each(lambda one: self.send_manifest(one.descriptor, one.data), new)

    def _is_there(self, manifest: Descriptor) -> bool:
        """Tell whether a manifest is there, with what is below it."""
        if not self._believes:
            return False
        return self._repository.digest_of(manifest.digest, manifest.media_type) == manifest.digest

    def _blobs_below(self, documents: Iterable[Mapping[str, object]]) -> Iterator[str]:
        """Yield the digests of blobs of the images that tags name now: they need not be asked for one by one.

        A tag's image is there with all that is below it, as said at the head of this module.
        """
        found = list(documents)
        below = {str(row.get("digest")) for one in found for row in _rows(one, "manifests")}
        found += self._workers.each(self._repository.read, filter(Digest.fits, sorted(below)))
        for one in found:
            for row in (one.get("config"), *_rows(one, "layers")):
                if isinstance(row, dict):
                    yield str(row.get("digest"))

    def send_manifest(self, descriptor: Descriptor, data: bytes, tag: str | None = None) -> None:
        """Send a manifest whose blobs are there, by its digest or by a tag."""
        if not self._dry:
            self._repository.put_manifest(descriptor, data, tag or descriptor.digest)
        with self._lock:
            self.tally.manifests.append(descriptor)

    # --- blobs ----------------------------------------------------------------------------------------

    def _push_blobs(self, manifests: Iterable[Manifest], announce: Callable[[int, int], None]) -> None:
        blobs = {blob.digest: blob for one in manifests for blob in one.blobs}
        configs = {one.blobs[0].digest for one in manifests}
        there = self._workers.each(
            lambda blob: self._has_or_mounts(blob, config=blob.digest in configs), blobs.values()
        )
        missing = [blob for blob, found in zip(blobs.values(), there, strict=True) if not found]
        if self._whole and any(not self._is_at_hand(blob) for blob in missing):
            raise ElsewhereError
        announce(len(missing), sum(blob.size for blob in missing))
        # The largest first: the last one to end is then a small one.
        self._workers.each(self._upload, sorted(missing, key=lambda blob: -blob.size))

    def _has_or_mounts(self, blob: Descriptor, *, config: bool) -> bool:
        elsewhere = self._repositories(blob)
        # A configuration is of one manifest alone, which is not there. To ask costs as much as to send it.
        if config and self._believes and blob.digest not in self._tagged and not elsewhere:
            return False
        if blob.digest in self._tagged or self._repository.has(blob):
            with self._lock:
                self.tally.present += 1
            self._known.add(self._to.domain, blob.digest, self._to.repository)
            return True
        return any(self._mounts(blob, repository) for repository in elsewhere)

    def _mounts(self, blob: Descriptor, repository: str) -> bool:
        if self._repository.mount(blob, repository, dry=self._dry):
            with self._lock:
                self.tally.mounted.append(blob)
            self._known.add(self._to.domain, blob.digest, self._to.repository)
            return True
        self._known.forget(self._to.domain, blob.digest, repository)
        return False

    def _repositories(self, blob: Descriptor) -> tuple[str, ...]:
        """Return the other repositories of the registry that may have a blob."""
        known = (*self._origins.get(blob.digest, ()), *self._known.of(self._to.domain, blob.digest))
        return tuple(repository for repository in dict.fromkeys(known) if repository != self._to.repository)

    def _is_at_hand(self, blob: Descriptor) -> bool:
        path = self._content.files.get(blob.digest)
        return blob.digest in self._origins if path is None else path.stat().st_size == blob.size

    def _upload(self, blob: Descriptor) -> None:
        with self._known.turn(self._to.domain, blob.digest):
            # Another push may have sent it since this one asked.
            came = self._known.of(self._to.domain, blob.digest)
            if any(
                self._mounts(blob, repository) for repository in came if repository != self._to.repository
            ):
                return
            if not self._dry:
                path = self._content.files.get(blob.digest) or self._fetched(blob)
                self._repository.send_blob(blob, Body(path, blob.size))
            self._known.add(self._to.domain, blob.digest, self._to.repository)
        with self._lock:
            self.tally.sent.append(blob)

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
        if self._repository.has(blob.descriptor):
            self.tally.present += 1
            return
        if not self._dry:
            self._repository.send_blob(blob.descriptor, Body(blob.data, blob.descriptor.size))
        self.tally.sent.append(blob.descriptor)

    # --- what is done before tags ---------------------------------------------------------------------

    def request(self, method: str, path: str, *, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask the repository for something.

        :param path: below the repository, such as ``manifests/latest``.
        """
        return self._repository.request(method, path, headers=headers)

    def unexpected(self, doing: str, answer: Answer) -> Exception:
        """Return the error of an answer that ends the push."""
        return self._repository.unexpected(doing, answer)


def tags_of(repository: Repository, to: Destination) -> dict[str, str | None]:
    """Return the digests that the tags of an image name now, ``None`` where there is none."""
    return {tag: repository.digest_of(tag) for tag in to.tags}


def _rows(document: Mapping[str, object], name: str) -> list[dict[str, object]]:
    """Return the descriptors that a document lists, none where it does not."""
    rows = document.get(name)
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
