"""Send an image to repositories of a registry: only what is missing there, by digest first, tags last.

Runs outside any cache. Logins come from the files of Docker, podman and skopeo and from their
credential helpers. Nothing is sent where every tag names the image's digest already.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_json
from ociwheel.errors import UsageError
from ociwheel.image.layout import Descriptor
from ociwheel.image_name import ImageName
from ociwheel.registry import content
from ociwheel.registry.logins import logins, machine_environment
from ociwheel.registry.push import Push, Tally
from ociwheel.registry.repository import Destination
from ociwheel.registry.session import Session
from ociwheel.registry.together import Sessions, Together
from ociwheel.registry.workers import Workers
from ociwheel.transport import settings
from ociwheel.wording import shown

_INTERRUPTED = 130


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the arguments."""
    parser.add_argument(
        "--layout", type=Path, required=True, help="OCI layout of one image; it may lack layers"
    )
    parser.add_argument(
        "--blobs", type=Path, help="folder whose subfolders have `blobs/sha256`, where the layers are"
    )
    parser.add_argument(
        "--image",
        action="append",
        required=True,
        metavar="NAME:TAG",
        help="where to send it: registry, repository and tag; all of one repository",
    )
    parser.add_argument(
        "--origins",
        type=Path,
        help="JSON: by digest of a blob, the `registry/repository` that has it, such as a base's",
    )
    parser.add_argument("--known", type=Path, help="file that remembers which repositories have which blobs")
    parser.add_argument(
        "--insecure",
        action="append",
        default=[],
        metavar="HOST",
        help="registry without TLS or trusted certificate",
    )
    parser.add_argument(
        "--attach",
        type=Path,
        metavar="FILE",
        help="JSON, a list of documents to attach: subject (a digest of the image), media_type, "
        "predicate_type, path (beside FILE)",
    )
    parser.add_argument(
        "--sign",
        metavar="KEY",
        help="private key that signs, a file or env://NAME; its password: COSIGN_PASSWORD",
    )
    parser.add_argument("--libraries", type=Path, metavar="DIR", help="keeps the libraries that sign")
    parser.add_argument(
        "--run",
        type=Path,
        metavar="DIR",
        help="JSON documents (images, digest, origins) of what the same run pushes, and layouts; of them it "
        "sends what it can too, and marks what is there",
    )
    parser.add_argument(
        "--jobs", type=int, default=4, help="how many blobs go up at the same time, of all images"
    )
    parser.add_argument("--dry-run", action="store_true", help="only tell what would be sent, in bytes")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Run the step."""
    if args.jobs < 1:
        raise UsageError(f"--jobs is {args.jobs}, expected at least 1")
    to = destination(args.image)
    image = content.read(args.layout, sorted(args.blobs.iterdir()) if args.blobs else ())
    before_tags = statements(args, image)
    login, network = logins(machine_environment()), settings.load()
    sessions = Sessions(lambda domain: Session(domain, network, login, insecure=domain in args.insecure))
    known = content.KnownRepositories.load(args.known)
    with contextlib.closing(_Scratch()) as scratch, Workers(args.jobs) as workers:

        def push_of(what: content.Content, where: Destination, **more: Any) -> Push:
            session = sessions(where.domain)
            fetch = fetching(session, where.domain, scratch)
            return Push(session, what, where, known=known, workers=workers, fetch=fetch, **more)

        own = read_json(args.origins) if args.origins else {}
        push = push_of(image, to, origins=origins(own, to.domain), dry=args.dry_run)
        together = Together(
            session_of=sessions,
            parse=destination,
            push=lambda one, what: push_of(
                what, one.to, origins=origins(one.origins, one.to.domain), named=one.named, whole=True
            ),
            announce=lambda one, what, blobs, size: announce(one.to.names, what, blobs, size),
            tell=lambda one, tally: tell(one.to.names, one.digest, tally),
        )
        others = together.others(args.run, to, image.files) if args.run else contextlib.nullcontext()
        with _interruptible(to.names, scratch), others:
            tally = push.run(lambda blobs, size: announce(to.names, image, blobs, size), before_tags)
            tell(to.names, image.root.digest, tally, dry=args.dry_run)
    if not args.dry_run:
        known.save()
    return document("push", fields_of(image.root.digest, to, tally))


def fetching(session: Session, domain: str, scratch: _Scratch) -> Callable[[str, Descriptor], Path]:
    """Return what writes a blob that a repository of a registry has to a file."""

    def fetch(repository: str, blob: Descriptor) -> Path:
        # Most pushes read nothing.
        from ociwheel.registry.client import RegistryClient  # noqa: PLC0415
        from ociwheel.transport.download import download  # noqa: PLC0415

        client = RegistryClient(session, ImageName(domain, repository, None, None))
        path = scratch.folder() / blob.digest.hex
        return download(
            client, client.blob_url(blob.digest), path, sha256=blob.digest.hex, size=blob.size
        ).path

    return fetch


def announce(names: str, image: content.Content, blobs: int, size: int) -> None:
    """Say what will be sent."""
    _say(f"{names}: {blobs} of {len(image.blobs())} blobs to send, {mebibytes(size)}")


def tell(names: str, digest: str, tally: Tally, *, dry: bool = False) -> None:
    """Say what was sent."""
    _say(f"{names}: {summary(tally, dry=dry)}; {digest}")


def statements(args: argparse.Namespace, image: content.Content) -> Callable[[Push], None] | None:
    """Return what attaches what is said of the image, and signs it; ``None`` where nobody asks for that.

    :raises UsageError: the key cannot be used.
    """
    if not args.attach and not args.sign:
        return None
    # Most pushes do neither.
    from ociwheel.registry.attach import Statements, read_statements  # noqa: PLC0415

    signer = None
    if args.sign:
        # They know how libraries are fetched, and most pushes sign nothing.
        from ociwheel.signing import key, libraries  # noqa: PLC0415

        if args.libraries:
            libraries.prepare(args.libraries)
        signer = key.signer(key.read_key(args.sign, os.environ), args.sign, os.environ)
    return Statements(image, read_statements(args.attach) if args.attach else (), signer).before_tags


def destination(images: Iterable[str]) -> Destination:
    """Return the repository and the tags that some references name.

    :raises UsageError: they name more than one repository, or a digest.
    """
    names = [ImageName.parse(text) for text in images]
    if len({name.repository_name for name in names}) != 1 or any(name.digest for name in names):
        raise UsageError("--image wants tags of one repository", hint="run the step once per repository")
    tags = tuple(dict.fromkeys(name.tag for name in names if name.tag))
    return Destination(names[0].domain, names[0].repository, tags)


def origins(repositories: Mapping[str, Any], domain: str) -> dict[str, tuple[str, ...]]:
    """Return the repositories of one registry that have a blob, by digest.

    :param repositories: of all registries, each ``registry/repository``, by digest.
    """
    result = {}
    for digest, listed in repositories.items():
        names = [ImageName.parse(repository) for repository in listed]
        own = tuple(name.repository for name in names if name.domain == domain)
        if own:
            result[digest] = own
    return result


def mebibytes(size: int) -> str:
    """Return a number of bytes for people."""
    return f"{size} bytes" if size < 100_000 else f"{size / 2**20:.1f} MiB"


def summary(tally: Tally, *, dry: bool) -> str:
    """Return what a push did, or would do, in one line."""
    if not tally.manifests and not tally.tags:
        return "already there, nothing to send" if dry else "already there, nothing sent"
    sent = f"{len(tally.sent)} blobs and {len(tally.manifests)} manifests, {mebibytes(tally.sent_bytes)}"
    rest = f"{len(tally.mounted)} mounted from other repositories, {tally.present} there already"
    return f"{'would send' if dry else 'sent'} {sent}; {rest}; tags: {', '.join(tally.tags) or 'none'}"


def fields_of(digest: str, to: Destination, tally: Tally) -> dict[str, Any]:
    """Return the fields of the step's document."""
    return {
        "digest": digest,
        "reference": f"{to.repository_name}@{digest}",
        "sent": [{"digest": one.digest, "size": one.size} for one in tally.sent],
        "mounted": [{"digest": one.digest, "size": one.size} for one in tally.mounted],
        "present": tally.present,
        "manifests": [{"digest": one.digest, "size": one.size} for one in tally.manifests],
        "sent_bytes": tally.sent_bytes,
        "tags": tally.tags,
    }


class _Scratch:
    """A folder for what is read from the registry, made when something is."""

    def __init__(self) -> None:
        self._folder: Path | None = None
        self._lock = threading.Lock()

    def folder(self) -> Path:
        with self._lock:
            self._folder = self._folder or Path(tempfile.mkdtemp(prefix="ociwheel-push-"))
            return self._folder

    def close(self) -> None:
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)


def _say(text: str) -> None:
    sys.stderr.write(f"{shown(text)}\n")
    sys.stderr.flush()


@contextlib.contextmanager
def _interruptible(names: str, scratch: _Scratch) -> Any:
    """End at once on Ctrl-C: threads that send would go on to the end of their blob.

    :param scratch: to remove then.
    """

    def stop(*_args: object) -> None:
        scratch.close()
        _say(f"{names}: stopped; what was sent stays, no tag names an incomplete image")
        os._exit(_INTERRUPTED)

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
