"""Commits of git repositories as sdists: real repositories, by path and over HTTP."""

from __future__ import annotations

import dataclasses
import functools
import http.server
import json
import os
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ociwheel.cli.main import main
from ociwheel.errors import FetchError, OciwheelError, ToolError, UsageError
from ociwheel.fetch.git import Checkout, GitLimits, fetch_git, pex_fingerprint
from ociwheel.lock.sources import Source

ENV = {
    **{key: value for key, value in os.environ.items() if not key.startswith("GIT_")},
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_AUTHOR_DATE": "2026-01-01T00:00:00Z",
    "GIT_COMMITTER_DATE": "2026-01-01T00:00:00Z",
    "GIT_AUTHOR_NAME": "a",
    "GIT_AUTHOR_EMAIL": "a@b",
    "GIT_COMMITTER_NAME": "a",
    "GIT_COMMITTER_EMAIL": "a@b",
}


def git(folder: Path, *arguments: str) -> str:
    """Run git in a folder and return what it said."""
    done = subprocess.run(
        ["/usr/bin/env", "git", *arguments],
        cwd=folder,
        env=ENV,
        check=True,
        capture_output=True,
        encoding="utf-8",
    )
    return done.stdout.strip()


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a repository of two commits: ``py/`` holds a project, a file moves between them."""
    folder = tmp_path_factory.mktemp("repository") / "tool.git"
    (folder / "py" / "tool").mkdir(parents=True)
    git(folder, "init", "-q", "-b", "main", ".")
    (folder / "py" / "pyproject.toml").write_text('[project]\nname = "tool"\nversion = "1.0"\n')
    (folder / "py" / "tool" / "__init__.py").write_text("VERSION = 1\n")
    script = folder / "py" / "run.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    (folder / "py" / "link").symlink_to("run.sh")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    git(folder, "tag", "v1")
    (folder / "py" / "tool" / "__init__.py").write_text("VERSION = 2\n")
    git(folder, "commit", "-q", "-am", "two")
    return folder


@pytest.fixture
def first(repository: Path) -> str:
    """Return the id of the first commit."""
    return git(repository, "rev-parse", "v1")


def source_of(repository: Path, **fields: str | None) -> Source:
    """Return the source of the project in the repository."""
    return dataclasses.replace(
        Source("git", repository.as_uri(), subdirectory="py"),
        **fields,  # type: ignore[arg-type] # fields of a source are texts
    )


def fetched(source: Source, output: Path) -> Path:
    """Return the sdist of a source."""
    path = output / "tool-1.0.tar"
    fetch_git(Checkout("tool", "1.0", source, ENV), path)
    return path


def failure(source: Source, output: Path) -> FetchError:
    """Return the error of a source that cannot be fetched."""
    with pytest.raises(FetchError) as caught:
        fetched(source, output)
    return caught.value


def test_a_commit_is_an_sdist_of_its_folder(repository: Path, first: str, tmp_path: Path) -> None:
    path = fetched(source_of(repository, commit=first), tmp_path)
    with tarfile.open(path) as archive:
        found = {member.name: member for member in archive.getmembers()}
        read = archive.extractfile("tool-1.0/tool/__init__.py")
        assert read is not None
        assert read.read() == b"VERSION = 1\n"
        information = archive.extractfile("tool-1.0/PKG-INFO")
        assert information is not None
        assert information.read() == b"Metadata-Version: 2.1\nName: tool\nVersion: 1.0\n"
    assert set(found) == {
        f"tool-1.0/{name}" for name in ("PKG-INFO", "link", "pyproject.toml", "run.sh", "tool/__init__.py")
    }
    assert found["tool-1.0/run.sh"].mode == 0o755
    assert found["tool-1.0/link"].linkname == "run.sh"
    assert {member.mtime for member in found.values()} == {315_619_200}


def test_the_bytes_are_those_of_the_commit_alone(
    repository: Path, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = fetched(source_of(repository, commit=first), tmp_path / "one").read_bytes()
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    before = os.umask(0o077)
    try:
        clone = tmp_path / "clone"
        git(tmp_path, "clone", "-q", "--bare", str(repository), str(clone))
        two = fetched(source_of(clone, commit=first), tmp_path / "two").read_bytes()
    finally:
        os.umask(before)
    assert one == two


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 (its name there)
        """Say nothing."""


@pytest.fixture
def dumb_server(repository: Path, tmp_path: Path) -> Iterator[str]:
    """Return the URL of a plain HTTP server with the repository: one that gives no commit by its id."""
    bare = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(repository), str(bare))
    git(bare, "update-server-info")
    server = http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), functools.partial(_Quiet, directory=str(tmp_path))
    )
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}/bare.git"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_gives_no_commit_by_its_id(
    dumb_server: str, repository: Path, first: str, tmp_path: Path
) -> None:
    direct = fetched(source_of(repository, commit=first), tmp_path / "a").read_bytes()
    source = Source("git", dumb_server, first, subdirectory="py")
    assert fetched(source, tmp_path / "b").read_bytes() == direct


# What Pex 2.105.2 locked for the two commits: `pex3 lock create "tool @ git+file://…@COMMIT#subdirectory=py"`.
PEX_ONE = "20ad95d2df0d436c8fe4dbe80b6159d5e8eca9f414df246dedc11e4032ce8775"
PEX_TWO = "d471133e93106f3fd8e4028d1c1860205745f9aa8fc6ef3eb81471759dddfb27"


def test_what_pex_locked_is_checked(repository: Path, first: str, tmp_path: Path) -> None:
    # Of a commit its id is enough: what older versions of Pex locked cannot be made again.
    assert fetched(source_of(repository, commit=first, fingerprint="0" * 64), tmp_path).is_file()
    assert fetched(source_of(repository, revision="main", fingerprint=PEX_TWO), tmp_path).is_file()
    assert fetched(source_of(repository, fingerprint=PEX_TWO), tmp_path).is_file()
    assert fetched(source_of(repository, revision="v1", fingerprint=PEX_ONE), tmp_path).is_file()


def test_a_branch_that_moved_on(repository: Path, tmp_path: Path) -> None:
    assert failure(source_of(repository, revision="main", fingerprint=PEX_ONE), tmp_path).render() == (
        f"tool 1.0: the lock names no commit, and {repository.as_uri()} has not at main what was locked\n"
        f"  expected SHA-256 {PEX_ONE}\n"
        f"  its files have {PEX_TWO}\n"
        "  (older versions of Pex hash files that building wrote too: such a hash cannot be checked)\n"
        "  -> name a commit in its requirement (`tool @ git+URL@COMMIT`), then lock again"
    )


def test_messages_of_what_is_not_there(repository: Path, first: str, tmp_path: Path) -> None:
    url = repository.as_uri()
    gone = failure(source_of(repository, commit="0" * 40), tmp_path).render()
    assert gone.startswith(f"tool 1.0: the repository has no such commit: {url} at {'0' * 40}\n")
    assert gone.endswith(f"(`git ls-remote {url}` tells): lock again with a commit that is there")
    folder = failure(source_of(repository, commit=first, subdirectory="other"), tmp_path)
    assert folder.what == f"it has no folder 'other': {url} at {first}"
    nowhere = failure(Source("git", f"{url}x", first), tmp_path)
    assert nowhere.what == f"git cannot give it: {url}x at {first}"
    assert any("does not" in line for line in nowhere.details)


def test_a_machine_without_git(repository: Path, first: str, tmp_path: Path) -> None:
    checkout = Checkout("tool", "1.0", source_of(repository, commit=first), {"PATH": str(tmp_path)})
    with pytest.raises(ToolError) as caught:
        fetch_git(checkout, tmp_path / "tool-1.0.tar")
    assert caught.value.render() == (
        "the program 'git' is not there\n"
        "  -> install git (apt-get install git), or lock a version of it from an index"
    )


def test_submodules_are_part_of_a_checkout(
    repository: Path, dumb_server: str, first: str, tmp_path: Path
) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q", ".")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "add", "-q", dumb_server, "inner")
    git(outer, "commit", "-q", "-m", "with a submodule")
    path = fetched(Source("git", outer.as_uri(), git(outer, "rev-parse", "HEAD")), tmp_path / "o")
    with tarfile.open(path) as archive:
        names = archive.getnames()
    assert "tool-1.0/inner/py/pyproject.toml" in names
    assert not any(".git" in name.split("/") for name in names)


def test_the_step(
    repository: Path, first: str, tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    request = {
        "name": "tool",
        "version": "1.0",
        "filename": "tool-1.0.tar",
        "source": source_of(repository, commit=first).to_json(),
    }
    (tmp_path / "request.json").write_text(json.dumps(request))
    argv = ["fetch-git", "--request", str(tmp_path / "request.json"), "--output", str(tmp_path / "out")]
    assert main(argv) == 0
    said = json.loads(capsysbinary.readouterr().out)
    assert said["schema"] == "ociwheel.fetch/1"
    assert said["size"] == (tmp_path / "out" / "tool-1.0.tar").stat().st_size
    request["source"] = Source("url", repository.as_uri()).to_json()
    (tmp_path / "request.json").write_text(json.dumps(request))
    assert main(argv) == UsageError.exit_code


def committed(folder: Path) -> Source:
    """Return the source of all that lies in a new repository."""
    git(folder, "init", "-q", ".")
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "one")
    return Source("git", folder.as_uri(), git(folder, "rev-parse", "HEAD"))


@pytest.fixture
def hostile(tmp_path: Path) -> Path:
    """Return a folder for a repository that means no good."""
    folder = tmp_path / "hostile"
    folder.mkdir()
    return folder


def test_no_link_leads_out_of_a_checkout(hostile: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("s3cret")
    (hostile / "py").symlink_to(outside)
    (hostile / "PKG-INFO").symlink_to(tmp_path / "made")
    source = committed(hostile)
    for folder in ("py", "../outside"):
        there = dataclasses.replace(source, subdirectory=folder)
        assert failure(there, tmp_path).what.startswith(f"it has no folder {folder!r}: ")
    with tarfile.open(fetched(source, tmp_path / "o")) as archive:
        assert archive.getmember("tool-1.0/PKG-INFO").issym()
    assert not (tmp_path / "made").exists()


def test_a_link_to_nothing_has_no_part_in_what_pex_locks(hostile: Path) -> None:
    (hostile / "a").write_text("a")
    without = pex_fingerprint(hostile, "tool")
    (hostile / "nowhere").symlink_to("gone")
    assert pex_fingerprint(hostile, "tool") == without


def test_a_name_that_is_not_utf8(hostile: Path, tmp_path: Path) -> None:
    Path(os.fsdecode(bytes(hostile) + b"/\xff")).write_text("")
    assert failure(committed(hostile), tmp_path).what.startswith(
        "it has a file whose name is not UTF-8, '\\udcff': "
    )


def test_a_hook_of_another_repository_is_left_alone(
    repository: Path, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", str(repository), str(other))
    before = git(other, "symbolic-ref", "HEAD")
    for name, value in (("GIT_DIR", other / ".git"), ("GIT_INDEX_FILE", other / ".git/index")):
        monkeypatch.setitem(ENV, name, str(value))
    path = fetched(source_of(repository, commit=first), tmp_path / "o")
    monkeypatch.undo()
    assert tarfile.is_tarfile(path)
    assert git(other, "symbolic-ref", "HEAD") == before
    assert git(other, "status", "--porcelain") == ""


def test_a_mirror_that_git_is_told_of(
    repository: Path, first: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = tmp_path / "gitconfig"
    settings.write_text(f'[url "{repository.parent.as_uri()}/"]\n insteadOf = https://git.invalid/team/\n')
    monkeypatch.setitem(ENV, "GIT_CONFIG_GLOBAL", str(settings))
    here = source_of(repository, commit=first)
    there = dataclasses.replace(here, url=f"https://git.invalid/team/{repository.name}")
    mirrored = fetched(there, tmp_path / "mirrored").read_bytes()
    assert mirrored == fetched(here, tmp_path / "direct").read_bytes()


def test_settings_of_the_machine_change_no_bytes(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hostile / ".gitattributes").write_text("*.py text\n")
    (hostile / "a.py").write_text("a = 1\nb = '$Id$'\n")
    source = committed(hostile)
    (tmp_path / "attributes").write_text("*.py ident\n")
    settings = tmp_path / "gitconfig"
    settings.write_text(f"[core]\n eol = crlf\n attributesFile = {tmp_path / 'attributes'}\n")
    monkeypatch.setitem(ENV, "GIT_CONFIG_GLOBAL", str(settings))
    monkeypatch.setitem(ENV, "GIT_DEFAULT_HASH", "sha256")
    with tarfile.open(fetched(source, tmp_path / "o")) as archive:
        read = archive.extractfile("tool-1.0/a.py")
        assert read is not None
        assert read.read() == b"a = 1\nb = '$Id$'\n"


def test_filters_of_the_machine_change_no_bytes(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hostile / ".gitattributes").write_text("*.bin filter=lfs\n*.py filter=My.Own\n")
    (hostile / "a.bin").write_text("pointer\n")
    (hostile / "a.py").write_text("a = 1\n")
    source = committed(hostile)
    settings = tmp_path / "gitconfig"
    settings.write_text(
        '[filter "lfs"]\n smudge = echo filtered\n process = false\n required = true\n'
        '[filter "My.Own"]\n smudge = echo filtered\n required\n'
    )
    monkeypatch.setitem(ENV, "GIT_CONFIG_GLOBAL", str(settings))
    with tarfile.open(fetched(source, tmp_path / "o")) as archive:
        for name, content in (("a.bin", b"pointer\n"), ("a.py", b"a = 1\n")):
            read = archive.extractfile(f"tool-1.0/{name}")
            assert read is not None
            assert read.read() == content


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (GitLimits(seconds=0), "git has not ended after 0 seconds: "),
        (GitLimits(size=2**20), "it has more than 1 MiB: "),
    ],
)
def test_a_fetch_ends_at_its_limits(hostile: Path, tmp_path: Path, limits: GitLimits, message: str) -> None:
    (hostile / "a").write_bytes(os.urandom(2 * 2**20))
    source = committed(hostile)
    # Sleeps where git asks the other side, which is a program here: one that creeps.
    slow = tmp_path / "slow"
    slow.write_text('#!/bin/sh\ngit upload-pack "$@" && sleep 60\n')
    slow.chmod(0o755)
    env = {**ENV, "GIT_CONFIG_COUNT": "2", "GIT_CONFIG_KEY_0": "remote.slow.uploadpack"}
    env |= {"GIT_CONFIG_VALUE_0": str(slow), "GIT_CONFIG_KEY_1": "remote.slow.url"}
    env |= {"GIT_CONFIG_VALUE_1": source.url}
    there = dataclasses.replace(source, url="slow")
    with pytest.raises(FetchError) as caught:
        fetch_git(Checkout("tool", "1.0", there, env, limits=limits), tmp_path / "tool-1.0.tar")
    assert caught.value.what.startswith(message)


def test_a_repository_with_ids_of_sha256(
    hostile: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (hostile / "a").write_text("a")
    monkeypatch.setitem(ENV, "GIT_DEFAULT_HASH", "sha256")
    source = committed(hostile)
    monkeypatch.undo()
    assert len(source.commit or "") == 64
    assert fetched(source, tmp_path / "o").is_file()


def test_the_newest_commit_of_a_plain_server(dumb_server: str, repository: Path, tmp_path: Path) -> None:
    source = Source("git", dumb_server, subdirectory="py", fingerprint=PEX_TWO)
    assert fetched(source, tmp_path / "o").is_file()


def test_a_submodule_names_no_folder_of_this_machine(repository: Path, hostile: Path, tmp_path: Path) -> None:
    git(
        hostile.parent,
        *("-c", "protocol.file.allow=always", "clone", "-q", str(repository), str(hostile / "inner")),
    )
    git(hostile, "init", "-q", ".")
    (hostile / ".gitmodules").write_text(
        f'[submodule "inner"]\n path = inner\n url = {repository.as_uri()}\n'
    )
    error = failure(committed(hostile), tmp_path)
    assert any("transport 'file' not allowed" in line for line in error.details)


@pytest.mark.parametrize("url", ["--upload-pack=touch x", "ext::sh -c true", ""])
def test_no_url_is_an_option_or_a_program(url: str, tmp_path: Path) -> None:
    with pytest.raises(OciwheelError):
        fetched(Source("git", url, "0" * 40), tmp_path / "out")
    assert not (tmp_path / "x").exists()
