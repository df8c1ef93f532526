from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from ociwheel.build import requirements as asking
from ociwheel.build.builder import Inputs
from ociwheel.build.inside import Answer
from ociwheel.build.isolation import Done, Job
from ociwheel.build.requirements import Requirements, requirements
from ociwheel.build.sdist_settings import Settings
from ociwheel.build.wrappers import Toolchain
from ociwheel.errors import LockError
from ociwheel.target import Target
from tests.support.builds import write_sdist

# What psycopg2 says where there is no pg_config: its setup.py runs it, also to say what it requires.
PSYCOPG2 = """\
running egg_info
writing psycopg2.egg-info/PKG-INFO

Error: pg_config executable not found.

pg_config is required to build psycopg2 from source.  Please add the directory
<https://www.psycopg.org/docs/install.html>).
"""
PROJECT = (
    "[build-system]\nrequires = [\"setuptools>=77; python_version >= '3'\", \"six; python_version < '3'\"]\n"
)
SETUPTOOLS = "setuptools-80.0-py3-none-any.whl"


def asked(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *wheels: str, answer: Answer | None = None, said: str = ""
) -> tuple[Requirements, list[Job]]:
    jobs: list[Job] = []

    def run(job: Job, *_: Any) -> Done:
        jobs.append(job)
        return Done(answer or Answer(), tuple(said.splitlines()), (), folder, "root")

    monkeypatch.setattr(asking, "run_hook", run)
    target = folder / "target.json"
    target.write_text(
        '{"schema": "ociwheel.target/1", "platform": "linux/arm64", "python": "3.11.2", "libc": "glibc", '
        '"libc_version": "2.36"}'
    )
    toolchain = Toolchain(folder / "zig", folder / "sysroot", Target.read(target))
    sdist = write_sdist(folder, {"pyproject.toml": PROJECT})
    inputs = Inputs(sdist, tuple(folder / name for name in wheels), target, toolchain)
    settings = Settings("probe", "1.0", {"A": "1"}, {"x": "y"})
    work = folder / "work"
    work.mkdir()
    return requirements(inputs, settings, work), jobs


def test_nobody_is_asked_while_what_the_project_requires_is_missing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found, jobs = asked(monkeypatch, tmp_path, "setuptools-70.0-py3-none-any.whl")
    assert found.missing == ("setuptools>=77; python_version >= '3'",)
    assert jobs == []


def test_what_a_backend_requires_beside_its_pyproject(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    wanted = Answer(requires=("cmake>=3", "Setuptools", "x; python_version < '3'"))
    found, (job,) = asked(monkeypatch, tmp_path, SETUPTOOLS, answer=wanted)
    assert (found.missing, found.failed, found.isolation) == (("cmake>=3",), None, "root")
    assert job.asks
    assert (job.settings.env, job.settings.config_settings) == ({"A": "1"}, {"x": "y"})
    assert set(job.cross) == {"target", "zig", "sysroot"}


def test_a_backend_that_cannot_say_is_quoted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    found, _ = asked(monkeypatch, tmp_path, SETUPTOOLS, answer=Answer(failed_hook=True), said=PSYCOPG2)
    assert found.missing == ()
    assert found.failed == "Error: pg_config executable not found."
    assert found.tail == tuple(line for line in PSYCOPG2.splitlines() if line)


def test_what_is_no_requirement(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for text in ("--index-url=x", "six; os_name ~= 'posix'"):
        folder = tmp_path / text[:3]
        folder.mkdir()
        with pytest.raises(LockError) as caught:
            asked(monkeypatch, folder, SETUPTOOLS, answer=Answer(requires=(text,)))
        assert str(caught.value) == f"probe==1.0: {text!r}, which its build requires, is no requirement"


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
    assert asking._reason(said.splitlines()) == reason
