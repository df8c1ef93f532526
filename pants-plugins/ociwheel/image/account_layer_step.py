"""Write the layer of an image's user: its rows, its home, and the folders that it owns.

The request is a JSON object: user (name or number, with or without a group), prefix, workdir, volumes,
writable (absolute paths of folders), accounts (rows of passwd and group that a base of Debian packages has
beside those of every one, so that rows are added for a number that it does not have; null: nothing is added)
and names (paths of layer-names.json files of the layers below, bottom first; of those whose files are known).
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from ociwheel.documents import read_document, read_json
from ociwheel.errors import UsageError
from ociwheel.image.account import AccountRequest, account_entries
from ociwheel.image.names import NameTree
from ociwheel.layer.writer import Content, write_layer


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--request", type=Path, required=True, metavar="FILE", help="the request")
    parser.add_argument("--compression", default="gzip", help="gzip or zstd")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets blobs/ and layer-facts.json"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document.

    :raises ImageError: an unknown user, or folders that nobody may write to.
    """
    value = read_json(args.request)
    if not isinstance(value, dict):
        raise UsageError("expected a JSON object", where=str(args.request))
    request = AccountRequest.parse(value)
    below = NameTree([read_document(Path(path), "layer-names") for path in value.get("names") or ()])
    return write_layer(
        account_entries(request, below),
        args.output,
        title=f"folders of user {request.user.text}",
        contents=[Content("rootfs", "account", "1")],
        compression=args.compression,
    )
