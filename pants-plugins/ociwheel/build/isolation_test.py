"""What is left by a hook's process is read as a stranger's."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ociwheel.build.inside import ANSWER, Answer
from ociwheel.build.isolation import _read_answer, read_plain
from ociwheel.build.root import _hint
from ociwheel.errors import BuildError


def read(folder: Path, data: bytes) -> Answer | None:
    (folder / ANSWER).write_bytes(data)
    return _read_answer(folder)


def test_no_answer(tmp_path: Path) -> None:
    assert _read_answer(tmp_path) is None


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        {"wheel": 7},
        {"wheel": "../x.whl"},
        {"wheel": ".."},
        {"wheel": ""},
        {"wheel": "/etc/passwd"},
        {"requires": "setuptools"},
        {"requires": [7]},
        {"sources": {"a": 1}},
        {"compiled": "many"},
        {"options": ["system-x=true --cross-file=other"]},
        {"variables": ["PATH\n"]},
        {"error": "bad"},
        {"error": {"hint": "no what"}},
        {"error": {"what": "x", "details": [7]}},
        {"error": {"what": "x", "exit_code": 0}},
        {"error": {"what": ["x"]}},
    ],
)
def test_an_answer_that_makes_no_sense(tmp_path: Path, value: object) -> None:
    with pytest.raises(BuildError, match="the build's answer"):
        read(tmp_path, json.dumps(value).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"\xff", b"[" * 100_000])
def test_an_answer_that_is_no_json(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(BuildError, match="the build's answer"):
        read(tmp_path, data)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.text(), st.lists, max_leaves=4)


@given(st.dictionaries(st.sampled_from(sorted(Answer.__dataclass_fields__)), JSON))
def test_whatever_it_is_there_is_an_answer_or_our_error(
    tmp_path_factory: pytest.TempPathFactory, value: dict[str, object]
) -> None:
    try:
        found = read(tmp_path_factory.mktemp("answer"), json.dumps(value).encode())
    except BuildError:
        return
    assert found is not None
    assert found.wheel is None or found.wheel == Path(found.wheel).name


def test_only_a_plain_file_is_read_and_not_all_of_it(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"secret")
    (tmp_path / "link").symlink_to(tmp_path / "secret")
    os.mkfifo(tmp_path / "pipe")
    assert read_plain(tmp_path / "secret", 3) == b"sec"
    for name in ("link", "pipe", "none", "."):
        assert read_plain(tmp_path / name, 3) is None


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("kernel/unprivileged_userns_clone", "0\n", "sysctl -w kernel.unprivileged_userns_clone=1"),
        (
            "kernel/apparmor_restrict_unprivileged_userns",
            "1\n",
            "sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        ),
        ("user/max_user_namespaces", "0\n", "sysctl -w user.max_user_namespaces=15000"),
        ("user/max_user_namespaces", "9\n", "--security-opt seccomp=unconfined"),
    ],
)
def test_what_lets_a_machine_give_namespaces(tmp_path: Path, name: str, value: str, hint: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text(value)
    assert hint in _hint(tmp_path)
