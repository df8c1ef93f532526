"""Images that one run publishes: the first push looks whether the others are there, which then need none.

Who runs the pushes leaves a document per repository in a folder, ``NAME.json``: ``images``, as the step
`push` takes them, and ``digest``. Where every tag names that digest, ``NAME.done`` says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

from ociwheel.documents import read_json
from ociwheel.errors import OciwheelError
from ociwheel.image.layout import INDEX, MANIFEST
from ociwheel.registry.messages import Request
from ociwheel.registry.push import Destination
from ociwheel.registry.session import Session, scope
from ociwheel.transport.failure import Failure

_ASKED = "asked"


def mark_present(
    folder: Path,
    own: Destination,
    session_of: Callable[[str], Session],
    parse: Callable[[list[str]], Destination],
) -> Iterator[tuple[Destination, str]]:
    """Mark what needs no push, and yield where it is, and its digest.

    :param own: what this process has pushed.
    :param session_of: gives what asks a registry.
    :param parse: returns the destination that images name.
    """
    try:
        # One process of a run asks for all: each for all others would be ever more.
        os.close(os.open(folder / _ASKED, os.O_CREAT | os.O_EXCL, 0o600))
    except OSError:
        return
    sessions: dict[str, Session] = {}
    for path in sorted(folder.glob("*.json")):
        try:
            value = read_json(path)
            to, digest = parse(value["images"]), str(value["digest"])
            if to.repository_name == own.repository_name:
                continue
            if to.domain not in sessions:
                sessions[to.domain] = session_of(to.domain)
                sessions[to.domain].connect(to.repository)
            if _is_there(sessions[to.domain], to, digest):
                path.with_suffix(".done").touch()
                yield to, digest
        except (OciwheelError, Failure, OSError, KeyError, TypeError):
            # Its own push meets that again, and says it.
            continue


def _is_there(session: Session, to: Destination, digest: str) -> bool:
    """Tell whether each tag of a repository names a digest."""
    scopes = (scope(to.repository, "pull"),)
    for tag in to.tags:
        url = session.url(f"{to.repository}/manifests/{tag}")
        headers = {"Accept": f"{INDEX}, {MANIFEST}"}
        answer = session.send(Request("HEAD", url, to.repository, scopes, headers))
        if answer.status != HTTPStatus.OK or answer.headers.get("docker-content-digest") != digest:
            return False
    return bool(to.tags)
