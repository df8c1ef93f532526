"""An image with the fields that `docker_image` and `pex_binary` users have: what is in it, and what it says."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.integration.repository import BASE, Caches, Repository, locked, make_repository, stopped

pytestmark = pytest.mark.slow

BUILD = f"""\
python_sources(name="lib", sources=["*.py"])
files(name="config", sources=["*.ini"])
slim_python_image(
    name="image",
    entry_point="app.py:main",
    entry_points={{"migrate": "db:run"}},
    start_script="start",
    files_at={{"/etc/app": [":config", "mode=0640", "owner=nonroot"]}},
    extra_env_vars=["STAGE=test"],
    healthcheck=["python", "-m", "db"],
    healthcheck_options={{"interval": "30s", "retries": "3"}},
    resolve="python-default",
    base="{BASE}",
    platforms=["linux/amd64"],
)
"""


@pytest.fixture(scope="module")
def repository(
    tmp_path_factory: pytest.TempPathFactory, plugin: Path, caches: Caches
) -> Iterator[Repository]:
    """Give a repository with one image."""
    folder = tmp_path_factory.mktemp("fields")
    with stopped(make_repository(folder / "repo", caches, plugin=plugin)) as made:
        made.write("3rdparty/python/BUILD", 'python_requirements(name="reqs")\n')
        made.write("3rdparty/python/requirements.txt", "idna\n")
        made.write("3rdparty/python/default.lock", locked("idna"))
        made.write("src/app/app.py", "import idna\n\ndef main():\n    print(idna)\n")
        made.write("src/app/db.py", "def run():\n    print('migrated')\n")
        made.write("src/app/app.ini", "a = 1\n")
        made.write(
            "src/app/start", "#!/app/bin/python\nimport os, sys\n\nos.execv(sys.argv[1], sys.argv[1:])\n"
        )
        made.write("src/app/BUILD", BUILD)
        yield made


def test_fields(repository: Repository) -> None:
    repository.package("src/app:image")
    layout = repository.layout("src.app/image")
    config = layout.config()["config"]
    assert config["Entrypoint"] == ["/app/bin/start", "/app/bin/image"]
    assert config["Healthcheck"] == {
        "Test": ["CMD", "python", "-m", "db"],
        "Interval": 30 * 10**9,
        "Retries": 3,
    }
    assert "STAGE=test" in config["Env"]
    top = layout.layers()[-1]
    found = layout.listing(top)
    ini = found["etc/app/app.ini"]
    assert (ini.mode, ini.uid, ini.gid) == (0o640, 65532, 65532)
    assert found["app/bin/start"].mode == 0o755
    assert {"app/bin/image", "app/bin/migrate"} <= set(found)
    assert layout.read(top, "etc/app/app.ini") == b"a = 1\n"
    assert not [name for name in found if name.endswith("src/app/app.ini")]


def test_tailor_proposes_an_image_for_a_binary(repository: Repository) -> None:
    repository.write("src/job/job.py", "def run():\n    print('job')\n")
    repository.write(
        "src/job/BUILD", 'python_sources(name="lib")\npex_binary(name="bin", entry_point="job.py:run")\n'
    )
    run = repository.pants("tailor", "::", daemon=True)
    assert run.exit_code == 0, run.stderr
    text = (repository.root / "src/job/BUILD").read_text()
    assert f'name="image",\n    entry_point="job.py:run",\n    base="{BASE}",' in text
    assert repository.pants("tailor", "--check", "::", daemon=True).exit_code == 0, "once is enough"
