import argparse
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociwheel.errors import LayerError, UsageError
from ociwheel.layer import source_layer_step

_MINOR = f"{sys.version_info[0]}.{sys.version_info[1]}"
_SITE = f"app/lib/python{_MINOR}/site-packages"

Step = Callable[..., dict[str, Any]]


@pytest.fixture
def step(tmp_path: Path) -> Step:
    def run(*more: str) -> dict[str, Any]:
        target = {"schema": "ociwheel.target/1", "platform": "linux/arm64", "python": f"{_MINOR}.2"}
        (tmp_path / "target.json").write_text(json.dumps({**target, "libc": "glibc", "libc_version": "2.36"}))
        parser = argparse.ArgumentParser()
        source_layer_step.configure(parser)
        arguments = ["--target", str(tmp_path / "target.json"), "--output", str(tmp_path / "out")]
        return source_layer_step.run(parser.parse_args([*arguments, *more]))

    return run


def _listing(tmp_path: Path) -> dict[str, int]:
    facts = json.loads((tmp_path / "out/layer-facts.json").read_bytes())
    return {path: mode for path, kind, mode, *_ in facts["files"] if kind == "f"}


def _tree(folder: Path, files: dict[str, bytes]) -> Path:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return folder


def test_sources_files_and_scripts(tmp_path: Path, step: Step) -> None:
    real = _tree(
        tmp_path / "real",
        {
            "svc/__init__.py": b"",
            "svc/data.json": b"{}",
            "svc/__pycache__/x.cpython-311.pyc": b"",
            "x.pyc": b"",
        },
    )
    sources = tmp_path / "sources"
    sources.symlink_to(real)  # immutable inputs of a sandbox are links
    files = _tree(tmp_path / "files", {"run.sh": b"#!/bin/sh\n", "conf/a.ini": b""})
    (files / "run.sh").chmod(0o700)
    (real / "svc/linked.py").symlink_to(files / "conf/a.ini")
    layer = step(
        "--sources", str(sources), "--files", str(files), "--workdir", "/srv/x",
        "--entry-script", "svc=svc.cli:main",
    )  # fmt: skip
    tag = sys.implementation.cache_tag
    assert _listing(tmp_path) == {
        "app/bin/svc": 0o755,
        f"{_SITE}/svc/__init__.py": 0o644,
        f"{_SITE}/svc/__pycache__/__init__.{tag}.pyc": 0o644,
        f"{_SITE}/svc/__pycache__/linked.{tag}.pyc": 0o644,
        f"{_SITE}/svc/data.json": 0o644,
        f"{_SITE}/svc/linked.py": 0o644,
        "srv/x/conf/a.ini": 0o644,
        "srv/x/run.sh": 0o755,
    }
    assert layer["title"] == "first-party code"
    (content,) = layer["contents"]
    assert (content["type"], content["name"], content["version"]) == ("source", "first-party code", "")
    assert content["unpacked_size"] == layer["unpacked_size"] > 0


def test_exclusions(tmp_path: Path, step: Step) -> None:
    sources = _tree(tmp_path / "s", {"svc/a.py": b"", "svc/a_test.py": b"", "svc/tests/t.py": b""})
    step(
        "--sources", str(sources), "--exclude", "*_test.py", "--exclude", "svc/tests/*", "--bytecode", "none"
    )
    assert _listing(tmp_path) == {f"{_SITE}/svc/a.py": 0o644}


def test_a_circle_of_links(tmp_path: Path, step: Step) -> None:
    sources = _tree(tmp_path / "s", {"svc/a.py": b""})
    (sources / "svc/loop").symlink_to(sources)
    with pytest.raises(LayerError) as e:
        step("--sources", str(sources))
    assert str(e.value) == f"{sources}/svc/loop: is a link to a folder that it lies in"


@pytest.mark.parametrize("text", ["svc", "svc=a", "svc=a:", "../x=a:b", "s=a:b;import os", "s=a b:c"])
def test_entry_scripts_that_are_none(step: Step, text: str) -> None:
    with pytest.raises(UsageError) as e:
        step("--entry-script", text)
    assert str(e.value) == f"--entry-script must be NAME=module:function, found {text!r}"


def test_the_interpreter_cannot_be_replaced(step: Step) -> None:
    with pytest.raises(LayerError) as e:
        step("--entry-script", "python3=a:b")
    assert str(e.value) == ("first-party code: it ships /app/bin/python3, which belongs to the base's Python")


@pytest.mark.parametrize("prefix", ["app", "/", ""])
def test_a_prefix_is_an_absolute_path(step: Step, prefix: str) -> None:
    with pytest.raises(UsageError) as e:
        step("--prefix", prefix)
    assert str(e.value) == f"--prefix must be an absolute path other than /, found {prefix!r}"
