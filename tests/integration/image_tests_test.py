"""`./pants test` of an image: what is in it, and tests that run inside it, by the real engine of namespaces."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.repository import (
    BASE,
    ROOT,
    Caches,
    Repository,
    locked,
    make_repository,
    stopped,
)
from tests.support.publisher import podman_storage

pytestmark = pytest.mark.slow

BUILD = f"""\
python_sources(name="lib", sources=["app.py", "helper.py"])
python_tests(name="tests", sources=["*_test.py"], skip_tests=True)
slim_python_image(
    name="image",
    entry_point="app.py:main",
    base="{BASE}",
    platforms=["linux/amd64"],
    writable=["/app/data"],
    env={{"STAGE": "production"}},
)
slim_image_test(
    name="structure",
    image=":image",
    files_present=["/app/lib/*/site-packages/app.py", "/app/bin/python"],
    files_absent=["/bin/sh", "/*.c"],
    commands=["python", "/app/bin/image"],
    user="65532",
    env={{"STAGE": "production"}},
)
slim_image_test(
    name="wrong",
    image=":image",
    files_present=["/app/gone"],
    files_absent=["/app/lib/*/idna/core.py"],
    commands=["bash"],
    user="root",
    env={{"STAGE": "test", "OTHER": "1"}},
)
slim_image_test(name="none", image=":image", tests=[":lib"])
slim_image_test(name="inside", image=":image", tests=[":tests"], extra_env_vars=["GIVEN=yes"])
"""
TEST = """\
import getpass
import importlib.util
import os
import sys

import pytest

import app
import helper


def test_it_is_the_image():
    assert app.__file__ == f"/app/lib/python3.11/site-packages/app.py"
    assert helper.WORD == "brought along"
    assert sys.executable == "/app/bin/python"
    assert os.getcwd() == "/app"
    assert (os.getuid(), os.environ["STAGE"], os.environ["GIVEN"]) == (65532, "production", "yes")
    assert getpass.getuser() == "nonroot"
    assert os.environ["HOME"] == "/home/nonroot"
    assert not os.path.exists("/bin/sh")


def test_what_is_not_the_images_comes_last():
    assert pytest.__file__.startswith("/ociwheel-test/")
    assert importlib.util.find_spec("idna").origin.startswith("/app/")


def test_what_can_be_written_to(tmp_path):
    (tmp_path / "a").write_text("a")
    with open("/app/data/a", "w") as file:
        file.write("a")
    for place in ("/app/a", "/a", app.__file__):
        with pytest.raises(OSError):
            open(place, "a")


def test_a_fault():
    assert os.environ.get("BREAK") is None
"""


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    """Give a repository with one image and its tests."""
    folder = tmp_path_factory.mktemp("image-tests")
    with stopped(make_repository(folder / "repo", caches, plugin=plugin)) as made:
        made.edit(
            "pants.toml",
            "[python.resolves]\n",
            '[pytest]\ninstall_from_resolve = "pytest"\n\n[test]\nextra_env_vars = ["BREAK"]\n\n'
            '[python.resolves]\npytest = "3rdparty/python/pytest.lock"\n',
        )
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "idna\n")
        made.write("3rdparty/python/default.lock", locked("idna"))
        made.write("3rdparty/python/pytest.lock", (ROOT / "3rdparty/python/pytest.lock").read_text())
        made.write("src/app/app.py", "import idna\n\ndef main():\n    print(idna)\n")
        made.write("src/app/helper.py", "WORD = 'brought along'\n")
        made.write("src/app/inside_test.py", TEST)
        made.write("src/app/BUILD", BUILD)
        yield made


def test_what_an_image_has(repository: Repository) -> None:
    run = repository.pants("test", "src/app:structure", daemon=True)
    assert run.exit_code == 0, run.stderr
    assert "src/app:structure succeeded" in run.stderr


def test_what_an_image_has_not_is_told_together(repository: Repository) -> None:
    run = repository.pants("test", "src/app:wrong", daemon=True)
    assert run.exit_code == 18, run.stderr
    said = run.stderr[run.stderr.index("6 of 6 expectations do not hold") :]
    lines = [line.strip() for line in said.splitlines()[1:8]]
    path = "/app/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    core = "/app/lib/python3.11/site-packages/idna/core.py"
    assert lines == [
        "files_present: there is no /app/gone",
        f"files_absent: there is {core}, which /app/lib/*/idna/core.py matches",
        f"commands: no folder of PATH has bash: {path}",
        "env: OTHER is not set",
        "env: STAGE is 'production', not 'test'",
        "user: it is nonroot, not root",
        "-> correct the image, or what is expected of it",
    ]


def test_tests_inside_the_image(repository: Repository) -> None:
    options = ("--slim-image-tests-runner=namespaces", "--test-report")
    run = repository.pants(*options, "test", "src/app:inside", daemon=True)
    assert run.exit_code == 0, run.stderr
    report = (repository.root / "dist/test/reports/src.app.inside.xml").read_text()
    assert 'errors="0" failures="0" skipped="0" tests="4"' in report


def test_a_test_that_fails_inside_the_image(repository: Repository) -> None:
    run = repository.pants("test", "src/app:inside", daemon=True, prefix=("env", "BREAK=1"))
    assert run.exit_code == 1, run.stderr
    assert "test_a_fault" in run.stderr
    assert "1 failed, 3 passed" in run.stderr


def test_tests_that_are_none(repository: Repository) -> None:
    run = repository.pants("test", "src/app:none", daemon=True)
    assert run.exit_code == 1, run.stderr
    assert (
        "src/app:none: the field `tests` names no tests: :lib\n  -> name `python_tests` targets" in run.stderr
    )


def test_tests_run_in_podman_as_its_configuration_says(repository: Repository) -> None:
    """Where its images lie and what its containers may is the user's to say, here as for `podman run`."""
    before = dict(repository.env)
    with podman_storage() as podman:
        # Of the host, because networks and limits of podman's own are not to be had everywhere that tests run.
        limits = '["nofile=1024:1024", "nproc=1000:1000"]'
        configuration = podman.folder / "containers.conf"
        configuration.write_text(f'[containers]\nnetns = "host"\ndefault_ulimits = {limits}\n')
        repository.env.update({**podman.variables(), "CONTAINERS_CONF": str(configuration)})
        try:
            run = repository.pants(
                *("--slim-image-tests-runner=podman", "--test-output=all", "test", "src/app:inside"),
                daemon=True,
            )
        finally:
            repository.env.clear()
            repository.env.update(before)
        assert run.exit_code == 0, run.stderr
        assert "4 passed" in run.stderr
        names = podman("images", "--format", "{{.Repository}}:{{.Tag}}").split()
        assert names == ["localhost/slim-python-image/src/app/inside:linux-amd64"]
