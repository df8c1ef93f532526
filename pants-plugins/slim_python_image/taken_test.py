"""What an image does with each kind of target among its dependencies: it has the file, or says that it has not."""

from __future__ import annotations

from typing import Any

import pytest
from pants.backend.docker import register as docker
from pants.backend.docker.util_rules.dependencies import InferDockerDependencies
from pants.backend.python import register as python
from pants.backend.python import target_types_rules
from pants.backend.shell import register as shell
from pants.backend.shell.dependency_inference import InferShellDependencies
from pants.core import register as core
from pants.engine.addresses import Address
from pants.engine.fs import Snapshot
from pants.engine.internals.scheduler import ExecutionError
from pants.engine.rules import QueryRule
from pants.engine.unions import UnionRule
from pants.testutil.rule_runner import RuleRunner

from slim_python_image import register
from slim_python_image.util_rules.image_content import ImageContent, ImageContentRequest

FILES = {
    "3rdparty/debian/BUILD": 'debian_python_base(name="base", suites=["bookworm"])',
    "3rdparty/default.lock": "",
    "src/shop/shop.py": "",
    "src/shop/run.sh": "#!/bin/sh\n",
    "src/shop/shop.ini": "",
    "src/shop/page.html": "",
    "src/shop/job/job.py": "",
    "src/shop/Dockerfile": "FROM scratch\n",
    "src/shop/BUILD": """
python_sources(name="lib", sources=["shop.py"])
python_sources(name="jobs", sources=["job/*.py"])
shell_sources(name="shell", sources=["*.sh"])
files(name="files", sources=["*.ini"])
relocated_files(name="moved", files_targets=[":files"], src="src/shop", dest="conf")
resources(name="resources", sources=["*.html"])
docker_image(name="docker")
pex_binary(name="pex", entry_point="job/job.py")
""",
}


def _downloads(rule: object) -> bool:
    """Whether a rule lets Pants infer what a Dockerfile or a script needs, with a tool that it downloads."""
    return isinstance(rule, UnionRule) and rule.union_member in (
        InferDockerDependencies,
        InferShellDependencies,
    )


@pytest.fixture(scope="module")
def runner() -> RuleRunner:
    """Give an engine that has the backends of all these targets."""
    backends: tuple[Any, ...] = (core, python, shell, docker, register)
    inference: Any = target_types_rules
    made = RuleRunner(
        rules=[
            *(one for part in (*backends, inference) for one in part.rules() if not _downloads(one)),
            QueryRule(ImageContent, [ImageContentRequest]),
        ],
        target_types=[kind for backend in backends for kind in backend.target_types()],
    )
    made.set_options(
        [
            "--source-root-patterns=['src/*']",
            "--python-enable-resolves",
            "--python-resolves={'python-default': '3rdparty/default.lock'}",
            "--python-infer-use-rust-parser",
            "--python-interpreter-constraints=['CPython==3.11.*']",
        ],
        env_inherit={"PATH", "PYENV_ROOT", "HOME"},
    )
    made.write_files(FILES)
    return made


def image_with(runner: RuleRunner, name: str) -> ImageContent:
    """Return the content of an image that has one target more among its dependencies."""
    image = f"""\
slim_python_image(name="image", entry_point="shop", dependencies=[":{name}"], base="//3rdparty/debian:base")
"""
    runner.write_files({"src/shop/BUILD": FILES["src/shop/BUILD"] + image})
    return runner.request(ImageContent, [ImageContentRequest(Address("src/shop", target_name="image"))])


@pytest.mark.parametrize(
    ("name", "sources", "files"),
    [
        ("lib", (), ()),
        ("files", (), ("src/shop/shop.ini",)),
        ("moved", (), ("conf/shop.ini",)),
        ("resources", ("page.html",), ()),
        ("pex", ("job/job.py",), ()),
    ],
)
def test_what_an_image_takes(
    runner: RuleRunner, name: str, sources: tuple[str, ...], files: tuple[str, ...]
) -> None:
    image = image_with(runner, name)
    assert runner.request(Snapshot, [image.sources]).files == tuple(sorted(("shop.py", *sources)))
    assert runner.request(Snapshot, [image.files]).files == files


@pytest.mark.parametrize(
    ("name", "target", "kind"),
    [
        ("shell", "src/shop/run.sh:shell", "shell_source"),
        ("docker", "src/shop:docker", "docker_image"),
    ],
)
def test_what_an_image_cannot_hold(runner: RuleRunner, name: str, target: str, kind: str) -> None:
    with pytest.raises(ExecutionError) as caught:
        image_with(runner, name)
    assert (
        "src/shop:image: its dependencies have targets of which nothing would be in the image\n"
        f"  {target} is a `{kind}`\n"
        f"  -> name their files in a `files` or `resources` target, or leave them out: !!{target}\n"
    ) in f"{caught.value}\n"
