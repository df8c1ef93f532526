"""Images of what installers take, through ``./pants package``: what they say, and what is in them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.wheel_writer import write_wheel

from tests.integration.repository import BASE, Caches, Repository, make_repository, stopped
from tests.support.builds import write_sdist

pytestmark = pytest.mark.slow

SITE = "app/lib/python3.11/site-packages"
LOCK = "3rdparty/python/default.lock"
KEPT = {"kept/kernel.h": b"int x;", "kept/a.whl": b"PK", "kept/a.pdb": b"p", "kept/setup.exe": b"MZ"}
LATE = ("late", "late_dynamic", "late_hook", "late_setup")
"""Sdists that do not say what they require."""

# Only its build tells that it requires `fine`.
_BACKEND = """\
import zipfile

INFO = "{0}-1.0.dist-info/"
FILES = {{
    "{0}.py": "import fine\\n",
    INFO + "METADATA": "Metadata-Version: 2.1\\nName: {0}\\nVersion: 1.0\\nRequires-Dist: fine\\n",
    INFO + "WHEEL": "Wheel-Version: 1.0\\nGenerator: x\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n",
}}
FILES[INFO + "RECORD"] = "".join(f"{{path}},,\\n" for path in (*FILES, INFO + "RECORD"))

def get_requires_for_build_wheel(config_settings=None):
    return []

def build_wheel(folder, config_settings=None, metadata_directory=None):
    with zipfile.ZipFile(f"{{folder}}/{0}-1.0-py3-none-any.whl", "w") as archive:
        for path, text in FILES.items():
            archive.writestr(path, text)
    return "{0}-1.0-py3-none-any.whl"
"""
_SETUP = """\
from setuptools import setup

with open("requirements.txt") as file:
    setup(name="late_setup", version="1.0", py_modules=["late_setup"], install_requires=file.read().split())
"""
_PROJECT = '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
_HOOKED = "Metadata-Version: 2.4\nName: late-hook\nVersion: 1.0\nDynamic: Requires-Dist\n"
_DYNAMIC = '[project]\nname = "late-dynamic"\nversion = "1.0"\ndynamic = ["dependencies"]\n'
_COMMAND = "[console_scripts]\nparse = {}:main\n"


def write_wheels(folder: Path) -> list[Path]:
    """Write one distribution per kind of what was once refused or lost."""
    big = bytes(range(256)) * 5000  # more than a layer of small wheels takes
    return [
        write_wheel(folder, "fine", files={"fine.py": b""}),
        write_wheel(folder, "kept", files={**KEPT, "kept-1.0.data/headers/api.h": b"int api;"}),
        write_wheel(
            folder, "old", files={"old.py": b""}, requires=("fine (>dev)", "fine>=1.*; extra == 'x'")
        ),
        write_wheel(folder, "gaps", files={"gaps.py": b""}, raw={"gaps_manager": b"\x7f"}),
        write_wheel(
            folder, "parse_one", files={"one.py": b"def main(): 1"}, entry_points=_COMMAND.format("one")
        ),
        write_wheel(
            folder, "parse_two", files={"two.py": b"def main(): 2"}, entry_points=_COMMAND.format("two")
        ),
        write_wheel(
            folder,
            "scripted",
            files={
                "scripted-1.0.data/scripts/run.sh": b"#!/bin/bash -e\n",
                "scripted-1.0.data/scripts/serve": b"#!/usr/bin/env python3\n",
            },
        ),
        write_wheel(folder, "cv_one", files={"cv/__init__.py": b"ONE = 1"}),
        write_wheel(folder, "cv_two", files={"cv/__init__.py": b"TWO = 2", "cv/big.bin": big}),
        *write_sdists(folder),
    ]


def write_sdists(folder: Path) -> list[Path]:
    """Write one sdist per way to leave unsaid what is required.

    Metadata of before PEP 643, `dynamic` in pyproject.toml, `Dynamic` in PKG-INFO (which hatchling writes for
    a hook), a setup.py that reads a file.
    """

    def own(name: str, more: str = "") -> dict[str, str]:
        return {"pyproject.toml": _PROJECT + more, "backend.py": _BACKEND.format(name)}

    script = {"setup.py": _SETUP, "requirements.txt": "fine\n", "late_setup.py": "import fine\n"}
    files = {
        "late": {"PKG-INFO": "Metadata-Version: 1.0\n", **own("late")},
        "late_dynamic": own("late_dynamic", _DYNAMIC),
        "late_hook": {"PKG-INFO": _HOOKED, **own("late_hook")},
        "late_setup": script,
    }
    return [write_sdist(folder, held, name=name) for name, held in files.items()]


def image(name: str, *dependencies: str, **fields: object) -> str:
    """Return the target of an image with distributions of these names."""
    listed = "".join(f", {key}={value!r}" for key, value in fields.items())
    wanted = [f"3rdparty/python:reqs#{one.replace('_', '-')}" for one in dependencies]
    return (
        f'slim_python_image(name="{name}", entry_point="app", base="{BASE}", platforms=["linux/amd64"], '
        f'dependencies=[":lib", {", ".join(map(repr, wanted))}]{listed})\n'
    )


def script(name: str, started: str) -> str:
    """Return the target of an image that starts a script of a distribution."""
    return image(name, "scripted", script=started).replace('entry_point="app", ', "")


IMAGES: Mapping[str, str] = {
    "old": image("old", "old"),
    "gaps": image("gaps", "gaps"),
    "kept": image("kept", "kept"),
    "commands": image("commands", "parse_one", "parse_two"),
    "chosen": image("chosen", "parse_one", "parse_two", prefer=["parse-two"]),
    "small": image("small", "cv_one", "cv_two", layer_budget=2),
    "apart": image("apart", "cv_one", "cv_two", layer_budget=60),
    "preferred": image("preferred", "cv_one", "cv_two", layer_budget=60, prefer=["cv-one"]),
    "tools": image("tools", "scripted"),
    **{name: image(name, name) for name in LATE},
    "shell": script("shell", "run.sh"),
    "env": script("env", "serve"),
}


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("installed")
    with stopped(make_repository(folder / "repository", caches, plugin=plugin)) as made:
        files = write_wheels(folder / "wheels")
        names = [file.name.split("-")[0] for file in files]
        toml = (made.root / "pants.toml").read_text()
        made.write("pants.toml", f'{toml}\n[python-repos]\nfind_links = ["{(folder / "wheels").as_uri()}"]\n')
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "".join(f"{name}\n" for name in names))
        lines = (
            f"{name}==1.0 --hash=sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}\n"
            for name, file in zip(names, files, strict=True)
        )
        made.write(LOCK, "".join(lines))
        made.write("src/app/app.py", "")
        made.write("src/app/BUILD", 'python_sources(name="lib")\n' + "".join(IMAGES.values()))
        yield made


def notes(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().startswith("note: ")]


def report(repository: Repository, name: str) -> Any:
    (platform,) = json.loads((repository.root / f"dist/src.app/{name}.json").read_bytes())["platforms"]
    return platform


TOLD = {
    "old": "old 1.0 requires 'fine (>dev)', which is read as 'fine'",
    "gaps": (
        "gaps-1.0-py3-none-any.whl: gaps_manager is not mentioned in RECORD"
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", TOLD)
def test_what_every_installer_takes_is_taken_and_told(repository: Repository, name: str) -> None:
    run = repository.package(f"src/app:{name}", daemon=True)
    assert notes(run.stderr) == [f"note: {TOLD[name]}"]
    assert report(repository, name)["notes"] == [TOLD[name]]
    again = repository.package(f"src/app:{name}")
    assert again.started == []
    assert notes(again.stderr) == [f"note: {TOLD[name]}"]


def test_coverage_tells_what_plans_tell(repository: Repository) -> None:
    run = repository.pants("slim-coverage", "src/app:old", daemon=True)
    assert run.exit_code == 0, run.stderr
    assert notes(run.stdout) == [f"note: {TOLD['old']}"]


def test_files_that_a_wheel_reads_at_run_time(repository: Repository) -> None:
    repository.package("src/app:kept", daemon=True)
    layout = repository.layout("src.app/kept")
    (layer,) = (one for one in layout.layers() if f"{SITE}/kept" in layout.listing(one))
    for path, content in KEPT.items():
        assert layout.read(layer, f"{SITE}/{path}") == content
    record = layout.read(layer, f"{SITE}/kept-1.0.dist-info/RECORD").decode()
    assert {line.split(",")[0] for line in record.splitlines()} == {
        *KEPT,
        *(f"kept-1.0.dist-info/{name}" for name in ("INSTALLER", "METADATA", "RECORD", "WHEEL")),
    }
    # What no installer puts there either is counted.
    (told,) = (one for one in report(repository, "kept")["layers"] if one["digest"] == layer)
    assert told["left_out"] == [{"origin": "kept 1.0", "rule": "headers", "files": 1, "bytes": 8}]


def test_two_distributions_with_one_command(repository: Repository) -> None:
    assert repository.failure("src/app:commands") == (
        "SlimImageError: src/app:commands: parse-one 1.0 and parse-two 1.0 have different files for /app/bin/parse\n"
        "  -> name the one whose file the image shall have in the field `prefer`: "
        'prefer=["parse-one"]'
    )
    repository.package("src/app:chosen", daemon=True)
    layout = repository.layout("src.app/chosen")
    commands = [layer for layer in layout.layers() if "app/bin/parse" in layout.listing(layer)]
    assert b"from two import main" in layout.read(commands[-1], "app/bin/parse")


def test_two_distributions_with_one_file_in_one_layer_or_two(repository: Repository) -> None:
    said = (
        f"have different files for /{SITE}/cv/__init__.py\n"
        '  -> name the one whose file the image shall have in the field `prefer`: prefer=["cv-one"]'
    )
    small, apart = (repository.failure(f"src/app:{name}") for name in ("small", "apart"))
    assert small == f"SlimImageError: src/app:small: cv-one 1.0 and cv-two 1.0 {said}"
    assert apart == f"SlimImageError: src/app:apart: cv-two 1.0 and cv-one 1.0 {said}"


def test_which_of_two_files_an_image_has_is_chosen_and_told(repository: Repository) -> None:
    run = repository.package("src/app:preferred", daemon=True)
    layout = repository.layout("src.app/preferred")
    file = f"{SITE}/cv/__init__.py"
    (*_, top) = (one for one in layout.layers() if file in layout.listing(one))
    assert layout.read(top, file) == b"ONE = 1"
    told = f"cv-two 1.0 and cv-one 1.0 have different files for /{file}: the image has that of cv-one 1.0"
    assert report(repository, "preferred")["notes"] == [told]
    assert notes(run.stderr) == [f"note: {told}"]


@pytest.mark.parametrize(
    ("name", "what", "program", "package"),
    [
        ("shell", "/app/bin/run.sh starts with #!/bin/bash -e", "/bin/bash", "bash"),
        ("env", "/app/bin/serve starts with #!/usr/bin/env python3", "/usr/bin/env", "coreutils"),
    ],
)
def test_a_script_without_its_interpreter(
    repository: Repository, name: str, what: str, program: str, package: str
) -> None:
    assert repository.failure(f"src/app:{name}") == (
        f"SlimImageError: src/app:{name}: the field `script`: {what}, but the image has no {program}\n"
        f'  -> add "{package}" to extra_packages of 3rdparty/debian:bookworm-py311, then run: '
        "./pants generate-lockfiles --resolve=bookworm-py311; or write the script in Python"
    )


def test_scripts_that_are_not_started_are_told(repository: Repository) -> None:
    said = repository.package("src/app:tools", daemon=True).stderr
    assert notes(said) == [
        "note: /app/bin/run.sh starts with #!/bin/bash -e, but the image has no /bin/bash",
        "note: /app/bin/serve starts with #!/usr/bin/env python3, but the image has no /usr/bin/env",
    ]


@pytest.fixture(scope="module")
def build_lock(repository: Repository) -> None:
    """Lock what builds require: also beside distributions whose requirements are none (`fine (>dev)`)."""
    run = repository.pants("generate-lockfiles", "--resolve=python-default-build", daemon=True)
    assert run.exit_code == 0, run.stderr


@pytest.mark.usefixtures("build_lock")
@pytest.mark.parametrize("name", LATE)
def test_what_only_a_build_tells_to_be_required(repository: Repository, name: str) -> None:
    run = repository.package(f"src/app:{name}", daemon=True)
    distribution = name.replace("_", "-")
    told = [
        f"{distribution} 1.0: its sdist does not say what it requires, its build will",
        f"{distribution} 1.0 requires fine, which only its build told",
    ]
    assert report(repository, name)["notes"] == told
    assert notes(run.stderr) == [f"note: {line}" for line in told]
    assert [wheel["name"] for wheel in report(repository, name)["wheels"]] == ["fine", distribution]


@pytest.mark.usefixtures("build_lock")
def test_what_only_a_build_tells_and_the_lock_has_not(repository: Repository) -> None:
    lock = (repository.root / LOCK).read_text()
    repository.write(LOCK, "".join(line for line in lock.splitlines(True) if not line.startswith("fine")))
    try:
        assert repository.failure("src/app:late") == (
            "SlimImageError: src/app:late: late 1.0 requires fine, which the image does not have: its metadata said "
            "so only once it was built\n"
            "  -> add fine to the requirements beside late, then run: ./pants generate-lockfiles"
        )
    finally:
        repository.write(LOCK, lock)
