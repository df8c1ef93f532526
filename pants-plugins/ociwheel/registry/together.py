"""Images that one run publishes: the push that comes first sends the others too, as far as it can.

Who runs the pushes leaves a document per repository in a folder, ``NAME.json``: ``images``, as the step
`push` takes them, ``digest`` and ``origins``. Beside it ``NAME`` may be the image's layout, which may lack
layers. What is in its registry then is marked so, by ``NAME.done``; everything else is left to its own push.
"""

from __future__ import annotations

import os
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ociwheel.digest import Digest
from ociwheel.documents import read_json
from ociwheel.errors import OciwheelError
from ociwheel.registry import content
from ociwheel.registry.push import ElsewhereError, Push, Tally, tags_of
from ociwheel.registry.repository import Destination, Repository
from ociwheel.registry.session import Session
from ociwheel.transport.failure import Failure

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

_ASKED = "asked"
_SIDE_BY_SIDE = 8
"""Images that are asked for, or sent, at the same time."""
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")
# Its own push meets that again, and says it.
_LEFT = (OciwheelError, ElsewhereError, Failure, OSError, KeyError, TypeError, ValueError)


@dataclass(frozen=True)
class Other:
    """Another image of the run.

    :param layout: its layout, which may lack layers, or not be there.
    :param named: what its tags name, once that was asked.
    """

    to: Destination
    digest: str
    origins: Mapping[str, object]
    layout: Path
    named: Mapping[str, str | None]

    @property
    def is_there(self) -> bool:
        """Whether each tag names it."""
        return bool(self.to.tags) and all(self.named.get(tag) == self.digest for tag in self.to.tags)

    def mark(self) -> None:
        """Say that nothing is left to do."""
        self.layout.with_name(f"{self.layout.name}.done").touch()


@dataclass(frozen=True)
class Together:
    """What the pushes of one process have in common.

    :param session_of: gives what asks a registry, one for all its repositories.
    :param parse: returns the destination that images name.
    :param push: makes the push of an image that nobody has begun yet.
    :param tell: is told what became of an image, its name and its tally, before it is marked.
    """

    session_of: Callable[[str], Session]
    parse: Callable[[list[str]], Destination]
    push: Callable[[Other, content.Content], Push]
    announce: Callable[[Other, content.Content, int, int], None]
    tell: Callable[[Other, Tally], None]

    @contextmanager
    def others(self, folder: Path, own: Destination, files: Mapping[Digest, Path]) -> Iterator[None]:
        """Send the others while the block runs, and wait for them after it.

        :param own: what this process was started for.
        :param files: the blobs that it has.
        """
        found = list(self._others(folder, own)) if _is_first(folder) else []
        if not found:
            yield
            return
        # Most runs publish one image.
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415

        with ThreadPoolExecutor(_SIDE_BY_SIDE + 1) as pool:
            done = pool.submit(self._send, pool, found, files)
            try:
                yield
            finally:
                done.result()
                for path in folder.glob("*.json"):
                    shutil.rmtree(path.with_suffix(""), ignore_errors=True)

    def _others(self, folder: Path, own: Destination) -> Iterator[Other]:
        for path in sorted(folder.glob("*.json")):
            try:
                value = read_json(path)
                to, digest = self.parse(value["images"]), str(value["digest"])
                if to.repository_name != own.repository_name:
                    yield Other(to, digest, value.get("origins") or {}, path.with_suffix(""), {})
            except _LEFT:
                continue

    def _send(self, pool: ThreadPoolExecutor, found: list[Other], files: Mapping[Digest, Path]) -> None:
        asked = _those(pool.map(_leaving(self._asked), found))
        for one in asked:
            if one.is_there:
                self.tell(one, Tally())
                one.mark()
        read = _those(pool.map(_leaving(_read), (one for one in asked if not one.is_there)))
        every = {**{digest: path for _, one in read for digest, path in one.files.items()}, **files}
        list(pool.map(_leaving(lambda pair: self._sent(pair[0], replace(pair[1], files=every))), read))

    def _asked(self, one: Other) -> Other:
        session = self.session_of(one.to.domain)
        session.connect(one.to.repository)
        return replace(one, named=tags_of(Repository(session, one.to), one.to))

    def _sent(self, one: Other, image: content.Content) -> None:
        if image.root.digest == one.digest:
            self.tell(one, self.push(one, image).run(partial(self.announce, one, image)))
            one.mark()


def _is_first(folder: Path) -> bool:
    """Tell whether no other process of the run sends the others: each for all would be ever more."""
    try:
        os.close(os.open(folder / _ASKED, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return False
    return True


def _read(one: Other) -> tuple[Other, content.Content]:
    return one, content.read(one.layout)


def _leaving(work: Callable[[_Given], _Made]) -> Callable[[_Given], _Made | None]:
    """Return what does the work, or nothing where that fails."""

    def done(given: _Given) -> _Made | None:
        try:
            return work(given)
        except _LEFT:
            return None

    return done


def _those(found: Iterator[_Made | None]) -> list[_Made]:
    return [one for one in found if one is not None]


class Sessions:
    """One session for each registry, with one login.

    :param make: makes one.
    """

    def __init__(self, make: Callable[[str], Session]) -> None:
        self._make = make
        self._made: dict[str, Session] = {}
        self._lock = threading.Lock()

    def __call__(self, domain: str) -> Session:
        """Return the session of a registry."""
        with self._lock:
            if domain not in self._made:
                self._made[domain] = self._make(domain)
            return self._made[domain]
