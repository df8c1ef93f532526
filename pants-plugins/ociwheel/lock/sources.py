"""Where a locked version comes from, when that is no package index.

The forms of URLs are those of pip's "VCS Support" and of PEP 610; a commit is the id of git's own object.
"""

from __future__ import annotations

import hashlib
import re
import urllib.parse
from dataclasses import dataclass
from typing import Any, Literal

from ociwheel.errors import LockError
from ociwheel.reading import Value

COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?")
"""The id of a commit, of SHA-1 or SHA-256."""
OTHER_SYSTEMS = ("hg+", "svn+", "bzr+")
LONGEST_URL = 2000
PUBLISH = "publish it to an index, or make it a first-party target of this repository"
_SUBDIRECTORY = re.compile(r"[^\0\\]{0,400}")
_REVISION = re.compile(r"[A-Za-z0-9_][\w./+-]{0,200}")


class UnusableError(LockError):
    """An entry that cannot be used, of a lock that can."""


@dataclass(frozen=True)
class Source:
    """A place of its own: a commit of a git repository, a file at a URL, or a folder of this repository."""

    kind: Literal["git", "url", "path"]
    url: str
    """Without credentials; of a path, the path as the lock has it."""
    commit: str | None = None
    revision: str | None = None
    """A branch or tag, where the lock names no commit."""
    subdirectory: str = ""
    fingerprint: str | None = None
    """The SHA-256 that Pex locks of a checkout: of its names and contents."""

    def to_json(self) -> dict[str, Any]:
        """Return the source as part of a document: what is not known is left out."""
        return {key: value for key, value in vars(self).items() if value}

    @property
    def identity(self) -> str:
        """A SHA-256 that names what is built: the lock's own, or one of the commit and the folder in it."""
        if self.fingerprint:
            return self.fingerprint
        return hashlib.sha256(f"git {self.commit} {self.subdirectory}".encode()).hexdigest()


def archive_of(name: str, version: str) -> str:
    """Return the name of the file that is made of a commit, as sdists are named (PEP 625)."""
    return f"{name.replace('-', '_')}-{version}.tar"


def read_source(value: Value) -> Source:
    """Return the source that :meth:`Source.to_json` wrote; what is wrong is an error of the document's."""
    kind = value.at("kind").matching(re.compile("git|url|path"), "git, url or path")
    return Source(
        kind=kind,  # type: ignore[arg-type] # one of the three
        url=value.at("url").text(most=LONGEST_URL, empty=False),
        commit=value.optional("commit", lambda v: v.matching(COMMIT, "the id of a commit")),
        revision=value.optional("revision", lambda v: v.matching(_REVISION, "a branch or tag")),
        subdirectory=value.optional("subdirectory", lambda v: v.matching(_SUBDIRECTORY, "a folder")) or "",
        fingerprint=value.optional("fingerprint", Value.sha256),
    )


def without_credentials(url: str) -> str:
    """Return a URL without user and password: git's helpers and ``~/.netrc`` know those of each machine.

    The user of ``ssh`` is no secret and stays.
    """
    scheme, mark, rest = url.partition("://")
    if not mark:
        return url
    authority, slash, path = rest.partition("/")
    user, at, host = authority.rpartition("@")
    kept = f"{user.partition(':')[0]}@" if at and scheme.endswith("ssh") else ""
    return f"{scheme}://{kept}{host}{slash}{path}"


def _folder(text: str, where: str) -> str:
    folder = urllib.parse.unquote(text).strip("/")
    if ".." in folder.split("/") or not _SUBDIRECTORY.fullmatch(folder):
        raise UnusableError(f"has a folder that leaves its repository: {folder}", where=where)
    return folder


def git_source(url: str, where: str, *, fingerprint: str | None = None, commit: str | None = None) -> Source:
    """Return the source that pip's ``git+URL@REVISION#subdirectory=FOLDER`` names.

    :param where: its place, for messages.
    :raises UnusableError: it is no URL that git could be given.
    """
    try:
        parts = urllib.parse.urlsplit(url.removeprefix("git+"))
    except ValueError:
        parts = urllib.parse.SplitResult("", "", "", "", "")
    folder = urllib.parse.parse_qs(parts.fragment).get("subdirectory", [""])[0]
    path, at, revision = parts.path.rpartition("@")
    if not at:
        path, revision = parts.path, ""
    if COMMIT.fullmatch(revision.lower()):
        commit, revision = commit or revision.lower(), ""
    place = parts._replace(path=path, fragment="", query="").geturl()
    if parts.scheme == "file":  # `file:/folder` is how Pex writes it
        place = f"file://{path}"
    known = parts.scheme in ("https", "http", "ssh", "file", "git") and len(url) <= LONGEST_URL
    if not known or (revision and not _REVISION.fullmatch(revision)):
        raise UnusableError(
            f"is no URL of a git repository that can be used: {url}", where=where, hint=PUBLISH
        )
    if commit and not COMMIT.fullmatch(commit):
        raise UnusableError(f"has no id of a commit: {commit}", where=where, hint=PUBLISH)
    return Source(
        kind="git",
        url=without_credentials(place),
        commit=commit,
        revision=None if commit else revision or None,
        subdirectory=_folder(folder, where),
        fingerprint=fingerprint,
    )


def same_place(requirement_url: str, source: Source) -> bool:
    """Whether a requirement's URL names the place that the lock has: revisions and users aside."""
    if source.kind == "path":
        return requirement_url.startswith("file:")
    try:
        theirs, ours = (urllib.parse.urlsplit(text) for text in (requirement_url, source.url))
    except ValueError:
        return False

    def key(parts: urllib.parse.SplitResult) -> tuple[str, str]:
        path = parts.path.rpartition("@")[0] if "@" in parts.path else parts.path
        return (parts.hostname or "").lower(), path.strip("/").removesuffix(".git")

    return key(theirs) == key(ours)
