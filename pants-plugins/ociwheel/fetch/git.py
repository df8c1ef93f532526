"""One commit of a git repository, written as an sdist: the same bytes on every machine.

A commit is checked by its id, which is a hash of all that it holds; a branch by what Pex locked of its files.
Whoever builds it sees files of a checkout, and in ``PKG-INFO`` the version that is locked:
tools that read versions from tags (setuptools-scm, hatch-vcs, pbr) look there in an sdist.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from ociwheel.errors import FetchError
from ociwheel.formats.entries import Entry
from ociwheel.layer import tar
from ociwheel.lock.sources import Source
from ociwheel.process import Completed, run
from ociwheel.remedies import Remedy

_SHORT = 12
_SHA1 = 40
"""Digits of a commit's id."""
# Nothing of a repository runs: no hooks, no helpers of a transport that a URL of a submodule could name.
_SAFE = (
    *("-c", "core.hooksPath=/dev/null", "-c", "protocol.ext.allow=never", "-c", "protocol.file.allow=user"),
    *("-c", "core.autocrlf=false", "-c", "core.eol=lf", "-c", "core.attributesFile=/dev/null"),
    *("-c", "advice.detachedHead=false", "-c", "init.defaultBranch=main", "-c", "gc.auto=0"),
    *("-c", "core.symlinks=true", "-c", "core.fileMode=true", "-c", "core.fsmonitor=false"),
    # A server that creeps: fewer than 512 bytes a second for five minutes.
    *("-c", "http.lowSpeedLimit=512", "-c", "http.lowSpeedTime=300"),
)
# `git rev-parse --local-env-vars` without those of configuration: a hook of git sets them, and then every
# command is one of the repository that the hook is of.
_OF_ANOTHER = frozenset(
    {
        "GIT_ALTERNATE_OBJECT_DIRECTORIES",
        "GIT_COMMON_DIR",
        "GIT_DIR",
        "GIT_GRAFT_FILE",
        "GIT_IMPLICIT_WORK_TREE",
        "GIT_INDEX_FILE",
        "GIT_NO_REPLACE_OBJECTS",
        "GIT_OBJECT_DIRECTORY",
        "GIT_PREFIX",
        "GIT_REPLACE_REF_BASE",
        "GIT_SHALLOW_FILE",
        "GIT_WORK_TREE",
    }
)


@dataclass(frozen=True)
class GitLimits:
    """What fetching a commit may take.

    :param seconds: in all, as of a download.
    :param size: bytes of the repository and its files together.
    """

    seconds: float = 6 * 3600
    size: int = 8 * 2**30


@dataclass(frozen=True)
class Checkout:
    """What to fetch, and as what."""

    name: str
    version: str
    source: Source
    env: Mapping[str, str]
    """Of the user: git's helpers and ``ssh`` find credentials by it."""
    ca_bundle: Path | None = None
    limits: GitLimits = GitLimits()

    @property
    def where(self) -> str:
        """The distribution, for messages."""
        return f"{self.name} {self.version}"


@dataclass
class _Git:
    """The git of this machine, in a folder of its own."""

    checkout: Checkout
    folder: Path
    said: list[str] = field(default_factory=list)
    unfiltered: tuple[str, ...] = ()
    """Settings against what this machine's git makes of files: Git LFS, or a filter of the user's own."""
    began: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        found = self("config", "--name-only", "--get-regexp", r"^filter\..*\.(smudge|process|required)$")
        self.said.clear()
        for name in found.stdout.split("\n"):
            if name:
                self.unfiltered += ("-c", f"{name}={'false' if name.endswith('.required') else ''}")

    def _watch(self) -> None:
        limits = self.checkout.limits
        if time.monotonic() - self.began > limits.seconds:
            raise self.error(f"git has not ended after {limits.seconds:.0f} seconds")
        if _size(self.folder) > limits.size:
            raise self.error(f"it has more than {limits.size // 2**20} MiB")

    def __call__(self, *arguments: str) -> Completed:
        env = {key: value for key, value in self.checkout.env.items() if key not in _OF_ANOTHER}
        env |= {"GIT_TERMINAL_PROMPT": "0", "GIT_ATTR_NOSYSTEM": "1", "LC_ALL": "C"}
        env["GIT_DEFAULT_HASH"] = "sha256" if len(self.checkout.source.commit or "") > _SHA1 else "sha1"
        if self.checkout.ca_bundle:
            env.setdefault("GIT_SSL_CAINFO", str(self.checkout.ca_bundle))
        done = run(
            ("git", *_SAFE, *self.unfiltered, *arguments),
            env=env,
            cwd=self.folder,
            install_hint=Remedy("install-git").render(),
            watch=self._watch,
        )
        if done.returncode:
            self.said += done.stderr.strip().splitlines()[-6:]
        return done

    def must(self, *arguments: str) -> str:
        """Return what a command of git said; without it there is no checkout."""
        done = self(*arguments)
        if done.returncode:
            raise self.error("git cannot give it")
        return done.stdout.strip()

    def error(self, what: str) -> FetchError:
        source = self.checkout.source
        named = source.commit or source.revision or "its newest commit"
        return FetchError(
            f"{what}: {source.url} at {named}",
            where=self.checkout.where,
            details=self.said,
            hint=Remedy("commit-gone", {"url": source.url}),
        )


def _size(folder: Path) -> int:
    """Return the bytes of a folder that somebody writes to."""
    found = 0
    for root, _, names in os.walk(folder):
        for name in names:
            with contextlib.suppress(OSError):
                found += os.lstat(os.path.join(root, name)).st_size
    return found


def _fetched(git: _Git) -> str:
    """Fetch the commit and return its id."""
    source = git.checkout.source
    wanted = source.commit or source.revision or "HEAD"
    git.must("init", "-q", ".")
    if git("fetch", "-q", "--depth=1", "--no-tags", "--", source.url, wanted).returncode == 0:
        return git.must("rev-parse", "--verify", "FETCH_HEAD^{commit}")
    # Some servers give no commit by its id, and none gives one by the start of it: then all there is.
    refs = (
        *("+HEAD:refs/remotes/origin/HEAD", "+refs/heads/*:refs/remotes/origin/*"),
        "+refs/tags/*:refs/tags/*",
    )
    git.must("fetch", "-q", "--no-tags", "--", source.url, *refs)
    git.said.clear()
    for name in (wanted, f"refs/remotes/origin/{wanted}"):
        found = git("rev-parse", "-q", "--verify", f"{name}^{{commit}}")
        if found.returncode == 0:
            return found.stdout.strip()
    raise git.error("the repository has no such commit")


def _check_out(git: _Git) -> None:
    commit = _fetched(git)
    if git.checkout.source.commit not in (None, commit):
        raise git.error(f"the repository gave another commit, {commit[:_SHORT]}")
    git.must("checkout", "-q", "--detach", commit)
    if (git.folder / ".gitmodules").is_file():
        git.must("submodule", "update", "-q", "--init", "--recursive")


def _files(top: Path) -> Iterator[Path]:
    """Yield files and links below a folder, without what is git's own."""
    for root, folders, names in os.walk(top):
        here = Path(root)
        linked = [name for name in folders if (here / name).is_symlink()]
        folders[:] = sorted(set(folders) - set(linked) - {".git"})
        yield from (here / name for name in [*names, *linked] if name != ".git")


def pex_fingerprint(top: Path, name: str) -> str:
    """Return the SHA-256 that Pex locks of a checkout: of the names of its files, then of their contents.

    Bytecode and setuptools' own folder of metadata are left out, as Pex does; links to folders are not
    followed.
    """
    digest = hashlib.sha256()
    metadata = re.compile(rf"{re.sub('[-_.]+', '[-_.]+', name)}\.egg-info", re.IGNORECASE)
    found: dict[str, Path] = {}
    for path in _files(top):
        parts = path.relative_to(top).parts
        own = len(parts) > 1 and metadata.fullmatch(parts[0])
        if not (own or "__pycache__" in parts or path.suffix in (".pyc", ".pyo") or not path.is_file()):
            found["/".join(parts)] = path
    ordered = sorted(found)
    digest.update("".join(ordered).encode())
    for relative in ordered:
        digest.update(found[relative].read_bytes())
    return digest.hexdigest()


def _folder(git: _Git) -> Path:
    """Return the project's folder, which a link could have outside the checkout."""
    named = git.checkout.source.subdirectory
    top = (git.folder / named).resolve()
    if not top.is_dir() or not top.is_relative_to(git.folder.resolve()):
        raise git.error(f"it has no folder {named!r}")
    for path in _files(top):
        try:
            str(path).encode()
        except UnicodeEncodeError as e:
            name = ascii(path.relative_to(top).as_posix())
            raise git.error(f"it has a file whose name is not UTF-8, {name}") from e
    return top


def _entries(top: Path, folder: str) -> Iterator[Entry]:
    for path in sorted(_files(top)):
        name = f"{folder}/{path.relative_to(top).as_posix()}"
        if path.is_symlink():
            yield Entry(name, "symlink", 0o777, target=os.readlink(path))
        elif path.is_file():
            executable = path.stat().st_mode & 0o100
            yield Entry(name, "file", 0o755 if executable else 0o644, source=path)


def _write(entries: Iterator[Entry], output: Path) -> None:
    with output.open("wb") as file:
        for entry in entries:
            with entry.open() as content:
                data = content.read()
            file.write(tar.header(entry, len(data)))
            file.write(data + tar.padding(len(data)))
        file.write(tar.END)


def _check_fingerprint(checkout: Checkout, top: Path) -> None:
    """Check the files of a branch. Those of a commit are what its id says, which git has checked."""
    source = checkout.source
    if source.fingerprint is None or source.commit:
        return
    found = pex_fingerprint(top, checkout.name)
    if found == source.fingerprint:
        return
    unchecked = "older versions of Pex hash files that building wrote too: such a hash cannot be checked"
    raise FetchError(
        f"the lock names no commit, and {source.url} has not at "
        f"{source.revision or 'its newest commit'} what was locked",
        where=checkout.where,
        details=[
            f"expected SHA-256 {source.fingerprint}",
            f"its files have {found}",
            f"({unchecked})",
        ],
        hint=Remedy("pin-commit", {"name": checkout.name}),
    )


def fetch_git(checkout: Checkout, output: Path) -> None:
    """Write the commit as an sdist to ``output``.

    :raises FetchError: git cannot give it, or gives other files than were locked.
    :raises ToolError: the machine has no git.
    """
    with tempfile.TemporaryDirectory(prefix="ociwheel-git-") as folder:
        git = _Git(checkout, Path(folder))
        _check_out(git)
        top = _folder(git)
        _check_fingerprint(checkout, top)
        information = top / "PKG-INFO"
        if not information.exists() and not information.is_symlink():  # a link may lead anywhere
            information.write_text(
                f"Metadata-Version: 2.1\nName: {checkout.name}\nVersion: {checkout.version}\n"
            )
        output.parent.mkdir(parents=True, exist_ok=True)
        _write(_entries(top, output.name.removesuffix(".tar")), output)
