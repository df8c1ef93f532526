"""A `docker_image` of Pants builds on a `slim_python_image`: by its address, as on another `docker_image`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import Packaged
from tests.integration.repository import BASE, Repository, copy_plugin, locked, make_repository, stopped
from tests.support.engine import Engine

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FILES = {
    "3rdparty/python/BUILD": 'python_requirements(name="reqs")\n',
    "3rdparty/python/requirements.txt": "idna\n",
    "src/app/BUILD": f"""\
python_sources(name="lib", sources=["app/*.py"])
slim_python_image(
    name="image",
    dependencies=[":lib"],
    entry_point="app",
    base="{BASE}",
    platforms=["linux/amd64", "linux/arm64"],
    output_format="docker-image",
    compression="zstd",
    repository="team/app",
    image_tags=["1.0", "latest"],
)
docker_image(name="on-top", repository="team/on-top", image_tags=["latest"])
""",
    "src/app/Dockerfile": 'ARG BASE=src/app:image\nFROM $BASE\nENV GREETING=hello\nLABEL made="by docker"\n',
    "src/app/app/__init__.py": "",
    "src/app/app/__main__.py": 'import os\nimport idna\nprint(os.environ["GREETING"], idna.encode("ä").decode())\n',
}


@pytest.fixture
def repository(packaged: Packaged, engine: Engine, tmp_path: Path) -> Iterator[Repository]:
    """Give a repository with Pants's docker backend; the base's layers are cached already."""
    plugin = copy_plugin(tmp_path / "plugin")
    made = make_repository(tmp_path / "repository", packaged.repository.caches, plugin=plugin)
    made.edit("pants.toml", '"pants.backend.python", ', '"pants.backend.docker", "pants.backend.python", ')
    made.write("3rdparty/python/default.lock", locked("idna"))
    for path, text in FILES.items():
        made.write(path, text)
    made.env["DOCKER_HOST"] = engine.address
    made.env["PANTS_DOCKER_ENV_VARS"] = "['DOCKER_HOST']"
    with stopped(made):
        yield made


def test_a_dockerfile_builds_on_an_image_by_its_address(repository: Repository, engine: Engine) -> None:
    def inspect(name: str) -> Any:
        return json.loads(engine.docker("image", "inspect", name))[0]

    run = repository.package("src/app:on-top", daemon=True)
    assert "Load team/app:1.0 into Docker" in run.started
    below, above = inspect("team/app:1.0"), inspect("team/on-top:latest")
    assert inspect("team/app:latest")["Id"] == below["Id"]
    assert above["RootFS"]["Layers"] == below["RootFS"]["Layers"]
    assert above["Config"]["Entrypoint"] == ["/app/bin/python", "-P", "-m", "app"]
    assert (above["Config"]["User"], above["Config"]["Labels"]) == ("65532:65532", {"made": "by docker"})
    assert engine.docker("run", "--rm", "--read-only", "team/on-top:latest") == "hello xn--4ca\n"

    main = "src/app/app/__main__.py"
    repository.edit(main, 'os.environ["GREETING"]', 'os.environ["GREETING"].upper()')
    repository.package("src/app:on-top", daemon=True)
    assert engine.docker("run", "--rm", "--read-only", "team/on-top:latest") == "HELLO xn--4ca\n"

    # By itself it is an image of Docker's too, and the report stands beside where a layout would be.
    run = repository.package("src/app:image", daemon=True)
    assert inspect("team/app:1.0")["Id"] in run.stderr
    assert json.loads((repository.root / "dist/src.app/image.json").read_bytes())["target"] == "src/app:image"
    assert not (repository.root / "dist/src.app/image").exists()
