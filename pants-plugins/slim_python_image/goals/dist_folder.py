"""A layout in `dist`: complete or absent whenever somebody reads it, and only what changed is written.

What is new is written beside the layout first and then moved into place: blobs, then `index.json`, which says
what the layout is. What the `index.json` before it led to stays until the next run, so that who has just read
it finds all of it.
"""

from __future__ import annotations

import contextlib
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
DOCUMENTS = f"{BESIDE}.attestations"
"""The folder of attestations in such paths."""
_SHA256 = digest.BLOBS
_MARKER = "oci-layout"
_INDEX = "index.json"
_STAGING = ".slim-image-"
_LONG = 24 * 3600
"""Seconds after which nothing moves what another machine, or another container, wrote for a layout."""
_NAMED = 5
"""How many files a message names."""

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
        return self.path.startswith(f"{_SHA256}/")

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

    def of(self, file: Wanted) -> Path:
        """Return where a file lies."""
        if file.beside:
            return self.dist / f"{self.output}{file.path[len(BESIDE) :]}"
        return (self.dist if self.shared and file.blob else self.layout) / file.path


def _is_whole(path: Path, file: Wanted) -> bool:
    try:
        found = os.lstat(path)
        if not stat.S_ISREG(found.st_mode) or found.st_size != file.size:
            return False
        if file.blob:
            return found.st_mtime_ns == WHOLE
        return hashlib.sha256(path.read_bytes()).hexdigest() == file.sha256
    except OSError:
        return False


def missing(place: Place, files: Iterable[Wanted]) -> tuple[Wanted, ...]:
    """Return what has to be written: what is not there, not whole, or not as it was left."""
    # Blobs that are looked for through the other kind of folder, see `shared`, are not there.
    usable = place.shared == (place.layout / BLOBS).is_symlink()
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


def foreign_files(place: Place) -> tuple[str, ...]:
    """Return the files in a layout's folder that are not of a layout.

    :raises SlimImageError: the folder is that of something else, or no folder.
    """
    layout = place.layout
    if place.report.is_dir():
        raise refused(f"{place.output}.json", "is a folder, where the image's report is to be written")
    if not os.path.lexists(layout):
        return ()
    if not layout.is_dir():
        raise refused(place.output, "is a file, where the image's layout is to be written")
    names = set(_names(layout))
    if names - {BLOBS} and _MARKER not in names:
        raise refused(place.output, f"has files that no image was written with: {listed(names)}")
    found = names - {_MARKER, _INDEX, BLOBS}
    blobs = layout / BLOBS
    if not blobs.is_symlink() and blobs.is_dir():
        found |= {f"{BLOBS}/{name}" for name in _names(blobs) if name != "sha256"}
        found |= {f"{_SHA256}/{name}" for name in _names(layout / _SHA256) if not is_sha256(name)}
    return tuple(sorted(found))


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


def _names(folder: Path) -> Sequence[str]:
    try:
        return os.listdir(folder)  # noqa: PTH208 (a path for each file of `dist`, for each image of it, is slow)
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


def clear_staging(dist: Path, name: str) -> Path:
    """Return a folder in `dist` for what is not in its place yet, after removing what ended runs left there.

    :param name: of the folder; it begins with :func:`process_name`.
    """
    for other in _names(dist):
        if other.startswith(_STAGING) and _has_ended(dist / other):
            shutil.rmtree(dist / other, ignore_errors=True)
    folder = dist / f"{_STAGING}{name}"
    shutil.rmtree(folder, ignore_errors=True)
    return folder


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
            target.parent.mkdir(exist_ok=True)
        os.replace(source, target)
    forget(place, files)


def forget_documents(dist: Path, output: str, paths: Iterable[str] = ()) -> None:
    """Remove attestations beside an image that are none of it: of other platforms, or of kinds not asked for.

    :param paths: of the image's own files, as those of :class:`Wanted`.
    """
    kept = set(paths)
    folder = dist / f"{output}{DOCUMENTS[len(BESIDE) :]}"
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
    forget_documents(place.dist, place.output, (one.path for one in files))
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
