"""Write the layer of the empty virtual environment on the Python that a base image has."""

from __future__ import annotations

import argparse
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ociwheel.errors import UsageError
from ociwheel.layer.writer import Content, Entry, write_layer
from ociwheel.target import Target


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the step's arguments."""
    parser.add_argument(
        "--target", type=Path, required=True, metavar="FILE", help="ociwheel.target/1 document"
    )
    parser.add_argument(
        "--interpreter",
        required=True,
        metavar="PATH",
        help="path of the image's Python, /usr/local/bin/python3.11",
    )
    parser.add_argument("--prefix", default="/app", help="where the virtual environment lies (default: /app)")
    parser.add_argument("--compression", default="gzip", help="gzip or zstd")
    parser.add_argument(
        "--output", type=Path, required=True, metavar="DIR", help="gets blobs/ and layer-facts.json"
    )


def run(args: argparse.Namespace) -> dict[str, Any]:
    """Write the layer and return its document."""
    python = Target.read(args.target).python_full
    return write_layer(
        venv_entries(python, args.interpreter, args.prefix),
        args.output,
        title="virtual environment",
        contents=[Content("rootfs", "venv", "1")],
        compression=args.compression,
    )


def venv_entries(python: str, interpreter: str, prefix: str) -> Iterator[Entry]:
    """Yield the skeleton of a virtual environment (PEP 405).

    :param python: the full version.
    :param interpreter: absolute path of the base's program.
    :param prefix: absolute path of the environment.
    :raises UsageError: one of them is no absolute path.
    """
    for path in (interpreter, prefix):
        if not path.startswith("/") or posixpath.normpath(path) != path or path == "/":
            raise UsageError(f"{path!r} is no absolute path")
    place, minor = prefix.strip("/"), ".".join(python.split(".")[:2])
    for name in ("python", "python3", f"python{minor}"):
        yield Entry(f"{place}/bin/{name}", "symlink", 0o777, target=interpreter)
    home = posixpath.dirname(interpreter)
    settings = f"home = {home}\ninclude-system-site-packages = false\nversion = {python}\n"
    yield Entry(f"{place}/pyvenv.cfg", "file", 0o644, source=settings.encode())
    yield Entry(f"{place}/lib/python{minor}/site-packages", "dir", 0o755)
