"""Find the files and the metadata of locked versions, without running any of their code.

The request is a JSON object: ``lines``, each with name, version and sha256 (of its locked files), and with
the url of its only file where the lock names one. A version that no index has is left out of the answers when
others have one. What is downloaded on the way lies in a folder of the output that has the line's number,
from 0.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_value
from ociwheel.errors import UsageError
from ociwheel.fetch.describe import Locked
from ociwheel.fetch.describe_all import describe_all
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.kept import Kept
from ociwheel.fetch.simple_api import normalize
from ociwheel.notes import note
from ociwheel.reading import Value
from ociwheel.transport import settings


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", required=True, type=Path, metavar="FILE", help="the request")
    parser.add_argument(
        "--output", required=True, type=Path, metavar="DIR", help="folder for files downloaded on the way"
    )


def _line(value: Value) -> Locked:
    value.only("name", "version", "sha256", "url")
    hashes = frozenset(item.sha256() for item in value.at("sha256").items())
    if not hashes:
        raise value.at("sha256").error("is empty")
    url = value.optional("url", Value.text)
    return Locked(value.at("name").text(empty=False), value.at("version").text(empty=False), hashes, url)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Describe the versions."""
    request = read_value(args.request)
    request.only("lines")
    lines = [_line(item) for item in request.at("lines").items()]
    if not lines:
        raise UsageError("it names no version", where=f"{args.request}: lines")
    args.output.mkdir(parents=True, exist_ok=True)
    found = describe_all(IndexClient(settings.load()), lines, args.output, Kept.of(os.environ))
    answers = [
        {"line": number, "name": normalize(lines[number].name), "version": lines[number].version, **answer}
        for number, answer in enumerate(found)
        if answer is not None
    ]
    for answer in answers:
        for text in answer.get("notes", ()):
            note(text)
    return document("describe", {"answers": answers})
