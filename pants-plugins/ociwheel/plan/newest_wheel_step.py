"""Find the newest versions that have a wheel for a target and satisfy everything that requires them.

Asks the indexes of this machine; what they list changes, so the answer is for now.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from packaging.utils import canonicalize_name

from ociwheel.documents import document, read_value
from ociwheel.errors import ErrorCollector, FetchError
from ociwheel.fetch.artifacts import no_sources
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.simple_api import IndexFile
from ociwheel.plan.model import Request, parse_request
from ociwheel.plan.newest import limits, newest_wheel
from ociwheel.target import Target
from ociwheel.transport import settings
from ociwheel.transport.failure import Failure, Kind
from ociwheel.transport.hints import hint_for

_AT_ONCE = 8
"""Projects to ask for at the same time: the wait is the network's."""


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--target", required=True, type=Path, metavar="FILE", help="target document")
    parser.add_argument(
        "--request",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSON: names to look up, and as for `plan`: roots, entries, lockfile",
    )


def offered_files(client: IndexClient, name: str) -> tuple[IndexFile, ...]:
    """Return the files of a project that all indexes together offer; a hash is listed once.

    :raises FetchError: no index lists the project, and some did not answer.
    """
    if not client.sources:
        raise no_sources(name)
    files: dict[tuple[str, str | None], IndexFile] = {}
    failures: list[Failure] = []
    for offer in client.offers(name):
        if offer.failure:
            failures.append(offer.failure)
        for file in offer.files:
            files.setdefault((file.filename, file.sha256), file)
    if not files and any(failure.kind is not Kind.NOT_FOUND for failure in failures):
        raise FetchError(
            "no index says which versions there are",
            where=name,
            details=[str(failure) for failure in failures],
            hint=hint_for(failures, "add the index that has it"),
        )
    return tuple(files.values())


def newest_wheels(
    request: Request, target: Target, names: Iterable[str], client: IndexClient
) -> list[dict[str, Any]]:
    """Return one row per name, sorted; ``version`` is None where no version has a fitting wheel.

    :raises FetchError: indexes that did not answer, of all names together.
    """
    wanted = sorted({str(canonicalize_name(name)) for name in names})
    allowed = limits(request, target, wanted)
    errors = ErrorCollector()
    rows = []
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        asked = [pool.submit(offered_files, client, name) for name in wanted]
    for name, answer in zip(wanted, asked, strict=True):
        try:
            found = newest_wheel(name, answer.result(), allowed[name], target)
        except FetchError as e:
            errors.add(e)
            continue
        rows.append(
            {
                "name": name,
                "specifier": str(allowed[name].specifier),
                "version": found.version if found else None,
                "filename": found.file.filename if found else None,
                "size": found.file.size if found else None,
            }
        )
    errors.raise_if_any()
    return rows


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Look the names up."""
    value = read_value(args.request)
    names = value.at("names").texts()
    target = Target.read(args.target)
    client = IndexClient(settings.load())
    return document("newest-wheel", {"wheels": newest_wheels(parse_request(value), target, names, client)})
