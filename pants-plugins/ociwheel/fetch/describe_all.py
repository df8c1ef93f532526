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


def _kept_answer(kept: Kept, question: Any, locked: Locked, output: Path) -> dict[str, Any] | None:
    """Return what is known already, its file in ``output``; None where it has to be asked."""
    answer = kept.answer(question)
    if not isinstance(answer, dict) or not answer.keys() >= _MEMBERS:
        return None
    artifact = answer.get("artifact")
    if artifact is None:
        return answer
    hashes = [file.get("sha256") for file in answer.get("files", ()) if file.get("filename") == artifact]
    if not hashes or hashes[0] not in locked.hashes or not is_artifact(artifact):
        return None
    return None if kept.take_file(hashes[0], output / artifact) is None else answer


def answered(client: IndexClient, locked: Locked, output: Path, kept: Kept) -> dict[str, Any]:
    """Return the answer for one version, asked or known.

    :raises FetchError: as :func:`describe`.
    """
    # What lies on this machine's own disk is as near as what is kept of it, and may change.
    known = not all(source.is_local for source in client.sources) or locked.url is not None
    question = _question(client, locked)
    answer = _kept_answer(kept, question, locked, output) if known else None
    if answer is not None:
        return answer
    found = describe(client, locked, output, kept)
    answer = answer_of(found)
    if known and found.whole:
        artifact = next((file for file in found.files if file.filename == found.artifact), None)
        if artifact is not None:
            kept.keep_file(str(artifact.sha256), output / artifact.filename)
        kept.keep_answer(question, answer)
    return answer


def describe_all(
    client: IndexClient, lines: Sequence[Locked], output: Path, kept: Kept
) -> list[dict[str, Any] | None]:
    """Return an answer for each version, several asked for at the same time.

    What is left of a version is in a folder of ``output`` that has its number. None: each index answered, and
    none has it.

    :raises FetchError: a place did not answer, or one version alone was asked for and has no answer.
    """

    def one(number: int) -> dict[str, Any] | None:
        try:
            return answered(client, lines[number], output / str(number), kept)
        except NobodyHasItError:
            if len(lines) == 1:
                raise
            return None

    found = _at_once(one, len(lines))
    kept.tidy()
    return found


def _at_once(one: Callable[[int], dict[str, Any] | None], count: int) -> list[dict[str, Any] | None]:
    """Return what ``one`` makes of each number; the first error ends it, what was not begun is not."""
    if count == 1:
        return [one(0)]
    from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait  # noqa: PLC0415 (one needs none)

    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(one, number) for number in range(count)]
        wait(asked, return_when=FIRST_EXCEPTION)
        pool.shutdown(cancel_futures=True)
    for answer in asked:
        if not answer.cancelled() and (error := answer.exception()):
            raise error
    return [answer.result() for answer in asked]
