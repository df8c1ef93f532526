"""CPython linked with musl, as ``python:3.11-alpine`` has it: compiled here, since no package index has one.

Made from Debian's source packages with Debian's musl and ``musl-gcc``, once per machine, into the tests' cache;
that takes some minutes. ``python -m tests.support.musl_python`` makes it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import signal
import subprocess
import sys
import tarfile
import tempfile
import time
from pathlib import Path

from tests.support.base_pair import KEYRING, SUITE, debian_mirrors

VERSION = "3.11.2"
PREFIX = "usr/local"
_SOURCES = ("zlib", "libffi", "openssl", "python3.11")
_SECONDS = 3600
# `musl-gcc` is Debian's gcc with other paths, and says so; where a module belongs is read off this answer. The
# kernel's headers, which musl has none of, come from Debian's glibc.
_COMPILER = """\
#!/bin/sh
case "$*" in *-print-multiarch) echo x86_64-linux-musl; exit;; esac
exec musl-gcc "$@" -idirafter "$KERNEL_HEADERS"
"""
_SCRIPT = r"""
set -eu
mkdir kernel bin
for d in linux asm-generic; do ln -s "/usr/include/$d" kernel/; done
ln -s /usr/include/x86_64-linux-gnu/asm kernel/asm
export KERNEL_HEADERS="$PWD/kernel" PATH="$PWD/bin:$PATH" CC=musl-cc jobs=-j"$(nproc)"
cp "$COMPILER" bin/musl-cc
chmod +x bin/musl-cc
root="$PWD/root"
unpack() { mkdir "$1"; tar -xf sources/"$1"_*.orig.tar.* -C "$1" --strip-components=1; cd "$1"; }

# Static, so that neither this Python nor the machine's programs look for them when modules are made.
(unpack zlib; CFLAGS="-O1 -fPIC" ./configure --prefix=/usr --static; make "$jobs"; make install DESTDIR="$root")
(unpack libffi; ./configure --host=x86_64-linux-musl --prefix=/usr --disable-shared --with-pic --disable-docs \
    --disable-multi-os-directory CFLAGS=-O1; make "$jobs"; make install DESTDIR="$root")
(unpack openssl; ./Configure linux-x86_64 no-shared no-tests no-engine no-secure-memory --prefix=/usr --libdir=lib \
    --openssldir=/etc/ssl -O1; make "$jobs" build_libs; make install_dev DESTDIR="$root")
export PKG_CONFIG=false
(unpack python3.11; ./configure --prefix=/usr/local --enable-shared --without-ensurepip --disable-test-modules \
    --with-openssl="$root/usr" CFLAGS="-O1 -w" CPPFLAGS="-I$root/usr/include" LDFLAGS="-L$root/usr/lib" \
    LIBFFI_INCLUDEDIR="$root/usr/include"
 make "$jobs"; make install DESTDIR="$root")
cd "$root/usr/local"
find . -name __pycache__ -prune -exec rm -rf {} +
rm -rf lib/python3.11/config-*/*.a lib/python3.11/idlelib lib/python3.11/tkinter share
ln -sf python3.11 bin/python
ln -sf python3.11 bin/python3
"""


class MuslPythonError(Exception):
    """A Python that could not be made."""


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "slim-python-image/musl-python"


def _sources(folder: Path) -> None:
    """Fetch the source packages, which apt checks."""
    (folder / "lists").mkdir()
    (folder / "sources.list").write_text(
        "".join(f"deb-src [signed-by={KEYRING}] {mirror} {SUITE} main\n" for mirror in debian_mirrors())
    )
    apt = [
        *("apt-get", "-qq", "-o", f"Dir::Etc::sourcelist={folder / 'sources.list'}"),
        *("-o", "Dir::Etc::sourceparts=-", "-o", f"Dir::State::lists={folder / 'lists'}"),
        *("-o", "APT::Sandbox::User=root", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="),
    ]
    (folder / "sources").mkdir()
    _run([*apt, "update"], folder)
    _run([*apt, "source", "--download-only", *_SOURCES], folder / "sources")
    for signature in (folder / "sources").glob("*.asc"):
        signature.unlink()


def _run(argv: list[str], folder: Path, **env: str) -> None:
    try:
        done = subprocess.run(
            argv,
            cwd=folder,
            env={**os.environ, **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=_SECONDS,
            check=False,
        )
    except FileNotFoundError as e:
        raise MuslPythonError(f"{argv[0]} is not there") from e
    if done.returncode:
        raise MuslPythonError("\n".join([f"{argv[0]} failed:", *done.stdout.splitlines()[-40:]]))


def _make(target: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="musl-python-") as scratch:
        folder = Path(scratch)
        _sources(folder)
        (folder / "compiler").write_text(_COMPILER)
        _run(["sh", "-c", _SCRIPT], folder, COMPILER=str(folder / "compiler"))
        partial = target.with_suffix(".partial")
        with tarfile.open(partial, "w:gz", compresslevel=1) as archive:
            archive.add(folder / "root/usr/local", PREFIX)
        partial.rename(target)


def musl_python() -> Path:
    """Return an archive of ``usr/local``: Python, with its headers.

    :raises MuslPythonError: it cannot be made; ``musl-tools``, ``gcc`` and ``make`` have to be there.
    """
    key = hashlib.sha256(f"{_SCRIPT}{_COMPILER}{_SOURCES}".encode()).hexdigest()[:16]
    folder = _cache()
    folder.mkdir(parents=True, exist_ok=True)
    target = folder / f"{key}.tar.gz"
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not target.exists():
            if not shutil.which("musl-gcc"):
                raise MuslPythonError("musl-gcc is not there: apt-get install musl-tools")
            _make(target)
    return target


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # ends what it has started
    start = time.monotonic()
    sys.stdout.write(f"{musl_python()}: {time.monotonic() - start:.0f} s\n")
