"""A copy of this repository for each contender, and edits that are undone."""

from __future__ import annotations

import contextlib
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

# What the example needs to be built; the rest of the repository is of no concern to any contender.
PARTS = ("3rdparty", "build-support", "pants", "pants-plugins", "pants.toml", "src")
LOCK = "3rdparty/python/default.lock"
BUILD_LOCK = "3rdparty/python/python-default.build.lock"


@dataclass(frozen=True)
class Service:
    """A service of the example.

    :param name: of its folder and its image.
    :param parts: the folders of the packages in its image, its own last.
    """

    name: str
    parts: tuple[str, ...]

    @property
    def module(self) -> str:
        """What its image runs."""
        return f"brewblox_{self.name}"


SERVICE = Service("service", ("service",))
SPARK = Service("devcon_spark", ("service", "devcon_spark"))
HISTORY = Service("history", ("service", "history"))
SERVICES = (SERVICE, SPARK, HISTORY)
# Another product of the same code and the same distributions.
FOURTH = Service("fourth", ("service", "devcon_spark", "fourth"))
FOURTH_SOURCE = '''"""A variant of the Spark service."""

from brewblox_devcon_spark.__main__ import main

if __name__ == "__main__":
    main()
'''


@dataclass(frozen=True)
class Edit:
    """Texts of files after the edit, by path."""

    files: Mapping[str, str]


@dataclass(frozen=True)
class LockLine:
    """A locked distribution, and the version that an edit locks instead.

    :param hashes: SHA-256 of the files of that version.
    :param built_as: the entry of the build lock for its sdist, when it is compiled.
    """

    name: str
    version: str
    hashes: tuple[str, ...]
    built_as: str | None = None


# Both are reached by all three services.
PURE_LINE = LockLine(
    "idna",
    "3.19",
    (
        "815e7be7a7806d54abb586dc943addc79e8b2ee16915059658cbeff4b1b43bf4",
        "5e0811a4383b21dc5838069f801c4fb62113b7447663d2530d2bd6e77b49bf15",
    ),
)
COMPILED_LINE = LockLine(
    "httptools",
    "0.8.0",
    ("6b2a32f18d97e16e90827d7a819ffa8dbd8cc245fc4e1fa9d1095b54ef4bd999",),
    built_as='{"sdist": "httptools==0.8.0", "sha256": '
    '"6b2a32f18d97e16e90827d7a819ffa8dbd8cc245fc4e1fa9d1095b54ef4bd999", "python": "3.11", "pins": @PINS@}',
)


class WorkingCopy:
    """A copy of the example.

    :param folder: of the copy.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def create(self, root: Path) -> None:
        """Copy what is tracked by git, as it is on the disk now."""
        shutil.rmtree(self.folder, ignore_errors=True)
        command = ["git", "-C", str(root), "ls-files", "-z", "--", *PARTS]
        listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        for name in filter(None, listed.split("\0")):
            if not name.endswith("_test.py"):
                target = self.folder / name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(root / name, target)

    def read(self, path: str) -> str:
        """Return the text of a file."""
        return (self.folder / path).read_text()

    def write(self, path: str, text: str) -> None:
        """Write a file, unless it has that text already."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        if not file.exists() or file.read_text() != text:
            file.write_text(text)

    def replace(self, path: str, old: str, new: str) -> None:
        """Replace a piece of text, which must occur once."""
        text = self.read(path)
        if text.count(old) != 1:
            raise ValueError(f"{path} has {old!r} {text.count(old)} times, not once")
        self.write(path, text.replace(old, new))

    @contextlib.contextmanager
    def edited(self, edit: Edit) -> Iterator[None]:
        """Edit for the length of a block."""
        before = {path: (self.folder / path) for path in edit.files}
        kept = {path: file.read_bytes() if file.exists() else None for path, file in before.items()}
        try:
            for path, text in edit.files.items():
                self.write(path, text)
            yield
        finally:
            for path, content in kept.items():
                if content is None:
                    (self.folder / path).unlink(missing_ok=True)
                else:
                    (self.folder / path).write_bytes(content)

    def source_edit(self, service: Service, mark: str) -> Edit:
        """Return an edit of one source file.

        :param mark: text that no edit had before.
        """
        return Edit({_source(service): f"{self.source_text(service)}\nEDITED = {mark!r}\n"})

    def source_text(self, service: Service) -> str:
        """Return the text of the source file that :meth:`source_edit` edits."""
        return self.read(_source(service))

    def lock_edit(self, line: LockLine) -> Edit:
        """Return an edit of one line of the lock, and of the lock of build requirements that goes with it."""
        entry = " \\\n    ".join(
            (f"{line.name}=={line.version}", *(f"--hash=sha256:{one}" for one in line.hashes))
        )
        pattern = re.compile(rf"^{re.escape(line.name)}==(?:.*\\\n)*.*\n", re.MULTILINE)
        text, count = pattern.subn(lambda _: f"{entry}\n", self.read(LOCK))
        if count != 1:
            raise ValueError(f"{LOCK} has {count} entries of {line.name}, not one")
        files = {LOCK: text}
        if line.built_as:
            files[BUILD_LOCK] = _relocked(self.read(BUILD_LOCK), line)
        return Edit(files)


def _source(service: Service) -> str:
    return f"src/brewblox/{service.name}/{service.module}/settings.py"


def _relocked(build_lock: str, line: LockLine) -> str:
    """Return the lock of build requirements for the edited line: its old entry's requirements stay."""
    pattern = re.compile(rf'^  \{{"sdist": "{re.escape(line.name)}==.*"pins": (\[.*\])\}}', re.MULTILINE)
    text, count = pattern.subn(lambda m: "  " + str(line.built_as).replace("@PINS@", m[1]), build_lock)
    if count != 1:
        raise ValueError(f"{BUILD_LOCK} has {count} entries of {line.name}, not one")
    return text
