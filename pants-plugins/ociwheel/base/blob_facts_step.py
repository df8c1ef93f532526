"""List the files of a layer that somebody else made, and read its ELF files, for the audit."""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

from ociwheel.arguments import digest_argument
from ociwheel.base.image_layer import LayerReader, open_layer
from ociwheel.digest import FORM
from ociwheel.documents import canonical, document
from ociwheel.elf.facts import ELF_MAGIC
from ociwheel.elf.reader import read_facts
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.metered import Meter
from ociwheel.layer.writer import FACT_LETTERS

ORIGIN = "the base image"


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument("--blob", type=Path, required=True, metavar="FILE", help="the layer's blob")
    parser.add_argument(
        "--diff-id", required=True, type=digest_argument, help=f"what it must unpack to, {FORM}"
    )
    parser.add_argument("--output", type=Path, required=True, metavar="DIR", help="gets layer-facts.json")


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Read the layer."""
    files: list[list[str | int]] = []
    elf: list[dict[str, Any]] = []
    meter = Meter(args.blob.stat().st_size)
    with open_layer(args.blob) as reader:
        for entry in reader:
            files.append(_row(entry))
            facts = _elf(reader, entry, meter) if entry.kind == "file" else None
            if meter.is_empty:
                raise BaseError("its ELF files take more work than any of that size", where=args.blob.name)
            if facts is not None:
                elf.append(facts)
        diff_id, size = reader.finish()
    if diff_id != args.diff_id:
        raise BaseError(f"the layer unpacks to {diff_id}, the lock says {args.diff_id}", where=args.blob.name)
    args.output.mkdir(parents=True, exist_ok=True)
    value = document("layer-facts", {"diff_id": diff_id, "files": files, "elf": elf, "opened": {}})
    (args.output / "layer-facts.json").write_bytes(canonical(value))
    return document("tree", {"files": len(files), "size": size})


def _row(entry: Entry) -> list[str | int]:
    letter = FACT_LETTERS[entry.kind]
    return [entry.path, letter, entry.mode, entry.uid, entry.gid, entry.size(), entry.target]


def _elf(reader: LayerReader, entry: Entry, meter: Meter) -> dict[str, Any] | None:
    chunks = reader.chunks()
    start = next(chunks, b"")
    if not start.startswith(ELF_MAGIC):
        return None
    with tempfile.TemporaryFile() as file:
        file.write(start)
        file.writelines(chunks)
        facts = read_facts(file, entry.path, ORIGIN, meter=meter)
    return facts.to_json() if facts else None
