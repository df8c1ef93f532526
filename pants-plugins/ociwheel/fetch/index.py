"""Indexes and find-links, which offer artifacts, and what each says of a project."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ociwheel.fetch.simple_api import (
    ACCEPT,
    IndexFile,
    IndexPageError,
    belongs_to,
    is_artifact,
    normalize,
    parse_page,
)
from ociwheel.reading import bytes_of
from ociwheel.transport.connection import MAX_PAGE, Response
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.network import Network
from ociwheel.transport.settings import NetworkSettings
from ociwheel.transport.urls import local_path, split_userinfo
from ociwheel.wording import redact


@dataclass(frozen=True)
class LinkSource:
    """Somewhere to look for a project: an index, or a find-links folder or page."""

    url: str
    """Absolute, ``http(s)://`` or ``file://``; it may hold credentials: never print it."""
    is_index: bool

    @property
    def label(self) -> str:
        """The URL for messages: without credentials."""
        return redact(split_userinfo(self.url)[0])

    @property
    def is_local(self) -> bool:
        """Whether it is on this machine's own disk."""
        return self.url.startswith("file:")

    def page(self, name: str) -> str:
        """Return the URL of the page that lists the files of a project."""
        # PEP 503: "a repository MUST redirect a URL without a / to [one with it]": ask for that one.
        return f"{self.url.rstrip('/')}/{normalize(name)}/" if self.is_index else self.url


@dataclass(frozen=True)
class Offer:
    """What one of them answered about one project."""

    source: LinkSource
    page: str
    files: tuple[IndexFile, ...] = ()
    failure: Failure | None = None


def _absolute(location: str) -> str:
    if "://" in location:
        return location
    if location.startswith("file:"):
        return "file://" + location.removeprefix("file:")
    return Path(location).expanduser().absolute().as_uri()


def link_sources(settings: NetworkSettings) -> tuple[LinkSource, ...]:
    """Return where to ask, those on this machine's disk first.

    The order decides how long a search takes, never its result: files are found by their hash.
    """
    found = [LinkSource(_absolute(url), False) for url in settings.find_links]
    found += [LinkSource(_absolute(url), True) for url in settings.indexes]
    return tuple(sorted(dict.fromkeys(found), key=lambda source: not source.is_local))


def _read_local(url: str) -> tuple[IndexFile, ...]:
    path = local_path(url)
    try:
        if path.is_dir():
            page = path / "index.html"
            if page.is_file():
                return parse_page(bytes_of(page, MAX_PAGE), "text/html", page.as_uri())
            names = sorted(p.name for p in path.iterdir() if is_artifact(p.name))
            return tuple(IndexFile(n, (path / n).absolute().as_uri()) for n in names)
        return parse_page(bytes_of(path, MAX_PAGE), "text/html", path.absolute().as_uri())
    except FileNotFoundError:
        raise Failure(Kind.NOT_FOUND, url, "is not there") from None
    except OSError as e:
        raise Failure(Kind.ANSWER, url, f"cannot be read: {e.strerror}") from e
    except ValueError:
        # A path with a zero byte, or a page that is larger than one.
        raise Failure(Kind.ANSWER, url, "cannot be read") from None


class IndexClient:
    """Asks every index and find-links about a project, each at most once, from several threads too."""

    def __init__(self, settings: NetworkSettings, network: Network | None = None) -> None:
        self.settings = settings
        self.network = network or Network(settings)
        self.sources = link_sources(settings)
        self._answers: dict[tuple[LinkSource, str], Offer] = {}
        self._locks: dict[tuple[LinkSource, str], threading.Lock] = {}

    def _ask(self, source: LinkSource, page: str) -> Offer:
        def parse(response: Response) -> tuple[IndexFile, ...]:
            return parse_page(response.read(), response.content_type, response.url)

        try:
            files = _read_local(page) if source.is_local else self.network.get(page, parse, accept=ACCEPT)
        except IndexPageError as e:
            return Offer(source, page, failure=Failure(Kind.ANSWER, page, str(e)))
        except Failure as e:
            return Offer(source, page, failure=e)
        return Offer(source, page, files)

    def _once(self, source: LinkSource, page: str) -> Offer:
        # `setdefault` is one operation: of several threads, one asks, and the others wait for what it gets.
        with self._locks.setdefault((source, page), threading.Lock()):
            if (source, page) not in self._answers:
                self._answers[source, page] = self._ask(source, page)
            return self._answers[source, page]

    def offers(self, name: str) -> Iterator[Offer]:
        """Yield what each has of project ``name``."""
        for source in self.sources:
            offer = self._once(source, source.page(name))
            if source.is_index or offer.failure:
                yield offer
            else:
                files = tuple(f for f in offer.files if belongs_to(f.filename, name))
                yield Offer(source, offer.page, files)
