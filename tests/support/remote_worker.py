"""A real remote worker: buildbox, which runs each step in a sandbox whose root holds what a test gives it."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import subprocess
import tarfile
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.transport import settings
from tests.integration.repository import Layout
from tests.support.environments import environment
from tests.support.remote_cache import INSTANCE, BuildGrid, free_port, wait_for_port
from tests.support.waiting import end, serve

LOCK = "3rdparty/python/buildbox.lock"
PYTHON = "3.11"
# Of an image on a base of this repository: users and folders, libraries, data, Python.
BASE_LAYERS = 4
BINARIES = f"lib/python{PYTHON}/site-packages/buildstream/subprojects/buildbox"
# What the owner of a worker configures: where its network, its package index and its Debian mirrors are.
CONFIGURATION = ("resolv.conf", "hosts", "nsswitch.conf", "apt", "ssl")


def pip_configuration() -> tuple[str, tuple[Path, ...]]:
    """Return a ``pip.conf`` that says what this machine's configuration says, and the local folders that it names."""
    found = settings.load()
    first, *more = found.indexes
    lines = ["[global]", f"index-url = {first}"]
    lines += [f"extra-index-url = {' '.join(more)}"] if more else []
    lines += [f"find-links = {' '.join(found.find_links)}"] if found.find_links else []
    lines += [f"cert = {found.ca_bundle}"] if found.ca_bundle else []
    # The pages of an index may link to files beside it.
    places = (
        urllib.parse.urlsplit(url) for url in (*(f"{url}/.." for url in found.indexes), *found.find_links)
    )
    folders = {Path(os.path.normpath(place.path)) for place in places if place.scheme in ("", "file")}
    return "\n".join([*lines, ""]), tuple(sorted(folders))


def make_root(folder: Path, layout: Layout, layers: int) -> Path:
    """Make the root of a bare worker: libc and Python of an image's base, a shell, and the machine's network.

    :param layout: an image whose first layers hold Python; everything else stays out.
    :param layers: how many layers its base has.
    """
    folder.mkdir(parents=True)
    for digest in layout.layers()[:layers]:
        with tarfile.open(layout.blob(digest)) as tar:
            tar.extractall(folder, filter="tar")
    shutil.copy2("/bin/sh", folder / "usr/bin/sh")
    etc = folder / "etc"
    for name in CONFIGURATION:
        given = Path("/etc") / name
        if given.is_dir():
            shutil.rmtree(etc / name, ignore_errors=True)
            shutil.copytree(given, etc / name)
        elif given.exists():
            shutil.copy2(given, etc / name)
    (etc / "pip.conf").write_text(pip_configuration()[0])
    return folder


@dataclass
class Worker:
    """A worker of a test's own, which runs what Pants asks for with nothing but ``root``.

    :ivar store: the cache that holds inputs, outputs and results. It may hold results of steps that ran
        elsewhere: Pants puts where a step runs into its key, so that none of them is taken for the worker's.
    """

    folder: Path
    root: Path
    store: BuildGrid
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    @property
    def executions(self) -> int:
        """How many steps the worker has run itself, results that it had not counted."""
        return len((self.folder / "executions").read_text().splitlines())

    def environment(self) -> dict[str, str]:
        """Return the variables that make Pants run everything on this worker."""
        return {
            **self.store.environment(),
            "PANTS_REMOTE_CACHE_READ": "false",
            "PANTS_REMOTE_CACHE_WRITE": "false",
            "PANTS_REMOTE_EXECUTION": "true",
            "PANTS_REMOTE_EXECUTION_ADDRESS": f"grpc://127.0.0.1:{self.port}",
            # What a gRPC server takes in one message, less its frame.
            "PANTS_REMOTE_STORE_BATCH_API_SIZE_LIMIT": "4000000",
        }

    def _write_runner(self, binary: Path) -> Path:
        """Write a runner that counts what it runs, and not when casd asks what it can do."""
        file, count = self.folder / "buildbox-run", self.folder / "executions"
        count.touch()
        file.write_text(
            "#!/bin/sh\n"
            f'case "$*" in *--action=*) echo >>{shlex.quote(str(count))} ;; esac\n'
            f'exec {shlex.quote(str(binary))} "$@"\n'
        )
        file.chmod(0o755)
        return file

    def start(self) -> None:
        """Start the worker and wait until it listens.

        :raises ServerError: when it does not.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        binaries = environment(PYTHON, LOCK) / BINARIES
        usr = self.root / "usr"
        places = [(usr, "/usr"), (usr / "bin", "/bin"), (usr / "lib", "/lib"), (self.root / "etc", "/etc")]
        if (usr / "lib64").exists():
            places.append((usr / "lib64", "/lib64"))
        places += [(folder, str(folder)) for folder in pip_configuration()[1]]
        command = [
            str(binaries / "buildbox-casd"),
            f"--bind=127.0.0.1:{self.port}",
            *(f"--{kind}-remote={self.store.address.replace('grpc', 'http', 1)}" for kind in ("cas", "ac")),
            *(f"--{kind}-instance={INSTANCE}" for kind in ("cas", "ac", "proxy")),
            f"--buildbox-run={self._write_runner(binaries / 'buildbox-run')}",
            f"--jobs={len(os.sched_getaffinity(0))}",
            *(f"--runner-arg=--ro-bind-mount={place}:{inside}" for place, inside in places),
            str(self.folder / "cache"),
        ]
        log = self.folder / "log"
        with log.open("wb") as file:
            self._process = serve(command, file, file)
        wait_for_port(self.port, self._process, log)

    def stop(self) -> None:
        """End the worker."""
        if self._process is not None:
            end(self._process)


@contextlib.contextmanager
def working(folder: Path, root: Path, store: BuildGrid) -> Iterator[Worker]:
    """Give a running worker."""
    worker = Worker(folder, root, store)
    try:
        worker.start()
        yield worker
    finally:
        worker.stop()
