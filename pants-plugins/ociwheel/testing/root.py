"""An image as the root of a process on this machine: unpacked, and entered by bubblewrap's namespaces.

All files belong to who unpacks them. So each file has the rights that the image's user has, as its own, and
nothing can be written to but the folders that this user can write to in a container.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ociwheel.base.image_files import ImageFiles
from ociwheel.base.image_layer import InLayer, LayerReader, open_layer
from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.folder import Folder
from ociwheel.formats.guard import Guard
from ociwheel.image.users import Owner

PLACE = "/ociwheel-test"
"""What tests bring with them is below it."""
OUT = f"{PLACE}/out"
"""Where they leave files."""
_MOUNTED = ("dev", "proc", "sys", "tmp", OUT.lstrip("/"))
# What an engine puts into every container, of its own machine.
_OF_THE_MACHINE = ("etc/hosts", "etc/resolv.conf")
_SHARED_MEMORY = 64 << 20
"""Bytes, as docker has them."""


@dataclass(frozen=True)
class Root:
    """An unpacked image.

    :param writable: the topmost folders that its user can write to, absolute in the image.
    """

    folder: Path
    user: Owner
    writable: tuple[str, ...]


def unpack(image: ImageFiles, user: Owner, folder: Path) -> Root:
    """Write the files of an image to a folder that is not there yet.

    :raises BaseError: a layer is hostile, or the disk is full.
    """
    entries = image.filesystem.entries
    wanted: dict[InLayer, list[str]] = {}
    with Folder(folder, Guard("the image", BaseError)) as made:
        for path, entry in sorted(entries.items()):
            made.make_folder(path if entry.kind == "dir" else path.rpartition("/")[0])
            if isinstance(entry.source, InLayer):
                wanted.setdefault(entry.source, []).append(path)
        for number, blob in enumerate(image.blobs):
            with open_layer(blob, number) as reader:
                for first in _write_files(made, reader, wanted):
                    (folder / first).chmod(_mode(entries[first], user))
        for name in _MOUNTED:
            if name not in entries:
                made.make_folder(name)
        for name in _OF_THE_MACHINE:
            _copy(made, name)
    # The last, so that nothing was written through one. Where they lead to is the root's, not this machine's.
    for path, entry in entries.items():
        if entry.kind == "symlink" and path not in _OF_THE_MACHINE:
            (folder / path).symlink_to(entry.target)
    return Root(folder, user, tuple(_writable(entries, user)))


def _write_files(made: Folder, reader: LayerReader, wanted: Mapping[InLayer, Sequence[str]]) -> Iterator[str]:
    """Write those files of a layer that the image still has, and yield the first name of each."""
    for one in reader:
        names = wanted.get(one.source) if isinstance(one.source, InLayer) else None
        if names:
            made.write(names[0], reader.chunks(), executable=False)
            for other in names[1:]:
                made.second_name(other, names[0])
            yield names[0]


def _rights(entry: Entry, user: Owner) -> int:
    """Return what a user may do with a file: 4 for reading, 2 for writing, 1 for executing."""
    if user.uid == entry.uid:
        return entry.mode >> 6 & 7
    return (entry.mode >> 3 if user.gid == entry.gid else entry.mode) & 7


def _mode(entry: Entry, user: Owner) -> int:
    rights = entry.mode >> 6 & 7 | 6 if user.uid == 0 else _rights(entry, user)
    return rights << 6 | rights << 3 | rights


def _writable(entries: Mapping[str, Entry], user: Owner) -> Iterable[str]:
    last = "/"
    for path, entry in sorted(entries.items()):
        inside = f"/{path}/".startswith(f"{last}/") and last != "/"
        if entry.kind == "dir" and not inside and _rights(entry, user) & 2:
            last = f"/{path}"
            yield last


def _copy(made: Folder, name: str) -> None:
    try:
        data = Path("/", name).read_bytes()
    except OSError:
        return
    made.write(name, [data], executable=False)


def command(root: Root, tools: Path, output: Path, env: Mapping[str, str], workdir: str) -> list[str]:
    """Return the words before a command that run it in a root.

    :param tools: what the ``build-programs`` step made, with bubblewrap.
    :param output: the folder that is :data:`OUT`, absolute.
    """
    words = [str(tools / "usr/bin/bwrap"), "--unshare-user", "--unshare-ipc", "--unshare-pid"]
    words += ["--unshare-uts", "--unshare-cgroup-try", "--hostname", "image", "--die-with-parent"]
    words += ["--uid", str(root.user.uid), "--gid", str(root.user.gid), "--cap-drop", "ALL", "--clearenv"]
    for name, value in sorted({**_home(root, env), **env}.items()):
        words += ["--setenv", name, value]
    everything = root.user.uid == 0
    words += ["--bind" if everything else "--ro-bind", str(root.folder), "/"]
    for folder in () if everything else root.writable:
        words += ["--bind", str(root.folder / folder.lstrip("/")), folder]
    words += ["--bind", str(output), OUT, "--proc", "/proc", "--dev", "/dev"]
    words += ["--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108  the root's own
    return [*words, "--chdir", workdir]


def _home(root: Root, env: Mapping[str, str]) -> dict[str, str]:
    """Return the variable that engines set of the image's passwd."""
    if "HOME" in env:
        return {}
    try:
        rows = (root.folder / "etc/passwd").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        rows = []
    fields = (row.split(":") for row in rows)
    found = (row[5] for row in fields if len(row) > 6 and row[2] == str(root.user.uid))
    return {"HOME": next(found, "/") or "/"}
