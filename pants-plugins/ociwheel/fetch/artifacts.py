"""Finding one locked wheel or sdist: any index that has it will do, its hash says whether it is it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ociwheel.errors import FetchError
from ociwheel.fetch.index import IndexClient, Offer
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.remedies import Remedy
from ociwheel.transport.download import Downloaded, WrongContentError, download
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for


@dataclass(frozen=True)
class Wanted:
    """One locked file."""

    name: str
    version: str
    filename: str
    sha256: str
    url: str | None = None
    """Where the lock says it is: for what is required from there, and from no index."""

    @property
    def where(self) -> str:
        """The distribution, for messages."""
        return f"{self.name} {self.version}"


def no_sources(where: str) -> FetchError:
    """Return the error of a machine that names nowhere to download from."""
    what = "no index is configured, so there is nowhere to download from"
    return FetchError(what, where=where, hint=Remedy("name-index"))


@dataclass
class _Search:
    """The answers so far, one line each, and what they mean."""

    wanted: Wanted
    lines: list[str]
    failures: list[Failure]
    others: int = 0
    """How often it was found with a content that is not the locked one."""

    def failed(self, failure: Failure) -> None:
        self.failures.append(failure)
        self.lines.append(str(failure))

    def differs(self, label: str, has: str) -> None:
        self.others += 1
        self.lines.append(f"{label}: has it with {has}")

    def error(self) -> FetchError:
        wanted = self.wanted
        details = [f"expected SHA-256 {wanted.sha256}", *self.lines]
        if self.others:
            return FetchError(
                f"{wanted.filename} is not the file that was locked: its content has another hash",
                where=wanted.where,
                details=details,
                hint=Remedy("file-differs"),
            )
        hint = hint_for(self.failures, Remedy("file-gone"))
        what = f"no index has {wanted.filename}"
        return FetchError(what, where=wanted.where, details=details, hint=hint)


def candidates(offer: Offer, wanted: Wanted) -> Iterator[IndexFile]:
    """Yield the files of an offer that can be the wanted one, the surest first."""
    yield from (f for f in offer.files if f.sha256 == wanted.sha256)
    yield from (f for f in offer.files if f.sha256 is None and f.filename == wanted.filename)


def _from_its_url(client: IndexClient, output: Path, search: _Search) -> Downloaded | None:
    wanted = search.wanted
    url = wanted.url or ""
    try:
        return download(client.network, url, output / wanted.filename, sha256=wanted.sha256)
    except Failure as e:
        search.failed(e)
    except WrongContentError as e:
        search.differs(Failure(Kind.ANSWER, url, "").url, e.brief)
    return None


def _from_offer(client: IndexClient, offer: Offer, output: Path, search: _Search) -> Downloaded | None:
    wanted = search.wanted
    if offer.failure:
        search.failed(offer.failure)
        return None
    seen = False
    for file in candidates(offer, wanted):
        seen = True
        try:
            path = output / wanted.filename
            return download(client.network, file.url, path, sha256=wanted.sha256, most=file.size)
        except Failure as e:
            search.failed(e)
        except WrongContentError as e:
            search.differs(Failure(Kind.ANSWER, file.url, "").url, e.brief)
    for file in offer.files:
        if file.filename == wanted.filename and file.sha256 not in (None, wanted.sha256):
            seen = True
            search.differs(offer.source.label, f"SHA-256 {file.sha256}")
    if not seen:
        search.lines.append(f"{Failure(Kind.ANSWER, offer.page, '').url}: does not list it")
    return None


def fetch_artifact(client: IndexClient, wanted: Wanted, output: Path) -> Downloaded:
    """Write the wanted file to folder ``output`` under its own name.

    :raises FetchError: no index has it; the message says what each answered.
    """
    if not client.sources and not wanted.url:
        raise no_sources(wanted.where)
    search = _Search(wanted, [], [])
    if wanted.url:
        found = _from_its_url(client, output, search)
        if found:
            return found
    for offer in client.offers(wanted.name):
        found = _from_offer(client, offer, output, search)
        if found:
            return found
    raise search.error()
