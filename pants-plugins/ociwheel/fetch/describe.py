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
from ociwheel.fetch.metadata import Metadata, parse_metadata, read_metadata
from ociwheel.fetch.simple_api import IndexFile, belongs_to
from ociwheel.notes import tell
from ociwheel.remedies import Remedy
from ociwheel.transport.connection import Response
from ociwheel.transport.download import download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for
from ociwheel.transport.urls import split_url


@dataclass(frozen=True)
class Description:
    """The answer: files sorted by name, metadata, and the file that was downloaded on the way."""

    files: tuple[IndexFile, ...]
    metadata: Metadata
    artifact: str | None


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
        raise FetchError(
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


def _downloaded(client: IndexClient, name: str, version: str, file: IndexFile, folder: Path) -> Metadata:
    fetch_artifact(client, Wanted(name, version, file.filename, str(file.sha256)), folder)
    return read_metadata(folder / file.filename)


def describe(
    client: IndexClient,
    name: str,
    version: str,
    hashes: frozenset[str],
    output: Path,
    *,
    url: str | None = None,
) -> Description:
    """Describe one locked version.

    A wheel that fits everywhere, or the only file there is, is left in ``output``, because the
    plan can only choose that one.

    :param url: where its only file is, for what comes from no index.
    :raises FetchError: nothing has one of the hashes, or what there is cannot be read.
    """
    if url:
        return _of_url(client, Wanted(name, version, _file_name(url), min(hashes), url), output)
    if not client.sources:
        raise no_sources(f"{name} {version}")
    by_hash = find_files(client, name, version, hashes)
    files = sorted(by_hash.values(), key=lambda file: file.filename)
    missing = len(hashes) - len(by_hash)
    if missing:
        tell(f"{name} {version}: {missing} of {len(hashes)} locked files are on no index")
    wheels = [file for file in files if file.filename.endswith(".whl")]
    universal = [file for file in wheels if _is_universal(file)]
    if universal or len(files) == 1:
        chosen = _smallest(universal or files)
        metadata = _downloaded(client, name, version, chosen, output)
        return _checked(Description(tuple(files), metadata, chosen.filename), name, version)
    for file in wheels:
        metadata_of_index = _from_index(client, file) if file.has_metadata else None
        if metadata_of_index:
            return Description(tuple(files), metadata_of_index, None)
    with TemporaryDirectory(prefix="ociwheel-") as folder:
        metadata = _downloaded(client, name, version, _smallest(wheels or files), Path(folder))
    return _checked(Description(tuple(files), metadata, None), name, version)


def _file_name(url: str) -> str:
    return urllib.parse.unquote(split_url(url).path).rpartition("/")[2]


def _of_url(client: IndexClient, wanted: Wanted, output: Path) -> Description:
    done = fetch_artifact(client, wanted, output)
    file = IndexFile(wanted.filename, str(wanted.url), wanted.sha256, size=done.size)
    description = Description((file,), read_metadata(done.path), wanted.filename)
    return _checked(description, wanted.name, wanted.version)


def _checked(description: Description, name: str, version: str) -> Description:
    if not description.metadata.reliable:
        tell(f"{name} {version}: its sdist does not say what it requires, its build will")
    return description
