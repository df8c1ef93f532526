"""Several locked versions looked up by one process, over one pool of connections."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ociwheel.fetch.describe import Description, Locked, NobodyHasItError, describe
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.kept import Kept
from ociwheel.fetch.simple_api import IndexFile, is_artifact

_AT_ONCE = 4
"""Versions to ask for at the same time: the wait is the network's."""
_MEMBERS = frozenset({"requires_python", "requires_dist", "files", "artifact"})


def _fields(file: IndexFile) -> dict[str, Any]:
    fields: dict[str, Any] = {"filename": file.filename, "sha256": file.sha256, "size": file.size}
    if file.requires_python:
        fields["requires_python"] = file.requires_python
    return fields


def answer_of(found: Description) -> dict[str, Any]:
    """Return a description as the member of a document."""
    fields: dict[str, Any] = {
        "requires_python": found.metadata.requires_python,
        "requires_dist": list(found.metadata.requires_dist),
        "files": [_fields(file) for file in found.files],
        "artifact": found.artifact,
    }
    return {**fields, "notes": list(found.notes)} if found.notes else fields


def _question(client: IndexClient, locked: Locked) -> dict[str, Any]:
    """Return all that an answer depends on. Which indexes there are is one of them; who asks is not."""
    return {
        "name": locked.name,
        "version": locked.version,
        "sha256": sorted(locked.hashes),
        "url": locked.url,
        "sources": [[source.label, source.is_index] for source in client.sources],
    }


def _is_kept(client: IndexClient, locked: Locked) -> bool:
    """Tell whether an answer is kept: the machine's own disk is as near as what is kept, and changes."""
    return locked.url is not None or not all(source.is_local for source in client.sources)


def _known(client: IndexClient, locked: Locked, output: Path, kept: Kept) -> dict[str, Any] | None:
    """Return what is known already, its file in ``output``; None where it has to be asked."""
    answer = kept.answer(_question(client, locked)) if _is_kept(client, locked) else None
    if not isinstance(answer, dict) or not answer.keys() >= _MEMBERS:
        return None
    artifact = answer.get("artifact")
    if artifact is None:
        return answer
    hashes = [file.get("sha256") for file in answer.get("files", ()) if file.get("filename") == artifact]
    if not hashes or hashes[0] not in locked.hashes or not is_artifact(artifact):
        return None
    return None if kept.take_file(hashes[0], output / artifact) is None else answer


def _asked(client: IndexClient, locked: Locked, output: Path, kept: Kept) -> dict[str, Any]:
    """Return the answer for one version, and keep it.

    :raises FetchError: as :func:`describe`.
    """
    found = describe(client, locked, output, kept)
    answer = answer_of(found)
    if found.whole and _is_kept(client, locked):
        artifact = next((file for file in found.files if file.filename == found.artifact), None)
        if artifact is not None:
            kept.keep_file(str(artifact.sha256), output / artifact.filename)
        kept.keep_answer(_question(client, locked), answer)
    return answer


def describe_all(
    client: IndexClient, lines: Sequence[Locked], output: Path, kept: Kept
) -> list[dict[str, Any] | None]:
    """Return an answer for each version, several asked for at the same time.

    What is left of a version is in a folder of ``output`` that has its number. None: each index answered, and
    none has it.

    :raises FetchError: a place did not answer, or one version alone was asked for and has no answer.
    """

    def ask(number: int) -> dict[str, Any] | None:
        try:
            return _asked(client, lines[number], output / str(number), kept)
        except NobodyHasItError:
            if len(lines) == 1:
                raise
            return None

    found = [_known(client, line, output / str(number), kept) for number, line in enumerate(lines)]
    unknown = [number for number, answer in enumerate(found) if answer is None]
    for number, answer in zip(unknown, _at_once(ask, unknown), strict=True):
        found[number] = answer
    kept.tidy()
    return found


def _at_once(
    ask: Callable[[int], dict[str, Any] | None], numbers: Sequence[int]
) -> list[dict[str, Any] | None]:
    """Return what ``ask`` makes of each number; the first error ends it, what was not begun is not."""
    if len(numbers) <= 1:
        return [ask(number) for number in numbers]
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # noqa: PLC0415 (one needs none)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(ask, number) for number in numbers]
        wait(asked, return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    for answer in asked:
        if not answer.cancelled() and (error := answer.exception()):
            raise error
    return [answer.result() for answer in asked]
