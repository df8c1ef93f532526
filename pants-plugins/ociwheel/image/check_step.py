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

from ociwheel.documents import document, read_document, read_value
from ociwheel.image.check import CheckRequest, check, read_source
from ociwheel.image.names import NameTree
from ociwheel.image.start import Image
from ociwheel.reading import Value
from ociwheel.target import Target

_KNOWN = (*("prefix", "python", "path", "names", "whole", "start", "workdir", "volumes", "prefer", "target"),)


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument("--sources", type=Path, metavar="DIR", help="first-party code, source roots stripped")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Check the image.

    :raises ImageError: all that is wrong.
    """
    value = read_value(args.request)
    value.only(*_KNOWN)
    start = value.optional("start", Value.text_members) or {}
    path = value.optional("path", Value.text) or ""
    prefix = value.optional("prefix", Value.text) or "/app"
    whole = value.optional("whole", Value.boolean)
    target = value.optional("target", Target.parse)
    image = Image(
        NameTree([read_document(Path(names), "layer-names") for names in value.at("names").texts()]),
        prefix,
        f"{prefix}/lib/python{value.at('python').text()}/site-packages",
        path,
        True if whole is None else whole,
    )
    found = check(
        CheckRequest(
            image,
            start,
            read_source(args.sources, start.get("module", "")),
            value.optional("workdir", Value.text) or "/",
            value.optional("volumes", Value.texts) or (),
            value.optional("prefer", Value.texts) or (),
            target.markers if target else None,
        )
    )
    return document("check", found)
