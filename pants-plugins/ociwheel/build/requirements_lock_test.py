from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from ociwheel.build import requirements_lock
from ociwheel.build.build_lock import BuildLock
from ociwheel.build.inside import Answer
from ociwheel.build.isolation import Done
from ociwheel.build.requirements_lock import LockedSdist, RequirementsLock

# What psycopg2 says where there is no pg_config: its setup.py runs it, also to say what it requires.
PSYCOPG2 = """\
running egg_info
writing psycopg2.egg-info/PKG-INFO

Error: pg_config executable not found.

pg_config is required to build psycopg2 from source.  Please add the directory
<https://www.psycopg.org/docs/install.html>).
"""


def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, answer: Answer, said: str = "") -> Sequence[str]:
    done = Done(answer, tuple(said.splitlines()), (), tmp_path, "root")
    monkeypatch.setattr(requirements_lock, "run_hook", lambda *_: done)
    client: Any = None
    lock = RequirementsLock(client, tmp_path, "3.13", {}, BuildLock((), {}))
    sdist = LockedSdist("psycopg2", "2.9.13", "0" * 64, tmp_path / "psycopg2-2.9.13.tar.gz")
    return lock._ask(sdist, [], tmp_path)


def test_what_a_backend_requires_beside_its_pyproject(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert asked(monkeypatch, tmp_path, Answer(requires=("cmake>=3",))) == ("cmake>=3",)


def test_a_backend_that_cannot_say_is_locked_by_its_pyproject(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert asked(monkeypatch, tmp_path, Answer(failed_hook=True), PSYCOPG2) == ()
    assert capsys.readouterr().err == (
        "warning: psycopg2==2.9.13: its build backend cannot say what it requires beyond its pyproject.toml (Error: "
        "pg_config executable not found.). Should its build fail, an old sdist may want old tools: name them in its "
        "`constraints`\n"
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ("", "it said nothing"),
        (
            "Traceback:\n  File\nModuleNotFoundError: No module named 'six'\n",
            "ModuleNotFoundError: No module named 'six'",
        ),
        ("configuring\nno compiler\n", "no compiler"),
    ],
)
def test_the_line_that_says_why(said: str, reason: str) -> None:
    assert requirements_lock._reason(said.splitlines()) == reason
