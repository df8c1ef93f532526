"""Early cutoff: what runs again after an edit, told by the processes that Pants starts."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.monorepo import OLD_IDNA, write_monorepo
from tests.integration.repository import Caches, Repository, locked, make_repository, stopped, version

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory, plugin: Path) -> Iterator[Repository]:
    """Give a repository in which everything has been packaged.

    Its cache is its own: what another test looked up or layered would not run again here.
    """
    folder = tmp_path_factory.mktemp("cutoff")
    caches = Caches(folder / "caches")
    with stopped(write_monorepo(make_repository(folder / "repository", caches, plugin=plugin))) as made:
        made.package("src::", daemon=True)
        yield made


def steps(repository: Repository) -> list[str]:
    """Package everything; return what ran."""
    return repository.package("src::", daemon=True).started


def look_up(*names: str) -> str:
    """Return how the step is shown that looks up these lines together."""
    named = ", ".join(f"{name} {version(name)}" for name in names[:3])
    return f"Look up {len(names)} distributions: {named}, …"


def test_exactly_what_an_edit_reaches_runs_again(
    repository: Repository, tmp_path: Path, plugin: Path
) -> None:
    # Without the daemon, so that nothing is known but what the cache on the disk holds.
    assert repository.package("src::").started == []

    repository.edit("src/child/child/__main__.py", "ö.example", "cutoff.example")
    assert steps(repository) == [
        "Layer sources of src/child:image",
    ]

    repository.edit("src/shared/shared/__init__.py", "name: str", "hostname: str")
    repository.edit("src/shared/shared/__init__.py", "encode(name)", "encode(hostname)")
    assert steps(repository) == [
        # What the child has of the service is in a layer below its own, which is not touched.
        "Layer shared sources of src/service:image",
        "Layer sources of src/service:image",
    ]

    # The plans: of the service and its wheel set, which are one, and of the child. The tool has no idna.
    repository.edit("3rdparty/python/default.lock", OLD_IDNA, locked("idna"))
    assert steps(repository) == [
        # Files have other names, of the metadata's folder: in the service and in the child.
        "Check the image for linux/amd64",
        "Check the image for linux/amd64",
        "Layer 2 pure wheels",
        look_up("certifi", "click", "idna", "websockets"),
        "Plan 3 requirements for linux/amd64",
        "Plan 4 requirements for linux/amd64",
        "Read 3rdparty/python/default.lock",
    ]

    # Another checkout, whose folder has another name, finds all of it.
    other = write_monorepo(
        make_repository(tmp_path / "elsewhere" / "clone", repository.caches, plugin=plugin)
    )
    assert other.package("src::").started == []


def test_lines_of_the_lock_that_no_image_reaches_change_no_plan(repository: Repository) -> None:
    lock = repository.root / "3rdparty/python/default.lock"
    lock.write_text(locked("bidict") + lock.read_text())
    assert steps(repository) == [
        # The line does not say who requires it.
        look_up("bidict", "certifi", "click", "idna", "websockets"),
        "Read 3rdparty/python/default.lock",
    ]
    lock.write_text(locked("sortedcontainers") + "    # via -r requirements.txt\n" + lock.read_text())
    assert steps(repository) == [
        # It shares a process with lines that are needed, and what those answer is what it was.
        look_up("bidict", "certifi", "click", "idna", "sortedcontainers", "websockets"),
        "Read 3rdparty/python/default.lock",
    ]


def test_an_image_more_fetches_and_layers_nothing_again(repository: Repository) -> None:
    build = (repository.root / "src/service/BUILD").read_text()
    image = build[build.index("slim_python_image(") : build.index("python_wheel_set(")]
    repository.write("src/service/BUILD", build + image.replace('name="image"', 'name="another"'))
    assert steps(repository) == [
        "Check the image for linux/amd64",
        "Layer sources of src/service:another",
    ]
