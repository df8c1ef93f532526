"""What is in the key of an image, part by part; `rules_test.py` has those that need the engine."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

from pants.testutil.option_util import create_subsystem

from slim_python_image.bases import DebianBase, DebPackage, Interpreter
from slim_python_image.products import TargetEnvironment
from slim_python_image.subsystems.options import SlimImageOptions
from slim_python_image.util_rules.image_key import backend_code, builder, compiled

TARGET = TargetEnvironment("linux/amd64", "3.11.2", "glibc", "2.36")


def options(builds: dict[str, dict[str, object]]) -> SlimImageOptions:
    made: SlimImageOptions = create_subsystem(SlimImageOptions, builds=builds)
    return made


def gcc(version: str) -> tuple[DebPackage, ...]:
    return (DebPackage("gcc-12", version, "amd64", "debian", f"pool/{version}.deb", 1, "a" * 64),)


def test_what_gcc_compiles_depends_on_its_packages() -> None:
    base = DebianBase("base", TARGET, Interpreter("base", TARGET, None), (), (), gcc=gcc("12.2-1"))
    other = replace(base, gcc=gcc("12.2-2"))
    by_gcc = options({"nested": {"compiler": "gcc"}})
    assert builder(base, ["nested"], by_gcc) != builder(other, ["nested"], by_gcc)
    assert builder(base, ["clean"], by_gcc) == builder(other, ["clean"], by_gcc)


def test_what_is_compiled_depends_on_its_crates() -> None:
    def lock(sha256: str) -> bytes:
        row = {"sdist": "rusty==1", "sha256": "b", "python": "3.11", "pins": ["wheel==1"], "crates": ["c==1"]}
        files = {"wheel==1": ["w"]}
        return json.dumps({"environments": [row], "files": files, "crates": {"c==1": sha256}}).encode()

    pins = {"rusty": ["1 sha256:b"]}
    assert compiled(lock("c1"), pins, "3.11") == {"rusty==1": ["b", {"wheel==1": ["w"]}, {"c==1": "c1"}]}
    assert compiled(lock("c1"), pins, "3.11") != compiled(lock("c2"), pins, "3.11")
    assert compiled(lock("c1"), {}, "3.11") == compiled(lock("c2"), {}, "3.11") == {}


def test_the_code_of_the_plugin_counts_and_its_tests_do_not(tmp_path: Path) -> None:
    (tmp_path / "rooms").mkdir()
    (tmp_path / "rooms/partition.py").write_text("HEAVY = 1\n")
    before = backend_code(tmp_path)
    (tmp_path / "rooms/partition_test.py").write_text("")
    assert backend_code(tmp_path) == before
    (tmp_path / "rooms/partition.py").write_text("HEAVY = 2\n")
    assert backend_code(tmp_path) != before
