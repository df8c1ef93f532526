"""The toolbox: the pinned libraries that other steps import, unpacked from their wheels."""

from __future__ import annotations

import os
import stat
import zipfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import Any

from ociwheel.documents import read_json
from ociwheel.errors import FetchError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.zstd.wheels import ZSTD_LOCK

TOOLS_LOCK = Path(__file__).resolve().parent.parent / "tools.lock"
_PARALLEL = 4


@dataclass(frozen=True)
class Tool:
    """One locked wheel and the folder of the toolbox that it is unpacked to."""

    wanted: Wanted
    folder: str


def read_tools(path: Path = TOOLS_LOCK, with_pip: bool = False, with_zstd: bool = False) -> tuple[Tool, ...]:
    """Return the wheels of the toolbox: pure ones, native ones, and if asked for, pip or zstandard."""
    lock: dict[str, Any] = read_json(path)
    native = [*lock["native"], *(read_json(ZSTD_LOCK)["native"] if with_zstd else ())]

    def wanted(item: dict[str, str]) -> Wanted:
        return Wanted(item["name"], item["version"], item["filename"], item["sha256"])

    tools = [Tool(wanted(item), "lib") for item in lock["lib"]]
    tools += [Tool(wanted(item), f"native/{item['tag']}") for item in native]
    if with_pip:
        tools.append(Tool(wanted(lock["pip"]), "pip"))
    return tuple(tools)


def _target(info: zipfile.ZipInfo) -> PurePosixPath | None:
    """Return where a member of a wheel goes, or None for scripts, headers and data.

    :raises ValueError: it is a link, or would be outside of the folder.
    """
    name = info.filename
    path = PurePosixPath(name)
    if stat.S_ISLNK(info.external_attr >> 16):
        raise ValueError(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name or ":" in name or "\0" in name:
        raise ValueError(name)
    if path.parts and path.parts[0].endswith(".data"):
        if len(path.parts) > 2 and path.parts[1] in ("purelib", "platlib"):
            return PurePosixPath(*path.parts[2:])
        return None
    return path


def _mode(info: zipfile.ZipInfo) -> int:
    # Only the executable bit is content; the rest depends on the machine that made the wheel.
    return 0o755 if (info.external_attr >> 16) & stat.S_IXUSR else 0o644


def _make_dir(folder: Path) -> None:
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)


def unpack_wheel(wheel: Path, folder: Path) -> Iterator[tuple[Path, int]]:
    """Unpack a wheel's modules into ``folder`` and yield each file with its size in bytes.

    :raises FetchError: it is no wheel, or has a member that is a link or would be elsewhere.
    """
    try:
        with zipfile.ZipFile(wheel) as archive:
            for info in archive.infolist():
                target = _target(info)
                if target is None or info.is_dir():
                    continue
                path = folder / target
                _make_dir(path.parent)
                path.write_bytes(archive.read(info))
                path.chmod(_mode(info))
                yield path, info.file_size
    except ValueError as e:
        raise FetchError(f"has a member that cannot be unpacked: {e}", where=wheel.name) from e
    except (zipfile.BadZipFile, NotImplementedError) as e:
        raise FetchError(f"is no readable wheel: {e}", where=wheel.name) from e
    except OSError as e:
        raise FetchError(f"cannot unpack it: {e.strerror}", where=f"{wheel.name} to {folder}") from e


def _set_folder_modes(folder: Path) -> None:
    for path, _, _ in os.walk(folder):
        os.chmod(path, 0o755)  # noqa: S103 (as mkdir under the usual umask, but under every umask)


def make_toolbox(client: IndexClient, tools: tuple[Tool, ...], output: Path) -> tuple[int, int]:
    """Fetch and unpack ``tools`` into folder ``output``.

    :returns: the number of files and the sum of their sizes in bytes.
    :raises FetchError: a wheel cannot be fetched or unpacked.
    """
    _make_dir(output)
    sizes: dict[Path, int] = {}
    with TemporaryDirectory(prefix=".wheels-", dir=output) as wheels:
        # One page per project: asked for before the threads would each ask for it.
        for name in sorted({tool.wanted.name for tool in tools}):
            for _ in client.offers(name):
                pass

        def fetch(tool: Tool) -> Path:
            return fetch_artifact(client, tool.wanted, Path(wheels)).path

        with ThreadPoolExecutor(_PARALLEL) as pool:
            paths = list(pool.map(fetch, tools))
        for tool, path in zip(tools, paths, strict=True):
            sizes.update(unpack_wheel(path, output / tool.folder))
    _set_folder_modes(output)
    return len(sizes), sum(sizes.values())
