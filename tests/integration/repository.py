"""A repository made up for a test, in which the real ``./pants`` runs with caches of the test's own."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import tarfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.support.published_schemas import check_published, reports_in

ROOT = Path(__file__).parent.parent.parent
BASE = "//3rdparty/debian:bookworm-py311"

# The first lines of a run that failed; the message of the error follows.
_ENGINE_ERROR = re.compile(r"\[ERROR\] .*?\n\nEngine traceback:\n(?:  in [^\n]*\n)*\n(.*?)\n\n", re.DOTALL)
_STARTED = re.compile(r"\[INFO\] Starting: (?!Scheduling: )(.*)")
_CANCELED = re.compile(r"\[INFO\] Canceled: (?!Scheduling: )(.*)")
_COUNTER = re.compile(r"^  (\w+): (\d+)$", re.MULTILINE)

# Of the run of these tests, not of the runs that they start.
_NOT_PASSED = ("PANTS_LOCAL_STORE_DIR", "PANTS_NAMED_CACHES_DIR", "PYTHONPATH", "SOURCE_DATE_EPOCH")

PANTS_TOML = """\
[GLOBAL]
pants_version = "2.17.1"
backend_packages = ["pants.backend.python", "slim_python_image"]
{plugin}

[anonymous-telemetry]
enabled = false

[source]
root_patterns = ["/src/*"]

[python]
interpreter_constraints = ["CPython==3.11.*"]
enable_resolves = true
resolves_generate_lockfiles = false
invalid_lockfile_behavior = "ignore"

[python.resolves]
python-default = "3rdparty/python/default.lock"

[python-infer]
use_rust_parser = true

[subprocess-environment]
env_vars = ["LANG=C.UTF-8", "LC_ALL=C.UTF-8", "PIP_CONFIG_FILE=/dev/null"]
"""


@dataclass(frozen=True)
class Caches:
    """Where Pants keeps what processes made, and what they share."""

    folder: Path

    def environment(self) -> dict[str, str]:
        """Return the variables that make Pants use them."""
        return {
            "PANTS_LOCAL_STORE_DIR": str(self.folder / "store"),
            "PANTS_NAMED_CACHES_DIR": str(self.folder / "named"),
        }


@dataclass(frozen=True)
class Run:
    """What a run of Pants said."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def started(self) -> list[str]:
        """The descriptions of the processes that ran, sorted; those found in a cache did not run.

        An edit of which Pants hears late, on a loaded machine, makes it cancel a step and start it anew with
        the same input: that is one step.
        """
        started = Counter(_STARTED.findall(self.stderr))
        return sorted((started - Counter(_CANCELED.findall(self.stderr))).elements())

    @property
    def counters(self) -> dict[str, int]:
        """The counters that ``--stats-log`` prints; what was never counted is 0."""
        assert "Counters:" in self.stderr, "run with PANTS_STATS_LOG=true"
        found = {name: int(number) for name, number in _COUNTER.findall(self.stderr.split("Counters:")[-1])}
        return Counter(found)

    @property
    def error(self) -> str:
        """The whole message of the error that ended the run."""
        found = _ENGINE_ERROR.search(self.stderr + "\n\n")
        assert found, self.stderr
        return found.group(1)


@dataclass
class Repository:
    """A repository with the base of this one, and what a test writes."""

    root: Path
    caches: Caches
    env: dict[str, str] = field(default_factory=dict)

    def write(self, path: str, text: str) -> None:
        """Write a file, with the folders above it."""
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace a piece of text, which must occur once."""
        text = (self.root / path).read_text()
        assert text.count(old) == 1, (path, old)
        (self.root / path).write_text(text.replace(old, new))

    def pants(
        self, *arguments: str, daemon: bool = False, prefix: Iterable[str] = (), umask: int = -1
    ) -> Run:
        """Run ``./pants``, with its daemon or without."""
        done = subprocess.run(
            [*prefix, *self._argv(daemon), *arguments],
            cwd=self.root,
            env=self._environment(),
            umask=umask,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        return Run(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str, daemon: bool = False, **env: str) -> subprocess.Popen[str]:
        """Start ``./pants`` in a process group of its own, as a terminal does."""
        return subprocess.Popen(
            [*self._argv(daemon), *arguments],
            cwd=self.root,
            env={**self._environment(), **env},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def _argv(self, daemon: bool) -> list[str]:
        return [str(self.root / "pants"), f"--{'' if daemon else 'no-'}pantsd", "--no-dynamic-ui"]

    def _environment(self) -> dict[str, str]:
        env = {name: value for name, value in os.environ.items() if name not in _NOT_PASSED}
        return {**env, **home_environment(), **self.caches.environment(), **self.env}

    def package(self, *addresses: str, daemon: bool = False) -> Run:
        """Package, which has to work; each report in `dist` is what its published schema says."""
        run = self.pants("package", *addresses, daemon=daemon)
        assert run.exit_code == 0, run.stderr
        for report in reports_in(self.root / "dist"):
            check_published(report)
        return run

    def failure(self, address: str) -> str:
        """Package, which has to fail; return the message."""
        run = self.pants("package", address, daemon=True)
        assert run.exit_code == 1, run.stderr
        return run.error

    def layout(self, path: str) -> Layout:
        """Return what ``package`` wrote below ``dist``."""
        return Layout(self.root / "dist" / path)

    def stop(self) -> None:
        """End the daemon of this repository."""
        # Where Pants 2.17 keeps it, and where later ones do.
        for file in [*self.root.glob(".pids/*/pantsd/pid"), *self.root.glob(".pants.d/pids/*/pantsd/pid")]:
            with contextlib.suppress(ProcessLookupError, ValueError):
                os.kill(int(file.read_text()), signal.SIGTERM)


@dataclass(frozen=True)
class Layout:
    """An OCI image layout, read with nothing of the core's own."""

    folder: Path

    def blob(self, digest: str) -> Path:
        """Return the file of a blob."""
        algorithm, _, number = digest.partition(":")
        return self.folder / "blobs" / algorithm / number

    def document(self, descriptor: Mapping[str, Any]) -> Any:
        """Return the JSON document of a descriptor."""
        return json.loads(self.blob(descriptor["digest"]).read_bytes())

    @property
    def index_digest(self) -> str:
        """The digest of the image index, which index.json names."""
        (descriptor,) = json.loads((self.folder / "index.json").read_bytes())["manifests"]
        assert isinstance(descriptor["digest"], str)
        return descriptor["digest"]

    @property
    def index(self) -> Any:
        """The image index."""
        return self.document({"digest": self.index_digest})

    def manifest(self, number: int = 0) -> Any:
        """Return the manifest of one platform."""
        return self.document(self.index["manifests"][number])

    def config(self, number: int = 0) -> Any:
        """Return the configuration of one platform."""
        return self.document(self.manifest(number)["config"])

    def layers(self, number: int = 0) -> list[str]:
        """Return the digests of the layers, bottom first."""
        return [layer["digest"] for layer in self.manifest(number)["layers"]]

    def listing(self, layer: str) -> dict[str, tarfile.TarInfo]:
        """Return the entries of a layer by path."""
        with tarfile.open(self.blob(layer)) as tar:
            members = tar.getmembers()
        found = {member.name: member for member in members}
        assert len(found) == len(members), "an entry twice"
        return found

    def read(self, layer: str, path: str) -> bytes:
        """Return a file of a layer."""
        with tarfile.open(self.blob(layer)) as tar:
            file = tar.extractfile(path)
            assert file is not None
            return file.read()


def home_environment() -> dict[str, str]:
    """Return the variables that stand for what tools look for below HOME, for a run with another HOME."""
    home = Path.home()
    places = {
        "PANTS_SETUP_CACHE": launcher_cache(),
        "PYENV_ROOT": home / ".pyenv",
        "PIP_CONFIG_FILE": home / ".config/pip/pip.conf",
    }
    return {name: str(place) for name, place in places.items() if place.exists() and name not in os.environ}


def launcher_cache() -> Path:
    """Return the cache of the launcher: Pants itself is not what these tests are about."""
    given = os.environ.get("XDG_CACHE_HOME")
    return Path(given) if given else Path.home() / ".cache"


def copy_plugin(folder: Path) -> Path:
    """Copy the plugin, so that an edit while the tests run does not change the keys of steps."""
    ignored = shutil.ignore_patterns("__pycache__", "*_test.py", "BUILD", ".*")
    for package in ("ociwheel", "slim_python_image"):
        shutil.copytree(ROOT / "pants-plugins" / package, folder / package, ignore=ignored)
    shutil.copy2(ROOT / "pants-plugins/pyproject.toml", folder)
    return folder


def make_repository(
    root: Path, caches: Caches, *, plugin: Path | None = None, global_options: str = ""
) -> Repository:
    """Make a repository with the launcher and the base.

    :param plugin: the folder to load the plugin from.
    :param global_options: further lines of pants.toml's ``[GLOBAL]``.
    """
    launcher = ("pants", "build-support/pants_launcher.py", "build-support/pants_server.py")
    for path in (*launcher, "3rdparty/pants/pants.lock"):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(ROOT / path, root / path)
    shutil.copytree(ROOT / "3rdparty/debian", root / "3rdparty/debian")
    repository = Repository(root, caches)
    place = f"pythonpath = [{json.dumps(str(plugin))}]\n" if plugin else ""
    repository.write("pants.toml", PANTS_TOML.format(plugin=place + global_options))
    return repository


def fresh_clone(folder: Path, **env: str) -> Repository:
    """Clone this repository, with a home and caches that are empty."""
    home = folder / "home"
    home.mkdir(parents=True)
    root = folder / "clone"
    subprocess.run(["git", "clone", "--quiet", "--no-local", ROOT, root], check=True)
    return Repository(root, Caches(folder / "caches"), {"HOME": str(home), **env})


def locked(*names: str) -> str:
    """Return the lines of some distributions of this repository's own lock."""
    lines = (ROOT / "3rdparty/python/default.lock").read_text().splitlines()
    kept = []
    for name in names:
        pattern = re.compile(rf"{re.escape(name)}(\[[\w,]+\])?==")
        (start,) = [number for number, line in enumerate(lines) if pattern.match(line)]
        end = start
        while lines[end].endswith("\\"):
            end += 1
        kept += lines[start : end + 1]
    return "\n".join(kept) + "\n"


def version(name: str) -> str:
    """Return the version of a distribution in this repository's own lock."""
    return locked(name).split("==")[1].split()[0]


@contextlib.contextmanager
def stopped(repository: Repository) -> Iterator[Repository]:
    """End the repository's daemon after use."""
    try:
        yield repository
    finally:
        repository.stop()
