"""Lays out locked crates where cargo finds them: as a folder that replaces its default registry.

Format: the cargo book, "Source Replacement", "Directory Sources". The files are those that the lock names, by
their hashes; they are unpacked where the build runs, because they are of others.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from ociwheel.build.crates import CHECKSUM_FILE
from ociwheel.errors import BuildError
from ociwheel.sdist.unpack import unpack

_CONFIG = """\
[source.crates-io]
replace-with = "locked"

[source.locked]
directory = "{folder}"
"""


def vendor(crates: Path, folder: Path) -> Path:
    """Unpack crates and tell cargo of them.

    :param crates: what the ``fetch-crates`` step made.
    :param folder: of what cargo needs; ``home`` below it is ``CARGO_HOME``.
    :returns: the configuration that says so.
    :raises BuildError: a file is no crate.
    """
    vendored, home = folder / "vendor", folder / "home"
    for file in sorted(crates.glob("*.crate")):
        name = file.name.removesuffix(".crate")
        top = unpack(file, folder / "unpacked" / name)
        if top.name != name:
            raise BuildError(f"the crate holds a folder {top.name}", where=file.name)
        place = vendored / name
        place.parent.mkdir(exist_ok=True)
        top.rename(place)
        checksums = {"files": {}, "package": hashlib.sha256(file.read_bytes()).hexdigest()}
        (place / CHECKSUM_FILE).write_text(json.dumps(checksums), encoding="utf-8")
    home.mkdir(exist_ok=True)
    config = home / "config.toml"
    config.write_text(_CONFIG.format(folder=vendored), encoding="utf-8")
    return config
