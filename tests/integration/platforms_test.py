"""Platforms: what is made once for all of them, and what one more runs."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.integration.repository import Caches, Repository, Run, locked, make_repository, stopped, version

pytestmark = pytest.mark.slow

BASE_LOCK = "3rdparty/grown/grown.lock"
FILES = {
    "3rdparty/grown/BUILD": """\
debian_python_base(name="grown", suites=["bookworm"], platforms=["linux/amd64", "linux/arm64"])
""",
    "3rdparty/python/BUILD": 'python_requirements(name="reqs")\n',
    "3rdparty/python/requirements.txt": "certifi\nclick\nh11\nwebsockets\n",
    "3rdparty/python/default.lock": locked("certifi", "click", "h11", "websockets"),
    "src/tool/BUILD": """\
python_sources(name="lib", sources=["tool/*.py"])
python_distribution(
    name="dist",
    dependencies=[":lib"],
    provides=python_artifact(name="the-tool", version="1.0"),
    sdist=False,
)
""",
    "src/tool/tool/__init__.py": "import certifi\n\nprint(certifi)\n",
    "src/app/BUILD": """\
python_sources(name="lib", dependencies=["src/tool:dist"])
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="app",
    base="3rdparty/grown",
    platforms=["linux/amd64", "linux/arm64"],
)
python_wheel_set(
    name="wheels", dependencies=[":lib"], base="3rdparty/grown", platforms=["linux/amd64", "linux/arm64"]
)
""",
    "src/app/app.py": "import click\nimport h11\nimport websockets\n\nprint(click, h11, websockets)\n",
}


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    folder = tmp_path_factory.mktemp("platforms") / "repository"
    with stopped(make_repository(folder, caches, plugin=plugin)) as made:
        for path, text in FILES.items():
            made.write(path, text)
        relock(made)
        yield made


@pytest.fixture(scope="module")
def first(repository: Repository) -> Run:
    """The run that packages for two platforms."""
    return repository.package("src/app::", daemon=True)


def relock(repository: Repository) -> Any:
    """Lock the base, and return the lock."""
    run = repository.pants("generate-lockfiles", "--resolve=grown", daemon=True)
    assert run.exit_code == 0, run.stderr
    return json.loads((repository.root / BASE_LOCK).read_bytes())


def base_steps(lock: Any, platform: str, architecture: str) -> list[str]:
    """Return what the base of one platform runs, the packages left out."""
    layers = lock["platforms"][platform]["layers"]
    titles = [f"Layer {layer['title']} ({architecture})" for layer in layers]
    return [f"Layer users and folders ({platform})", *titles]


def base_packages(lock: Any, platform: str, architecture: str) -> list[str]:
    """Return the packages of the base of one platform, those for all platforms left out."""
    keys = [key for layer in lock["platforms"][platform]["layers"] for key in layer["packages"]]
    found = [lock["packages"][key] for key in keys]
    return sorted(one["name"] for one in found if one["architecture"] == architecture)


def fetched_by(step: str, architecture: str) -> tuple[int, list[str]]:
    """Return how many packages a step fetches, all of one architecture, and those that it names."""
    one = re.fullmatch(rf"Fetch (\S+) \S+ \({architecture}\)", step)
    if one:
        return 1, [one[1]]
    several = re.fullmatch(rf"Fetch (\d+) Debian packages of grown \({architecture}\): (.*)", step)
    assert several, step
    return int(several[1]), several[2].partition(" and ")[0].split(", ")


def test_what_fits_every_platform_is_made_once(repository: Repository, first: Run) -> None:
    ran = Counter(first.started)
    once = {
        "Layer 3 pure wheels": 1,
        "Layer distributions of src/app:image": 1,
        "Layer sources of src/app:image": 1,
        "Plan 4 requirements for linux/amd64": 1,
        "Plan 4 requirements for linux/arm64": 1,
    }
    assert {step: ran[step] for step in once} == once
    assert [step for step, times in ran.items() if times > 1] == []
    layout = repository.layout("src.app/image")
    amd64, arm64 = layout.layers(0), layout.layers(1)
    # The pure wheels, the distribution, the sources.
    assert amd64[-3:] == arm64[-3:]
    assert set(amd64[:-3]) & set(arm64[:-3]) == set()


def test_one_more_platform_runs_its_own_steps_and_no_others(repository: Repository, first: Run) -> None:
    before = repository.layout("src.app/image").index["manifests"]
    repository.edit("3rdparty/grown/BUILD", '"linux/arm64"]', '"linux/arm64", "linux/arm/v7"]')
    lock = relock(repository)
    assert repository.package("src/app::", daemon=True).started == []

    build = (repository.root / "src/app/BUILD").read_text()
    repository.write("src/app/BUILD", build.replace('"linux/arm64"]', '"linux/arm64", "linux/arm/v7"]'))
    started = repository.package("src/app::", daemon=True).started
    fetched = [step for step in started if step.startswith("Fetch") and "(" in step]
    # Packages for all platforms are not fetched again, as files for this one are not asked for twice.
    packages = base_packages(lock, "linux/arm/v7", "armhf")
    found = [fetched_by(step, "armhf") for step in fetched]
    assert sum(number for number, _ in found) == len(packages)
    assert {name for _, names in found for name in names} <= set(packages)
    assert len(fetched) < len(packages) / 2
    (wheel,) = (repository.root / "dist/src.app/wheels/linux-arm-v7").glob("websockets-*_armv7l.whl")
    assert [step for step in started if step not in fetched] == sorted(
        [
            *base_steps(lock, "linux/arm/v7", "armhf"),
            "Audit the libraries of 6 layers for linux/arm/v7",
            "Check the image for linux/arm/v7",
            f"Fetch {wheel.name}",
            f"Layer websockets {version('websockets')} for linux/arm/v7",
            "Plan 4 requirements for linux/arm/v7",
        ]
    )
    after = repository.layout("src.app/image").index["manifests"]
    (added,) = [manifest for manifest in after if manifest not in before]
    assert [manifest for manifest in after if manifest != added] == before
    assert added["platform"] == {"os": "linux", "architecture": "arm", "variant": "v7"}
