"""Put first-party code into one layer.

Sources, with their source roots stripped, go to site-packages; loose files to the working folder;
console scripts for entry points to bin; placed files wherever the request says. All of it belongs to root and
is not writable for the image's user, but for placed files of another owner or mode.
"""

from __future__ import annotations

import argparse
import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from ociwheel.documents import read_value
from ociwheel.errors import LayerError
from ociwheel.formats.entries import Content, Entry
from ociwheel.formats.times import CONSTANT, LATEST, of_content
from ociwheel.image.users import owner
from ociwheel.layer.arguments import CHECKED, add_common, cache_tag
from ociwheel.layer.exclude import excluded
from ociwheel.layer.left_out import LeftOut
from ociwheel.layer.spool import Spool
from ociwheel.layer.venv import Venv, compile_entries
from ociwheel.layer.writer import write_layer
from ociwheel.notes import tell
from ociwheel.reading import Value
from ociwheel.target import Target

ORIGIN = "first-party code"
DEFAULT_TITLE = "first-party code"
_BYTECODE = ("*.pyc", "*.pyo")
_PLACE = re.compile(r"/[^\0]{1,1000}")
_MODE = re.compile(r"0?[0-7]{3}")


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments, which ``source-layers`` has too."""
    parser.add_argument("--sources", type=Path, metavar="DIR", help="goes to site-packages")
    parser.add_argument("--files", type=Path, metavar="DIR", help="goes to --workdir as it is")
    parser.add_argument("--workdir", default="/app", help="folder in the image for --files (default: /app)")
    parser.add_argument(
        "--entry-script", action="append", default=[], metavar="NAME=module:function",
        help="console script in the prefix's bin; may be repeated",
    )  # fmt: skip
    parser.add_argument("--placed", type=Path, metavar="DIR", help="files that --places says the place of")
    parser.add_argument(
        "--places", type=Path, metavar="FILE",
        help="JSON: rows with file (below --placed), path (absolute), and perhaps mode (octal) and owner",
    )  # fmt: skip
    parser.add_argument(
        "--time", type=_seconds, metavar="SECONDS",
        help="the time of all files, in seconds since 1970 (default: each file's follows from its content)",
    )  # fmt: skip
    parser.add_argument("--title", default=DEFAULT_TITLE, help="what `docker history` shows for the layer")
    add_common(parser)


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document."""
    left_out = LeftOut()
    with Spool(args.output / ".spool") as spool:
        entries = entries_of(args, spool, left_out)
        return write_sources(entries, args.output, args, title=args.title, left_out=left_out)


def entries_of(args: argparse.Namespace, spool: Spool, left_out: LeftOut) -> list[Entry]:
    """Return what the step's arguments ask for.

    :param spool: gets bytecode.
    :param left_out: is told of what is not taken.
    """
    target = Target.read(args.target)
    venv = Venv.of(target, args.prefix)
    tag = cache_tag(args, target)
    entries: list[Entry] = []
    if args.sources:
        entries += _kept(tree(args.sources, venv.site_packages, left_out), venv.site_packages, args, left_out)
    if tag:
        compiled = compile_entries(entries, spool, tag, checked=args.bytecode == CHECKED)
        for note in compiled.notes:
            tell(note)
        entries += compiled.entries
    if args.files:
        workdir = args.workdir.strip("/")
        entries += _kept(tree(args.files, workdir, left_out), workdir, args, left_out)
    entries += [venv.parse_entry_script(text, ORIGIN) for text in args.entry_script]
    if args.places:
        entries += placed(args.placed, read_value(args.places))
    venv.guard(entries)
    return entries if args.time is None else [replace(e, mtime=args.time) for e in entries]


def write_sources(
    entries: Iterable[Entry], output: Path, args: argparse.Namespace, *, title: str, left_out: LeftOut | None
) -> dict[str, Any]:
    """Write a layer of first-party code and return its document."""
    return write_layer(
        entries,
        output,
        title=title,
        contents=(Content("source", ORIGIN, ""),),
        compression=args.compression,
        left_out=left_out,
    )


def _seconds(text: str) -> int:
    """Return a SOURCE_DATE_EPOCH.

    :raises argparse.ArgumentTypeError: a ZIP archive could not have it.
    """
    if not text.isdecimal() or not CONSTANT <= int(text) <= LATEST:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from {CONSTANT} to {LATEST}")
    return int(text)


def tree(folder: Path, place: str, left_out: LeftOut) -> Iterator[Entry]:
    """Return the files below ``folder`` as entries below ``place``.

    Links are followed: in a sandbox any input may be one. Modes become 0644, or 0755 for what its
    owner may execute. Bytecode that lies around is not taken.

    :param left_out: is told of it.
    :raises LayerError: a link that leads nowhere, or in a circle.
    """
    for path in sorted(folder.iterdir()):
        name = path.name
        inside = f"{place}/{name}".lstrip("/")
        if name == "__pycache__" or excluded(name, _BYTECODE):
            files = [p for p in (path, *path.rglob("*")) if p.is_file()]
            left_out.add(ORIGIN, "bytecode", sum(p.stat().st_size for p in files), len(files))
            continue
        try:
            info = path.stat()
        except OSError as e:
            raise LayerError(f"cannot read it: {e.strerror}", where=str(path)) from e
        if path.is_dir():
            if any(parent.samefile(path) for parent in (folder, *folder.parents)):
                raise LayerError("is a link to a folder that it lies in", where=str(path))
            yield from tree(path, inside, left_out)
        else:
            mode = 0o755 if info.st_mode & 0o100 else 0o644
            with path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            # Without sha256: nobody else has this file, and an edit leaves the layer's names as they are.
            yield Entry(inside, "file", mode, source=path, origin=ORIGIN, mtime=of_content(digest))


def placed(folder: Path, rows: Value) -> Iterator[Entry]:
    """Yield files at absolute places, with the mode and owner that their rows say.

    :raises LayerError: a row without its file, or with a place that is none.
    """
    for row in rows.items():
        file = folder / row.at("file").text(empty=False)
        path = row.at("path").matching(_PLACE, "an absolute path")
        if not file.resolve().is_file() or ".." in Path(path).parts:
            raise LayerError(f"cannot be placed at {path}", where=str(file))
        data = file.read_bytes()
        mode = row.optional("mode", lambda value: int(value.matching(_MODE, "a mode such as 0640"), 8))
        usual = 0o755 if file.stat().st_mode & 0o100 else 0o644
        whose = row.optional("owner", Value.text)
        who = owner(whose, where=f"the owner of {path}") if whose else None
        yield Entry(
            path.strip("/"),
            "file",
            usual if mode is None else mode,
            uid=who.uid if who else 0,
            gid=who.gid if who else 0,
            source=data,
            origin=ORIGIN,
            mtime=of_content(hashlib.sha256(data).hexdigest()),
        )


def _kept(entries: Iterator[Entry], place: str, args: argparse.Namespace, left_out: LeftOut) -> list[Entry]:
    kept = []
    for entry in entries:
        if excluded(entry.path.removeprefix(place).lstrip("/"), args.exclude):
            left_out.add(ORIGIN, "exclude", entry.size())
        else:
            kept.append(entry)
    return kept
