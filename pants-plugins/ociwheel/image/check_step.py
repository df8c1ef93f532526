"""Check an image as a whole, by the names of its files: what two distributions both have, what it starts.

The request is a JSON object: prefix, python (3.11), path (the variable PATH), names (paths of
layer-names.json files, bottom first), whole (whether these are all layers), start (an object with module,
with module and function, or with script), workdir, volumes, prefer (names of distributions whose files win),
target (a target document: distributions are asked for what they require there).
Below --sources is first-party code, of which the start's own module is enough.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import document, read_document, read_json
from ociwheel.errors import UsageError
from ociwheel.image.check import CheckRequest, check, read_source
from ociwheel.image.names import NameTree
from ociwheel.image.start import Image
from ociwheel.plan.environment import TargetPython


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument("--sources", type=Path, metavar="DIR", help="first-party code, source roots stripped")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Check the image.

    :raises ImageError: all that is wrong.
    """
    value = read_json(args.request)
    if not isinstance(value, dict) or not isinstance(value.get("names"), list):
        raise UsageError("expected an object with a list of names", where=str(args.request))
    prefix = str(value.get("prefix") or "/app")
    start = {key: str(text) for key, text in (value.get("start") or {}).items()}
    image = Image(
        NameTree([read_document(Path(path), "layer-names") for path in value["names"]]),
        prefix,
        f"{prefix}/lib/python{value.get('python')}/site-packages",
        str(value.get("path") or ""),
        bool(value.get("whole", True)),
    )
    found = check(
        CheckRequest(
            image,
            start,
            read_source(args.sources, start.get("module", "")),
            str(value.get("workdir") or "/"),
            tuple(value.get("volumes") or ()),
            tuple(value.get("prefer") or ()),
            TargetPython.from_document(value["target"]).markers if value.get("target") else None,
        )
    )
    return document("check", found)
