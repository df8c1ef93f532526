"""What the indexes know of a locked version: its files, and the metadata that a plan needs."""

from __future__ import annotations

import hashlib
import sys
import urllib.parse
from dataclasses import dataclass, replace
from pathlib import Path
from tempfile import TemporaryDirectory

from ociwheel.errors import FetchError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact, no_sources
from ociwheel.fetch.index import IndexClient, Offer
from ociwheel.fetch.kept import SMALL, Kept
from ociwheel.fetch.metadata import Metadata, parse_metadata, read_metadata
from ociwheel.fetch.simple_api import IndexFile, belongs_to
from ociwheel.remedies import Remedy
from ociwheel.transport.connection import Response
from ociwheel.transport.download import download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.transport.urls import split_url
from ociwheel.wording import shown


class NobodyHasItError(FetchError):
    """A version of which no index has a file, although each of them answered."""


@dataclass(frozen=True)
class Locked:
    """What is asked: a locked version and the hashes of its files.

    :param url: where its only file is, for what comes from no index.
    """

    name: str
    version: str
    hashes: frozenset[str]
    url: str | None = None

    @property
    def where(self) -> str:
        """The distribution, for messages."""
        return f"{self.name} {self.version}"


@dataclass(frozen=True)
class Description:
    """The answer: files sorted by name, metadata, and the file that was downloaded on the way.

    :param notes: what there is to say of it.
    :param whole: nothing that is locked is missing, so that it stays as it is.
    """

    files: tuple[IndexFile, ...]
    metadata: Metadata
    artifact: str | None
    notes: tuple[str, ...] = ()
    whole: bool = True


def _unhashed(client: IndexClient, offer: Offer, name: str, version: str) -> list[IndexFile]:
    """Return the files of an index that gives no hashes, hashed: their bytes have to be fetched."""
    found = []
    with TemporaryDirectory(prefix="ociwheel-") as folder:
        for file in offer.files:
            if file.sha256 is None and belongs_to(file.filename, name, version):
                done = download(client.network, file.url, Path(folder) / "file", sha256=None, most=file.size)
                found.append(replace(file, sha256=done.sha256, size=done.size))
    return found


def _merge(files: dict[str, IndexFile], file: IndexFile) -> None:
    """Keep what each index knows: one may have metadata, another a size."""
    key = str(file.sha256)
    known = files.get(key)
    if known is None or (file.has_metadata and not known.has_metadata):
        files[key] = replace(file, size=file.size or (known.size if known else None))
    elif known.size is None:
        files[key] = replace(known, size=file.size)


def find_files(client: IndexClient, name: str, version: str, hashes: frozenset[str]) -> dict[str, IndexFile]:
    """Return the files of a version whose hash is locked, by hash.

    :raises FetchError: no index has any of them.
    """
    files: dict[str, IndexFile] = {}
    failures: list[Failure] = []
    lines: list[str] = []
    for offer in client.offers(name):
        try:
            if offer.failure:
                raise offer.failure
            offered = [file for file in offer.files if file.sha256 in hashes]
            if len(files) + len(offered) < len(hashes):
                hashed = _unhashed(client, offer, name, version)
                offered += [file for file in hashed if file.sha256 in hashes]
        except Failure as e:
            failures.append(e)
            lines.append(str(e))
            continue
        for file in offered:
            _merge(files, file)
        if not offered:
            page = Failure(Kind.ANSWER, offer.page, "").url
            lines.append(f"{page}: lists {len(offer.files)} files, none with a locked hash")
        if len(files) == len(hashes):
            break
    if not files:
        plain = all(failure.kind is Kind.NOT_FOUND for failure in failures)
        raise (NobodyHasItError if plain else FetchError)(
            f"no index has a file with any of the {len(hashes)} locked hashes",
            where=f"{name} {version}",
            details=lines,
            hint=hint_for(failures, Remedy("version-gone")),
        )
    return files


def _is_universal(file: IndexFile) -> bool:
    if not file.filename.endswith("-none-any.whl"):
        return False
    return any(tag.startswith("py3") for tag in file.filename.split("-")[-3].split("."))


def _from_index(client: IndexClient, file: IndexFile) -> Metadata | None:
    """Return the metadata that the index gives beside a wheel (PEP 658), or None."""
    try:
        if file.url.startswith("file:"):
            return None
        body: bytes = client.network.get(file.url + ".metadata", Response.read)
    except Failure:
        return None
    if file.metadata_sha256 and hashlib.sha256(body).hexdigest() != file.metadata_sha256:
        return None
    return parse_metadata(body.decode("utf-8", errors="replace"))[0]


def _smallest(files: list[IndexFile]) -> IndexFile:
    return min(files, key=lambda file: (file.size or sys.maxsize, file.filename))


def _downloaded(client: IndexClient, locked: Locked, file: IndexFile, folder: Path) -> Metadata:
    fetch_artifact(client, Wanted(locked.name, locked.version, file.filename, str(file.sha256)), folder)
    return read_metadata(folder / file.filename)


def describe(client: IndexClient, locked: Locked, output: Path, kept: Kept) -> Description:
    """Describe one locked version.

    A small wheel that fits everywhere, or the only file there is, is left in ``output``, because the
    plan can only choose that one.

    :param kept: what this machine was told before.
    :raises FetchError: nothing has one of the hashes, or what there is cannot be read.
    """
    if locked.url:
        return _of_url(client, locked, output, kept)
    if not client.sources:
        raise no_sources(locked.where)
    by_hash = find_files(client, locked.name, locked.version, locked.hashes)
    files = tuple(sorted(by_hash.values(), key=lambda file: file.filename))
    missing = len(locked.hashes) - len(by_hash)
    gone = f"{locked.where}: {missing} of {len(locked.hashes)} locked files are on no index"
    found = _described(client, locked, files, output, kept)
    notes = ((shown(gone),) if missing else ()) + _unsaid(found.metadata, locked)
    return replace(found, notes=notes, whole=not missing)


def _described(
    client: IndexClient, locked: Locked, files: tuple[IndexFile, ...], output: Path, kept: Kept
) -> Description:
    wheels = [file for file in files if file.filename.endswith(".whl")]
    universal = [file for file in wheels if _is_universal(file)]
    if universal or len(files) == 1:
        chosen = _smallest(universal or list(files))
        large = chosen.size is not None and chosen.size > SMALL
        told = _from_index(client, chosen) if large and chosen.has_metadata else None
        if told:
            return Description(files, told, None)
        metadata = _downloaded(client, locked, chosen, output)
        size = (output / chosen.filename).stat().st_size
        artifact = _left(output / chosen.filename, chosen, kept)
        if artifact is None:
            # Nobody else would learn it where the index does not say.
            files = tuple(replace(file, size=size) if file is chosen else file for file in files)
        return Description(files, metadata, artifact)
    for file in wheels:
        metadata_of_index = _from_index(client, file) if file.has_metadata else None
        if metadata_of_index:
            return Description(files, metadata_of_index, None)
    with TemporaryDirectory(prefix="ociwheel-") as folder:
        metadata = _downloaded(client, locked, _smallest(wheels or list(files)), Path(folder))
    return Description(files, metadata, None)


def _left(path: Path, file: IndexFile, kept: Kept) -> str | None:
    """Return the name of a file that may stay where it was written; a larger one is for its own step."""
    if path.stat().st_size <= SMALL:
        return file.filename
    if not file.url.startswith("file:"):
        kept.keep_file(str(file.sha256), path)
    path.unlink()
    return None


def _file_name(url: str) -> str:
    return urllib.parse.unquote(split_url(url).path).rpartition("/")[2]


def _of_url(client: IndexClient, locked: Locked, output: Path, kept: Kept) -> Description:
    url = str(locked.url)
    wanted = Wanted(locked.name, locked.version, _file_name(url), min(locked.hashes), url)
    done = fetch_artifact(client, wanted, output)
    file = IndexFile(wanted.filename, url, wanted.sha256, size=done.size)
    metadata = read_metadata(done.path)
    return Description((file,), metadata, _left(done.path, file, kept), _unsaid(metadata, locked))


def _unsaid(metadata: Metadata, locked: Locked) -> tuple[str, ...]:
    unsaid = f"{locked.where}: its sdist does not say what it requires, its build will"
    return () if metadata.reliable else (shown(unsaid),)
