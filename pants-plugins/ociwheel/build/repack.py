"""Writes a wheel anew so that the same files always make the same bytes.

Format: the binary distribution format (PEP 427). Entries are stored, not compressed: the bytes then depend
on no deflate library, and what ships is the unpacked content anyway.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import zipfile
from collections.abc import Callable
from pathlib import Path

from ociwheel.errors import BuildError
from ociwheel.formats.guard import Guard
from ociwheel.formats.zip import open_zip

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE = 0o100644
_PROGRAM = 0o100755


def repack(wheel: Path, output: Path, clean: Callable[[str, bytes], bytes] = lambda _, data: data) -> None:
    """Write ``wheel`` to ``output``: sorted, without times, owners, bytecode and umask.

    :param clean: returns what becomes of a file, from its name and its content.
    :raises BuildError: it is no zip, or hostile; it has no RECORD, or an entry twice.
    """
    guard = Guard(wheel.name, BuildError, prefix="the backend made a wheel that cannot be read: ")
    with open_zip(wheel, guard) as archive:
        entries = [e for e in archive.entries if not e.is_folder and not e.path.endswith(".pyc")]
        names = [entry.path for entry in entries]
        records = [n for n in names if n.endswith(".dist-info/RECORD") and n.count("/") == 1]
        if len(records) != 1 or len(set(names)) != len(names):
            raise BuildError(
                "the backend made a wheel with no RECORD, or with an entry twice", where=wheel.name
            )
        record = records[0]
        signatures = {record, f"{record}.jws", f"{record}.p7s"}
        # PEP 427: "Archivers are encouraged to place the .dist-info files physically at the end".
        entries.sort(key=lambda e: (e.path.startswith(record.rpartition("/")[0] + "/"), e.path))
        rows = []
        with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as target:
            for entry in entries:
                if entry.path in signatures:
                    continue
                data = clean(entry.path, archive.read(entry, archive.in_memory))
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                rows.append((entry.path, f"sha256={digest}", str(len(data))))
                target.writestr(_entry(entry.path, executable=entry.executable), data)
            rows.append((record, "", ""))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            target.writestr(_entry(record, executable=False), text.getvalue().encode())


def _entry(name: str, *, executable: bool) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # Unix: the external attributes are a mode
    info.external_attr = (_PROGRAM if executable else _FILE) << 16
    return info
