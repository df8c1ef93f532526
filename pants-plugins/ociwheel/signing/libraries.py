"""The libraries that sign, fetched when something is to be signed: for this machine only, pinned by hash."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import sysconfig
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from ociwheel.documents import canonical, read_json
from ociwheel.errors import UsageError
from ociwheel.fetch.artifacts import Wanted
from ociwheel.fetch.index import IndexClient
from ociwheel.fetch.toolbox import Tool, make_toolbox
from ociwheel.transport import settings

LOCK = Path(__file__).resolve().parent / "tools.lock"


def chosen(rows: Iterable[Mapping[str, str]], python: tuple[int, int], machine: str) -> list[Wanted]:
    """Return the wheels for a machine.

    :param python: major and minor version.
    :param machine: such as ``linux-x86_64``.
    :raises UsageError: none are locked for it.
    """
    tags = {"any", machine, f"cp{python[0]}{python[1]}-{machine}"}
    found = [
        Wanted(row["name"], row["version"], row["filename"], row["sha256"])
        for row in rows
        if row["tag"] in tags
    ]
    if len({one.name for one in found}) != len({row["name"] for row in rows}):
        raise UsageError(
            f"no libraries that sign are locked for {machine} and Python {python[0]}.{python[1]}",
            hint="sign what is published by its digest: cosign sign --key KEY REPOSITORY@DIGEST",
        )
    return found


def prepare(folder: Path) -> None:
    """Make the libraries importable.

    :param folder: keeps them from one run to the next.
    """
    machine = f"{sysconfig.get_platform().split('-')[0]}-{os.uname().machine}"
    wanted = chosen(read_json(LOCK)["native"], sys.version_info[:2], machine)
    name = hashlib.sha256(canonical([[one.filename, one.sha256] for one in wanted])).hexdigest()[:16]
    place = folder / name
    if not place.is_dir():
        folder.mkdir(parents=True, exist_ok=True)
        partial = tempfile.mkdtemp(prefix=".partial-", dir=folder)
        try:
            make_toolbox(
                IndexClient(settings.load()), tuple(Tool(one, "lib") for one in wanted), Path(partial)
            )
            os.rename(partial, place)
        except OSError:
            if not place.is_dir():  # else another push was first
                raise
        finally:
            shutil.rmtree(partial, ignore_errors=True)
    sys.path.insert(0, str(place / "lib"))
