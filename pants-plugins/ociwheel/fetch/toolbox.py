"""The toolbox: the pinned libraries that other steps import, unpacked from their wheels."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ociwheel.documents import read_json
from ociwheel.errors import FetchError
from ociwheel.fetch.artifacts import Wanted, fetch_artifact
from ociwheel.fetch.index import IndexClient
from ociwheel.formats.folder import Folder
from ociwheel.formats.guard import Guard
from ociwheel.formats.zip import open_zip
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


def _target(path: str) -> str | None:
    """Return where a member of a wheel goes, or None for scripts, headers and data."""
    top, _, rest = path.partition("/")
    if not top.endswith(".data"):
        return path
    kind, _, module = rest.partition("/")
    return module if kind in ("purelib", "platlib") and module else None


def unpack_wheel(wheel: Path, folder: Path) -> Iterator[tuple[Path, int]]:
    """Unpack a wheel's modules into ``folder`` and yield each file with its size in bytes.

    :raises FetchError: it is no wheel, or has a member that is a link or would be elsewhere.
    """
    guard = Guard(wheel.name, FetchError, prefix="is no readable wheel: ")
    with open_zip(wheel, guard) as archive, Folder(folder, guard) as output:
        for entry in archive.entries:
            target = _target(entry.path)
            if target is not None and not entry.is_folder:
                # Only the executable bit is content; the rest depends on the machine that made the wheel.
                output.write(target, archive.chunks(entry), executable=entry.executable)
                yield folder / target, entry.size


def make_toolbox(client: IndexClient, tools: tuple[Tool, ...], output: Path) -> tuple[int, int]:
    """Fetch and unpack ``tools`` into folder ``output``.

    :returns: the number of files and the sum of their sizes in bytes.
    :raises FetchError: a wheel cannot be fetched or unpacked.
    """
    output.mkdir(mode=0o755, parents=True, exist_ok=True)
    output.chmod(0o755)  # whatever the umask is
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
    return len(sizes), sum(sizes.values())
