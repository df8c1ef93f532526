"""A layout in `dist`: complete or absent whenever somebody reads it, and only what changed is written.

What is new is written beside the layout first and then moved into place: blobs, then `index.json`, which says
what the layout is. What the `index.json` before it led to stays until the next run, so that who has just read
it finds all of it.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import platform
import shutil
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Iterable, Sequence

from ociwheel import digest
from ociwheel.digest import is_sha256
from slim_python_image.products import SlimImageError
from slim_python_image.util_rules.attestations import is_document

BLOBS = "blobs"
BESIDE = "beside"
"""What stands for the path of a layout in the paths of files beside it: `beside.json` is its report."""
_DOCUMENTS = ".attestations"
DOCUMENTS = f"{BESIDE}{_DOCUMENTS}"
"""The folder of attestations in such paths."""
_SHA256 = digest.BLOBS
_BLOB = f"{_SHA256}/"
_MARKER = "oci-layout"
_INDEX = "index.json"
_STAGING = ".slim-image-"
_LONG = 24 * 3600
"""Seconds after which nothing moves what another machine, or another container, wrote for a layout."""
_NAMED = 5
"""How many files a message names."""
_SETTLED = 3 * 10**9
"""Nanoseconds within which two changes may give a file the same time: FAT counts in two seconds."""

# The time of each blob that is whole and that nobody has touched since, in nanoseconds: 1980-01-01, the
# earliest that every file system can say. So a blob that is there is known without being read.
WHOLE = 315_532_800 * 10**9


@dataclass(frozen=True)
class Wanted:
    """A file of a layout, or the report beside it.

    :param path: below the layout's folder; :data:`BESIDE`, and more, beside it.
    :param size: bytes.
    """

    path: str
    sha256: str
    size: int

    @property
    def blob(self) -> bool:
        """Whether its name is its content's."""
        return self.path.startswith(_BLOB)

    @property
    def beside(self) -> bool:
        """Whether it stands beside the layout."""
        return self.path.startswith(f"{BESIDE}.")


@dataclass(frozen=True)
class Place:
    """Where a layout is written.

    :param dist: the folder of all packages.
    :param output: the layout below it.
    :param shared: blobs stand in `dist/blobs`, once for all layouts.
    """

    dist: Path
    output: str
    shared: bool = False

    @property
    def layout(self) -> Path:
        """The folder of the layout."""
        return self.dist / self.output

    @property
    def report(self) -> Path:
        """The report beside the layout."""
        return self.dist / f"{self.output}.json"

    @property
    def documents(self) -> str:
        """The folder of attestations beside the layout."""
        return f"{self.dist}/{self.output}{_DOCUMENTS}"

    def of(self, file: Wanted) -> str:
        """Return where a file lies: as text, for a run looks at thousands of them."""
        if file.beside:
            return f"{self.dist}/{self.output}{file.path[len(BESIDE) :]}"
        if self.shared and file.blob:
            return f"{self.dist}/{file.path}"
        return f"{self.dist}/{self.output}/{file.path}"


@functools.lru_cache(maxsize=1 << 16)
def _known_content(path: str, *_state: int) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def _content(path: str, found: os.stat_result) -> str:
    """Return the SHA-256 of a file, which is read again where inode, size or one of its times is another."""
    if abs(time.time_ns() - found.st_ctime_ns) < _SETTLED:  # another change now could have the same time
        return _known_content.__wrapped__(path)
    return _known_content(path, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)


def _is_whole(path: str, file: Wanted) -> bool:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
            return False
        return found.st_mtime_ns == WHOLE if file.blob else _content(path, found) == file.sha256
    except OSError:
        return False


def missing(place: Place, files: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """Return what has to be written: what is not there, not whole, or not as it was left."""
    # Blobs that are looked for through the other kind of folder, see `shared`, are not there.
    usable = place.shared == os.path.islink(f"{place.dist}/{place.output}/{BLOBS}")
    return tuple(
        one
        for one in files
        if (not usable and (one.blob or one.path == _INDEX)) or not _is_whole(place.of(one), one)
    )


# --- files of others ----------------------------------------------------------------------------------


def listed(paths: Iterable[str]) -> str:
    """Return some names for people."""
    found = sorted(paths)
    more = f" and {len(found) - _NAMED} more" if len(found) > _NAMED else ""
    return ", ".join(found[:_NAMED]) + more


def refused(output: str, what: str) -> SlimImageError:
    """Return the error for a place in `dist` that has files of others."""
    return SlimImageError(
        f"dist/{output}: {what}\n"
        "  -> move it away, or give the target another `output_path`: nothing of it was deleted"
    )


def _layout_names(place: Place) -> set[str]:
    """Return the names in a layout's folder, none where there is no such folder.

    :raises SlimImageError: the folder is that of something else, or no folder.
    """
    layout = f"{place.dist}/{place.output}"
    if os.path.isdir(f"{layout}.json"):
        raise refused(f"{place.output}.json", "is a folder, where the image's report is to be written")
    try:
        names = set(os.listdir(layout))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        if os.path.lexists(layout):
            raise refused(place.output, "is a file, where the image's layout is to be written") from None
        return set()
    except OSError:
        return set()
    if names - {BLOBS} and _MARKER not in names:
        raise refused(place.output, f"has files that no image was written with: {listed(names)}")
    return names


@dataclass(frozen=True)
class Look:
    """What is in the place of a layout.

    :param foreign: files that are of no layout.
    :param missing: what has to be written.
    :param outdated: something is there that an earlier run wrote, for :func:`forget`.
    """

    foreign: tuple[str, ...]
    missing: tuple[Wanted, ...]
    outdated: bool


def look(place: Place, files: Sequence[Wanted]) -> Look:
    """Look at the place of a layout, at each name there once.

    :param files: all files of the layout, and beside it.
    :raises SlimImageError: the folder is that of something else, or no folder.
    """
    names = _layout_names(place)
    found = names - {_MARKER, _INDEX, BLOBS}
    blobs = f"{place.dist}/{place.output}/{BLOBS}"
    others: set[str] = set()
    if BLOBS in names and not os.path.islink(blobs):
        found |= {f"{BLOBS}/{name}" for name in _names(blobs) if name != "sha256"}
        others = set(_names(f"{blobs}/sha256")) - {one.path[len(_BLOB) :] for one in files if one.blob}
    strange = {name for name in others if not is_sha256(name)}
    outdated = (others != strange and not place.shared) or _old_documents(place, files)
    found |= {_BLOB + name for name in strange}
    return Look(tuple(sorted(found)), missing(place, files), outdated)


def _old_documents(place: Place, files: Sequence[Wanted]) -> bool:
    """Tell whether the folder of attestations beside an image is for :func:`forget_documents` to change."""
    try:
        names = os.listdir(place.documents)  # noqa: PTH208
    except OSError:
        return False
    others = {f"{DOCUMENTS}/{name}" for name in names} - {one.path for one in files}
    return not names or any(is_document(os.path.basename(one)) for one in others)


def foreign_files(place: Place) -> tuple[str, ...]:
    """Return the files in a layout's folder that are not of a layout.

    :raises SlimImageError: the folder is that of something else, or no folder.
    """
    return look(place, ()).foreign


def check_replaced(dist: Path, output: str, suffix: str = "") -> None:
    """Check what Pants clears before it writes: a file, or a folder whose files all have one suffix.

    :param suffix: of the files of a folder; without one, a file is written.
    :raises SlimImageError: something else is there.
    """
    path = dist / output
    if not suffix:
        if path.is_dir() and not path.is_symlink():
            raise refused(output, "is a folder, where a file is to be written")
        return
    if os.path.lexists(path) and not path.is_dir():
        raise refused(output, "is a file, where a folder is to be written")
    others = [
        os.path.relpath(os.path.join(folder, name), path)
        for folder, _, names in os.walk(path)
        for name in names
        if not name.endswith(suffix)
    ]
    if others:
        raise refused(output, f"has files that are no {suffix}: {listed(others)}")


# --- writing ------------------------------------------------------------------------------------------


def _names(folder: str | Path) -> Sequence[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 (a path for each file of `dist` is slow)
    except OSError:
        return ()


def process_name() -> str:
    """Return what folders of this process begin with: where its number counts, and its number.

    Two containers that share a `dist` have processes of equal numbers.
    """
    return f"{_numbered_in()}-{os.getpid()}"


def _numbered_in() -> str:
    """Return the machine and namespace that numbers of processes are of."""
    namespace = ""
    with contextlib.suppress(OSError):  # macOS has none
        namespace = os.readlink("/proc/self/ns/pid")
    return hashlib.sha256(f"{platform.node()} {namespace}".encode()).hexdigest()[:12]


def staging_name() -> str:
    """Return what folders begin with in which Pants, in this process, writes what is not in its place yet."""
    return f"{_STAGING}{process_name()}-"


def clear_staging(dist: Path) -> frozenset[str]:
    """Remove what ended runs left in `dist`; return the names of this process's own folders of that kind."""
    found = frozenset(name for name in _names(dist) if name.startswith(_STAGING))
    for name in found:
        if _has_ended(dist / name):
            shutil.rmtree(dist / name, ignore_errors=True)
    own = staging_name()
    return frozenset(name for name in found if name.startswith(own))


def _has_ended(folder: Path) -> bool:
    """Tell whether the process that a folder is of is gone; of another machine's, after a day."""
    numbered_in, _, rest = folder.name[len(_STAGING) :].partition("-")
    if numbered_in == _numbered_in():
        return not _runs(rest.partition("-")[0])
    try:
        return time.time() - folder.stat().st_mtime > _LONG
    except OSError:
        return True


def _runs(number: str) -> bool:
    try:
        os.kill(int(number), 0)
    except (ProcessLookupError, ValueError):
        return False
    except OSError:
        pass
    return True


def _make_blobs(place: Place) -> None:
    """Make the folder of blobs, or the link to it; the other one goes, and `index.json` before it."""
    blobs = place.layout / BLOBS
    target = os.path.relpath(place.dist / BLOBS, place.layout)
    if os.path.lexists(blobs) and blobs.is_symlink() != place.shared:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(place.layout / _INDEX)
        blobs.unlink() if blobs.is_symlink() else shutil.rmtree(blobs)
    if place.shared and not blobs.is_symlink():
        with contextlib.suppress(FileExistsError):  # another run made it at this moment
            blobs.symlink_to(target)
    own = place.dist if place.shared else place.layout
    (own / _SHA256).mkdir(parents=True, exist_ok=True)


def _order(file: Wanted) -> int:
    """Return when a file moves into place: `index.json` after all it leads to, what is beside last."""
    return 3 if file.beside else {_MARKER: 0, _INDEX: 2}.get(file.path, 1)


def move(place: Place, files: Iterable[Wanted], written: Iterable[Wanted], staged: Path) -> None:
    """Move what was written into its place.

    :param files: all files of the layout, and beside it.
    :param written: those of them that are in ``staged``.
    :raises OSError: the folder cannot be written; the layout is as it was before, or new.
    """
    place.layout.mkdir(parents=True, exist_ok=True)
    _make_blobs(place)
    for one in sorted(written, key=_order):
        source = staged / one.path
        if one.blob:
            os.utime(source, ns=(WHOLE, WHOLE))
        target = place.of(one)
        if one.beside:
            Path(target).parent.mkdir(exist_ok=True)
        os.replace(source, target)
    forget(place, files)


def forget_documents(place: Place, paths: Iterable[str] = ()) -> None:
    """Remove attestations beside an image that are none of it: of other platforms, or of kinds not asked for.

    :param paths: of the image's own files, as those of :class:`Wanted`.
    """
    kept = set(paths)
    folder = Path(place.documents)
    for name in filter(is_document, _names(folder)):
        if f"{DOCUMENTS}/{name}" not in kept:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(folder / name)
    with contextlib.suppress(OSError):  # it is not empty, or not there
        folder.rmdir()


def forget(place: Place, files: Iterable[Wanted]) -> None:
    """Remove the attestations of an earlier run, and the blobs that were no files in the run before either.

    A run that finds such a blob for the first time takes from it the time of what is whole. Blobs that are
    shared stay: other layouts may want them.
    """
    files = tuple(files)
    forget_documents(place, (one.path for one in files))
    if place.shared:
        return
    kept = {os.path.basename(one.path) for one in files if one.blob}
    folder = place.layout / _SHA256
    for name in set(_names(folder)) - kept:
        if is_sha256(name):
            with contextlib.suppress(FileNotFoundError):
                if os.lstat(folder / name).st_mtime_ns == WHOLE:
                    os.utime(folder / name)
                else:
                    os.unlink(folder / name)
