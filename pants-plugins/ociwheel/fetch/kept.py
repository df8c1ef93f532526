"""What this machine was told before: answers and files that save asking again, and change no answer.

A folder that outlives a step holds them; docs/decisions/031 says why. Whatever is wrong with it, a file that
is missing, cut or changed, a disk that is full or cannot be written, counts as nothing kept: then the indexes
are asked. Each file is written whole or not at all, so that two steps may use the folder at once.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import stat
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ociwheel.bounded_folder import trim
from ociwheel.documents import canonical, write_whole
from ociwheel.reading import parse_json

SMALL = 2 << 20
"""Bytes of a file that may be left with an answer. A larger one has a step of its own: what is looked up
beside others would be written again whenever one of those changes."""
VARIABLE = "OCIWHEEL_KEPT"
"""A folder, and after its last slash the name of the code that answers: other code answers anew."""
MOST_BYTES = 512 << 20
"""Bytes that the folder may have; what was not used for longest goes first."""
_MOST_ANSWER = 8 << 20
_FRESH_SECONDS = 3600.0
_BLOCK = 1 << 18


class Kept:
    """Answers by question, and files by SHA-256.

    :param folder: where they are; None: nothing is kept.
    :param code: names the code that answers.
    :param most: bytes that the folder may have.
    """

    def __init__(self, folder: Path | None, code: str = "", most: int = MOST_BYTES) -> None:
        self._folder = folder
        self._code = code
        self._most = most
        self._wrote = False

    @classmethod
    def of(cls, environment: Mapping[str, str]) -> Kept:
        """Return what the variable :data:`VARIABLE` names; without it nothing is kept."""
        folder, _, code = environment.get(VARIABLE, "").rpartition("/")
        return cls(Path(folder) if folder else None, code)

    def answer(self, question: Any) -> Any | None:
        """Return the answer to a question (JSON), None where it has to be asked."""
        path = self._answer_path(question)
        try:
            if path is None or path.stat().st_size > _MOST_ANSWER:
                return None
            mark, _, data = path.read_bytes().partition(b"\n")
            if mark.decode("ascii") != hashlib.sha256(data).hexdigest():
                return None
            _use(path)
            return parse_json(data)
        except (OSError, ValueError):
            return None

    def keep_answer(self, question: Any, answer: Any) -> None:
        """Keep the answer to a question; it is JSON, and holds wherever the question is the same."""
        path = self._answer_path(question)
        if path is not None:
            data = canonical(answer)
            self._write(path, hashlib.sha256(data).hexdigest().encode() + b"\n" + data)

    def take_file(self, sha256: str, path: Path) -> int | None:
        """Write the file with a hash to ``path``, whole or not at all.

        :returns: its bytes, None where it is not here.
        """
        kept = self._file_path(sha256)
        partial = path.with_name(f".kept-{os.getpid()}-{sha256[:16]}")
        try:
            if kept is None or not stat.S_ISREG(kept.lstat().st_mode):
                return None
            path.parent.mkdir(parents=True, exist_ok=True)
            digest, size = hashlib.sha256(), 0
            with kept.open("rb") as source, partial.open("wb") as sink:
                while block := source.read(_BLOCK):
                    digest.update(block)
                    size += sink.write(block)
            if digest.hexdigest() != sha256:
                kept.unlink()
                return None
            # Modes must not depend on the umask.
            partial.chmod(0o644)
            partial.replace(path)
            _use(kept)
        except OSError:
            return None
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()
        return size

    def hand_over(self, sha256: str, path: Path) -> int | None:
        """Write a file as :meth:`take_file` for the one step that wants it: a large one is kept no longer."""
        size = self.take_file(sha256, path)
        kept = self._file_path(sha256)
        if kept is not None and size is not None and size > SMALL:
            with contextlib.suppress(OSError):
                kept.unlink()
        return size

    def keep_file(self, sha256: str, path: Path) -> None:
        """Keep a file that has this hash; one that would take most of the room is not kept."""
        kept = self._file_path(sha256)
        if kept is None:
            return
        partial = kept.with_name(f".{kept.name}.{os.getpid()}.part")
        try:
            if path.stat().st_size > self._most // 2:
                return
            kept.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, partial)
            partial.replace(kept)
            self._wrote = True
        except OSError:
            pass
        finally:
            with contextlib.suppress(OSError):
                partial.unlink()

    def tidy(self) -> None:
        """Remove what was not used for longest, where something was written and there is too much."""
        if self._folder is not None and self._wrote:
            trim(self._folder, self._most)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            write_whole(path, data)
            self._wrote = True
        except OSError:
            pass

    def _answer_path(self, question: Any) -> Path | None:
        if self._folder is None:
            return None
        return self._folder / f"answer-{hashlib.sha256(canonical([self._code, question])).hexdigest()}"

    def _file_path(self, sha256: str) -> Path | None:
        return None if self._folder is None else self._folder / f"file-{sha256}"


def _use(path: Path) -> None:
    """Note that a file was used; not each time, because that is a write."""
    with contextlib.suppress(OSError):
        if time.time() - path.stat().st_mtime > _FRESH_SECONDS:
            os.utime(path)
