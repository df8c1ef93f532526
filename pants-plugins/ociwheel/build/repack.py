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

_EPOCH = (1980, 1, 1, 0, 0, 0)
_FILE = 0o100644
_PROGRAM = 0o100755


def repack(wheel: Path, output: Path, clean: Callable[[str, bytes], bytes] = lambda _, data: data) -> None:
    """Write ``wheel`` to ``output``: sorted, without times, owners, bytecode and umask.

    :param clean: returns what becomes of a file, from its name and its content.
    :raises BuildError: the wheel has no RECORD, or an entry twice.
    """
    with zipfile.ZipFile(wheel) as archive:
        infos = [i for i in archive.infolist() if not i.is_dir() and not i.filename.endswith(".pyc")]
        names = [i.filename for i in infos]
        records = [n for n in names if n.endswith(".dist-info/RECORD") and n.count("/") == 1]
        if len(records) != 1 or len(set(names)) != len(names):
            raise BuildError(
                "the backend made a wheel with no RECORD, or with an entry twice", where=wheel.name
            )
        record = records[0]
        signatures = {record, f"{record}.jws", f"{record}.p7s"}
        # PEP 427: "Archivers are encouraged to place the .dist-info files physically at the end".
        infos.sort(key=lambda i: (i.filename.startswith(record.rpartition("/")[0] + "/"), i.filename))
        rows = []
        with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as target:
            for info in infos:
                if info.filename in signatures:
                    continue
                data = clean(info.filename, archive.read(info))
                digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
                rows.append((info.filename, f"sha256={digest}", str(len(data))))
                target.writestr(_entry(info.filename, info.external_attr >> 16 & 0o111), data)
            rows.append((record, "", ""))
            text = io.StringIO()
            csv.writer(text, lineterminator="\n").writerows(rows)
            target.writestr(_entry(record, 0), text.getvalue().encode())


def _entry(name: str, executable: int) -> zipfile.ZipInfo:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.create_system = 3  # Unix: the external attributes are a mode
    info.external_attr = (_PROGRAM if executable else _FILE) << 16
    return info
