"""A root of its own for code of others: Linux namespaces, made by bubblewrap, in which only content is.

The target's headers and libraries are at ``/usr``, where what looks for them finds them. Programs,
interpreter and compiler of the machine that builds are below ``/ociwheel``; what starts by ``/bin/sh``, or
by the loader that every program names, finds those of the locked packages.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from ociwheel.base.programs import OTHER_NAMES
from ociwheel.base.venv import PROGRAM_FOLDER
from ociwheel.build.resource_limits import MIB
from ociwheel.platforms import PLATFORMS, Platform
from ociwheel.remedies import Remedy

INSIDE = PurePosixPath("/ociwheel")
"""Where all is that the target does not have."""
_USER = 1000
_ETC = {
    "group": f"build:x:{_USER}:\n",
    "hosts": "127.0.0.1 localhost\n::1 localhost\n",
    "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
    "passwd": f"build:x:{_USER}:{_USER}:build:/ociwheel/work/home:/bin/sh\n",
}
_PROBE_SECONDS = 60
_SHARED_MEMORY = 256 * MIB
# No further namespace inside, where the kernel's settings can be changed for one: not in each container.
_NO_MORE_USERS = ("--disable-userns",)


@dataclass(frozen=True)
class Content:
    """What a root holds, each an absolute path of this machine."""

    tools: Path
    """What the ``build-programs`` step made."""
    trees: Mapping[str, Path]
    """Folders and files by their name below ``/ociwheel``, read-only."""
    sysroot: Path | None = None
    """What of the target is at ``/usr``."""


@dataclass(frozen=True)
class Refused:
    """Why this machine gives no root of its own."""

    why: str
    remedy: Remedy


def host_platform() -> Platform | None:
    """Return the row of the machine that builds, ``None`` for one that no base is made for."""
    machine = os.uname().machine
    return next((row for row in PLATFORMS if row.machine == machine), None)


def has_bubblewrap(tools: Path | None) -> bool:
    """Tell whether unpacked programs can give a root."""
    return tools is not None and (tools / PROGRAM_FOLDER / "bwrap").is_file()


def make_root(content: Content, row: Platform, folder: Path) -> None:
    """Write the root's own files, links and mount points.

    :param row: the machine that builds.
    :param folder: an empty folder.
    """
    for name in ("dev", "etc", "lib", "ociwheel", "proc", "tmp", "usr/bin", "var"):
        (folder / name).mkdir(parents=True)
    for name, text in _ETC.items():
        (folder / "etc" / name).write_text(text, encoding="utf-8")
    (folder / "bin").symlink_to("usr/bin")
    (folder / "var/tmp").symlink_to("/tmp")  # noqa: S108  the root's own
    for name, target in _programs(content.tools):
        (folder / "usr/bin" / name).symlink_to(target)
    # The loader that programs name and the libraries that it looks for first: of the machine that builds.
    tools = INSIDE / "tools"
    loader = folder / row.loader.lstrip("/")
    loader.parent.mkdir(exist_ok=True)
    loader.symlink_to(tools / f"usr{row.loader}")
    (folder / "lib" / row.triplet).symlink_to(tools / "usr/lib" / row.triplet)
    for name in _sysroot_folders(content.sysroot):
        (folder / "usr" / name).mkdir()
    for name, path in _mounted(content):
        place = folder / "ociwheel" / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.mkdir() if path.is_dir() else place.touch()
    for name in ("out", "work"):
        (folder / "ociwheel" / name).mkdir()


def _programs(tools: Path) -> Iterator[tuple[str, PurePosixPath]]:
    """Yield the names in ``/usr/bin``, each with its goal."""
    inside = INSIDE / "tools"
    for path in sorted((tools / "usr/bin").iterdir()):
        if path.name in {"bwrap", "cargo", "rustc"}:
            continue
        real = tools / PROGRAM_FOLDER / path.name
        if real.is_file():
            yield path.name, inside / PROGRAM_FOLDER / path.name
            for other in OTHER_NAMES.get(path.name, ()):
                yield other, inside / PROGRAM_FOLDER / path.name
        elif path.name not in {name for names in OTHER_NAMES.values() for name in names}:
            yield path.name, inside / "usr/bin" / path.name


def _sysroot_folders(sysroot: Path | None) -> Iterable[str]:
    if sysroot is None or not (sysroot / "usr").is_dir():
        return ()
    return sorted(p.name for p in (sysroot / "usr").iterdir() if p.is_dir() and p.name != "bin")


def _mounted(content: Content) -> Iterator[tuple[str, Path]]:
    yield "tools", content.tools
    yield from content.trees.items()


def command(content: Content, root: Path, *, work: Path, output: Path, temporary: Path) -> list[str]:
    """Return the words before a command that run it in a root.

    :param root: what :func:`make_root` wrote.
    :param work: the folder that is ``/ociwheel/work`` and can be written to.
    :param output: the one that is ``/ociwheel/out``.
    :param temporary: the one that is ``/tmp``.
    """
    words = [str(content.tools / "usr/bin/bwrap"), "--unshare-user", "--unshare-ipc", "--unshare-pid"]
    words += ["--unshare-net", "--unshare-uts", "--unshare-cgroup-try", "--hostname", "build"]
    words += ["--uid", str(_USER), "--gid", str(_USER), "--cap-drop", "ALL"]
    words += ["--die-with-parent", "--new-session", "--ro-bind", str(root), "/"]
    usr = (content.sysroot or root) / "usr"
    for name in _sysroot_folders(content.sysroot):
        words += ["--ro-bind", str((usr / name).resolve()), f"/usr/{name}"]
    for name, path in _mounted(content):
        words += ["--ro-bind", str(path.resolve()), str(INSIDE / name)]
    for path, place in ((work, INSIDE / "work"), (output, INSIDE / "out"), (temporary, "/tmp")):  # noqa: S108
        words += ["--bind", str(path), str(place)]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(_SHARED_MEMORY), "--tmpfs", "/dev/shm"]  # noqa: S108
    # The kernel's settings belong to root's number outside, whoever that is inside: they stay open else.
    words += ["--remount-ro", "/dev", "--remount-ro", "/proc"]
    return [*words, "--chdir", str(INSIDE / "work")]


def prepare(words: Sequence[str], probe: Sequence[str] = ("/bin/sh", "-c", ":")) -> tuple[str, ...] | Refused:
    """Return words that give a root, as this machine takes them, or why it takes none.

    :param probe: a command that ends well in that root.
    """
    said = ""
    for more in (_NO_MORE_USERS, ()):
        candidate = (*words, *more)
        try:
            done = subprocess.run(
                [*candidate, *probe],
                env={},
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=_PROBE_SECONDS,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired) as e:
            return Refused(str(e), Remedy.text(_hint()))
        if done.returncode == 0:
            return candidate
        said = done.stderr.decode(errors="replace").strip().splitlines()[-1:][0] if done.stderr else ""
    return Refused(said or f"bubblewrap ended with exit code {done.returncode}", Remedy.text(_hint()))


# Settings of kernels that forbid namespaces to users, the value that forbids, and the command that allows.
_SETTINGS = {
    "kernel/unprivileged_userns_clone": ("0", "sysctl -w kernel.unprivileged_userns_clone=1"),
    "kernel/apparmor_restrict_unprivileged_userns": (
        "1",
        "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
    ),
    "user/max_user_namespaces": ("0", "sysctl -w user.max_user_namespaces=15000"),
}
_CONTAINER = (
    "in a container, its engine has to allow them: docker run --security-opt seccomp=unconfined "
    "--security-opt apparmor=unconfined --security-opt systempaths=unconfined (podman: --security-opt "
    "seccomp=unconfined --security-opt unmask=ALL)"
)


def _hint(settings: Path = Path("/proc/sys")) -> str:
    """Return what lets this machine give namespaces."""
    for name, (forbids, allows) in _SETTINGS.items():
        path = settings / name
        try:
            if path.read_text(encoding="ascii").strip() == forbids:
                return f"as root: {allows}"
        except OSError:
            continue
    return _CONTAINER
