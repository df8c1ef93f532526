"""What a machine keeps of what it was told: used where it is whole, and no harm where it is not."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.simple_index import sha256

from ociwheel.fetch.kept import SMALL, VARIABLE, Kept

QUESTION = {"name": "demo", "sha256": ["0" * 64]}
DATA = b"some wheel"


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path / "kept", "code-1")


def only(folder: Path) -> Path:
    (found,) = folder.iterdir()
    return found


def write(path: Path, data: bytes) -> Path:
    path.write_bytes(data)
    return path


def test_an_answer_is_found_by_its_question_and_the_code_that_answers(tmp_path: Path, kept: Kept) -> None:
    assert kept.answer(QUESTION) is None
    kept.keep_answer(QUESTION, {"files": ["ö"]})
    assert Kept(tmp_path / "kept", "code-1").answer(QUESTION) == {"files": ["ö"]}
    assert kept.answer({**QUESTION, "name": "other"}) is None
    assert Kept(tmp_path / "kept", "code-2").answer(QUESTION) is None


def test_the_variable_names_folder_and_code(tmp_path: Path) -> None:
    Kept(tmp_path / "kept", "code-1").keep_answer(QUESTION, 1)
    assert Kept.of({VARIABLE: f"{tmp_path}/kept/code-1"}).answer(QUESTION) == 1
    nothing = Kept.of({})
    nothing.keep_answer(QUESTION, 1)
    nothing.keep_file(sha256(DATA), write(tmp_path / "file", DATA))
    nothing.tidy()
    assert nothing.answer(QUESTION) is None
    assert nothing.take_file(sha256(DATA), tmp_path / "taken") is None


DAMAGE: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _data: b"",
    "cut": lambda data: data[:-3],
    "changed": lambda data: data.replace(b"1", b"2"),
    "without a hash": lambda data: data.partition(b"\n")[2],
    "no text": lambda _data: b"\xff\xfe\n{}",
}


@pytest.mark.parametrize("how", sorted(DAMAGE))
def test_a_damaged_answer_is_none(tmp_path: Path, kept: Kept, how: str) -> None:
    kept.keep_answer(QUESTION, {"number": 1})
    path = only(tmp_path / "kept")
    path.write_bytes(DAMAGE[how](path.read_bytes()))
    assert kept.answer(QUESTION) is None
    kept.keep_answer(QUESTION, {"number": 1})
    assert kept.answer(QUESTION) == {"number": 1}


def test_a_file_is_found_by_its_hash_and_checked(tmp_path: Path, kept: Kept) -> None:
    kept.keep_file(sha256(DATA), write(tmp_path / "file", DATA))
    taken = tmp_path / "out/1/taken"
    old = os.umask(0o077)
    try:
        assert kept.take_file(sha256(DATA), taken) == len(DATA)
    finally:
        os.umask(old)
    assert (taken.read_bytes(), taken.stat().st_mode & 0o777) == (DATA, 0o644)
    only(tmp_path / "kept").write_bytes(b"others")
    assert kept.take_file(sha256(DATA), tmp_path / "other/taken") is None
    # It goes, and what was not whole was never there.
    assert list((tmp_path / "kept").iterdir()) == []
    assert list((tmp_path / "other").iterdir()) == []


def test_a_large_file_is_handed_over(tmp_path: Path, kept: Kept) -> None:
    large = bytes(SMALL + 1)
    for data in (DATA, large):
        kept.keep_file(sha256(data), write(tmp_path / "file", data))
        assert kept.hand_over(sha256(data), tmp_path / "taken") == len(data)
    assert kept.take_file(sha256(DATA), tmp_path / "taken") == len(DATA)
    assert kept.hand_over(sha256(large), tmp_path / "taken") is None


@pytest.mark.parametrize("in_its_place", ["folder", "link"])
def test_what_is_no_file_is_not_taken(tmp_path: Path, kept: Kept, in_its_place: str) -> None:
    kept.keep_file(sha256(DATA), write(tmp_path / "file", DATA))
    path = only(tmp_path / "kept")
    path.unlink()
    path.mkdir() if in_its_place == "folder" else path.symlink_to(tmp_path / "file")
    assert kept.take_file(sha256(DATA), tmp_path / "taken") is None
    assert not (tmp_path / "taken").exists()


def test_a_disk_that_takes_nothing(tmp_path: Path, kept: Kept, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_arguments: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "no space")

    monkeypatch.setattr("ociwheel.fetch.kept.shutil.copyfile", full)
    monkeypatch.setattr("ociwheel.documents.os.replace", full)
    kept.keep_answer(QUESTION, 1)
    kept.keep_file(sha256(DATA), write(tmp_path / "file", DATA))
    kept.tidy()
    assert kept.answer(QUESTION) is None
    assert list((tmp_path / "kept").iterdir()) == []


def test_a_file_where_the_folder_should_be(tmp_path: Path) -> None:
    kept = Kept(write(tmp_path / "kept", b""), "code")
    kept.keep_answer(QUESTION, 1)
    kept.keep_file(sha256(DATA), write(tmp_path / "file", DATA))
    kept.tidy()
    assert kept.answer(QUESTION) is None
    assert kept.take_file(sha256(DATA), tmp_path / "taken") is None


def test_what_was_not_used_for_longest_goes(tmp_path: Path) -> None:
    kept = Kept(tmp_path / "kept", most=2500)
    wheels = [bytes([number]) * 1000 for number in range(3)]
    for number, data in enumerate(wheels):
        kept.keep_file(sha256(data), write(tmp_path / "file", data))
        os.utime(tmp_path / f"kept/file-{sha256(data)}", (10_000 + number, 10_000 + number))
    assert kept.take_file(sha256(wheels[0]), tmp_path / "taken") == 1000
    kept.tidy()
    there = [kept.take_file(sha256(data), tmp_path / "taken") is not None for data in wheels]
    assert there == [True, False, True]
    # One that would push all others out is not kept.
    kept.keep_file(sha256(DATA * 200), write(tmp_path / "file", DATA * 200))
    assert kept.take_file(sha256(DATA * 200), tmp_path / "taken") is None


def test_several_at_once(tmp_path: Path) -> None:
    data = DATA * 50_000
    write(tmp_path / "file", data)
    found: list[Any] = []

    def work(number: int) -> None:
        kept = Kept(tmp_path / "kept", "code")
        for _ in range(10):
            kept.keep_answer(QUESTION, {"number": 1})
            kept.keep_file(sha256(data), tmp_path / "file")
            answer, size = kept.answer(QUESTION), kept.take_file(sha256(data), tmp_path / str(number))
            found.append((answer in (None, {"number": 1}), size in (None, len(data))))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [(True, True)] * 40
