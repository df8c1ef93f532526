"""Debian packages that only one distribution is compiled against: locked with the base, seen by it alone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.integration.repository import Caches, locked, make_repository, stopped, version

pytestmark = pytest.mark.slow

BUILD = """
debian_python_base(
    name="small", suites=["bookworm"], packages=["base-files"], python="3.11", platforms=["linux/amd64"]
)
python_requirement(name="netifaces", requirements=["netifaces"])
python_requirement(name="ciso8601", requirements=["ciso8601"])
python_wheel_set(
    name="wheels",
    dependencies=[":ciso8601", ":netifaces"],
    base=":small",
    no_binary=["ciso8601", "netifaces"],
)
"""
GROUP = '[slim-image.builds]\nNetifaces = { builder_packages = ["libyaml-dev"] }\n'
RELOCK = ("generate-lockfiles", "--resolve=small")


def test_a_group_of_one_distribution_builds_that_one_again(
    tmp_path: Path, plugin: Path, caches: Caches
) -> None:
    with stopped(make_repository(tmp_path / "repository", caches, plugin=plugin)) as repository:
        repository.write("3rdparty/python/default.lock", locked("ciso8601", "netifaces"))
        repository.write("src/app/BUILD", BUILD)
        for resolve in ("small", "python-default-build"):
            run = repository.pants("generate-lockfiles", f"--resolve={resolve}", daemon=True)
            assert run.exit_code == 0, run.stderr
        before = (repository.root / "src/app/small.lock").read_text()
        repository.package("src/app:wheels", daemon=True)

        repository.write("pants.toml", (repository.root / "pants.toml").read_text() + GROUP)
        assert repository.failure("src/app:wheels") == (
            "SlimImageError: [slim-image].builds: the `builder_packages` of netifaces (libyaml-dev) are not in "
            "the lock of the base small\n  -> lock them: ./pants generate-lockfiles --resolve=small"
        )

        run = repository.pants(*RELOCK, daemon=True)
        assert run.exit_code == 0, run.stderr
        lock = json.loads((repository.root / "src/app/small.lock").read_bytes())
        (group,) = lock["platforms"]["linux/amd64"]["builder_groups"].values()
        assert {key.partition("=")[0] for key in group} == {"libyaml-0-2", "libyaml-dev"}
        # The difference that a reviewer reads is the group and its packages, line by line.
        gone = set(before.splitlines()) - set(
            (repository.root / "src/app/small.lock").read_text().splitlines()
        )
        assert gone <= {'    "builder_packages": [],'}

        assert [s for s in repository.package("src/app:wheels", daemon=True).started if "Fetch" not in s] == [
            f"Build netifaces {version('netifaces')} for linux/amd64",
            "Unpack headers and libraries for linux/amd64",
        ]
