from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import Callable

import pytest

from slim_python_image.files import replace_file, replace_link


def at_once(threads: int, work: Callable[[int], None]) -> list[Exception]:
    """Run something in several threads that start together; return what they raised."""
    barrier, raised = threading.Barrier(threads), []

    def run(number: int) -> None:
        barrier.wait()
        try:
            for _ in range(50):
                work(number)
        except Exception as e:  # noqa: BLE001 # whatever it is, the test shows it
            raised.append(e)

    running = [threading.Thread(target=run, args=(number,)) for number in range(threads)]
    for one in running:
        one.start()
    for one in running:
        one.join()
    return raised


def test_threads_of_one_process_do_not_take_each_others_names(tmp_path: Path) -> None:
    path, texts = tmp_path / "network.json", [str(number).encode() * 4096 for number in range(4)]
    assert at_once(4, lambda number: replace_file(path, texts[number])) == []
    assert path.read_bytes() in texts
    link = tmp_path / "python"
    assert at_once(4, lambda number: replace_link(link, f"/python{number}")) == []
    assert os.readlink(link).startswith("/python")
    assert sorted(one.name for one in tmp_path.iterdir()) == ["network.json", "python"]


def test_a_file_is_its_owners_alone(tmp_path: Path) -> None:
    replace_file(tmp_path / "network.json", b"{}")
    assert (tmp_path / "network.json").stat().st_mode & 0o777 == 0o600


def test_what_has_the_same_bytes_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "network.json"
    replace_file(path, b"{}")
    before = path.stat().st_ino
    replace_file(path, b"{}")
    assert path.stat().st_ino == before


def test_a_full_disk_leaves_what_was_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "network.json"
    replace_file(path, b"{}")

    def full(*_: object, **__: object) -> object:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        replace_file(path, b"[]")
    assert path.read_bytes() == b"{}"
    assert [one.name for one in tmp_path.iterdir()] == ["network.json"]


def test_a_link_that_leads_nowhere_any_more_is_taken_away(tmp_path: Path) -> None:
    replace_link(tmp_path / "python", "/a")
    replace_link(tmp_path / "python", "/b")
    assert os.readlink(tmp_path / "python") == "/b"
    replace_link(tmp_path / "python", None)
    assert not (tmp_path / "python").is_symlink()
