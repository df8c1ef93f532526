from __future__ import annotations

import ast
from pathlib import Path

import pytest

from slim_python_image.util_rules import core
from slim_python_image.util_rules.core import core_files, module_name, step_files, steps

FILES = {
    "__main__.py": b"",
    "step.sh": b"",
    "ociwheel/__init__.py": b"",
    "ociwheel/tools.lock": b"{}",
    "ociwheel/errors.py": b"",
    "ociwheel/cli/__init__.py": b"",
    "ociwheel/cli/main.py": b'import ociwheel.errors\nSTEPS = {\n    "plan": ("ociwheel.plan.step", "p"),\n}',
    "ociwheel/plan/__init__.py": b"",
    "ociwheel/plan/step.py": b"def run():\n    from ociwheel import (\n        platforms,\n    )",
    "ociwheel/plan/unused.py": b"import ociwheel.build.zig",
    "ociwheel/plan/data/tags.json": b"{}",
    "ociwheel/platforms.py": b"",
    "ociwheel/build/__init__.py": b"",
    "ociwheel/build/zig.py": b"",
    "ociwheel/build/data/headers.json": b"{}",
}


def test_a_step_gets_what_it_imports_and_its_data() -> None:
    left_out = {
        "ociwheel/plan/unused.py",
        "ociwheel/build/__init__.py",
        "ociwheel/build/zig.py",
        "ociwheel/build/data/headers.json",
    }
    assert set(step_files(FILES, "ociwheel.plan.step")) == set(FILES) - left_out


def test_a_step_reaches_the_network_by_the_one_door_only() -> None:
    files = {
        **FILES,
        "ociwheel/fetch/__init__.py": b"",
        "ociwheel/transport/connection.py": b"import urllib.request",
        "ociwheel/fetch/index.py": b"from ociwheel.transport.connection import Connections",
        "ociwheel/fetch/step.py": b"from ociwheel.fetch import index",
    }
    table = {"fetch": "ociwheel.fetch.step", "plan": "ociwheel.plan.step"}
    assert core.network_steps(files, table) == {"fetch"}


def test_of_the_core_itself_no_step_that_runs_others_code_reaches_the_network() -> None:
    package = Path(core.__file__).parents[2] / "ociwheel"
    files = core_files(package)
    found = core.network_steps(files, steps(files["ociwheel/cli/main.py"]))
    assert found >= {
        "toolbox",
        "describe",
        "fetch",
        "fetch-debs",
        "fetch-git",
        "build-resolve",
        "debian-lock",
        "fetch-crates",
    }
    assert not found & {
        "build",
        "build-requires",
        "plan",
        "zig",
        "sysroot",
        "wheel-layer",
        "source-layer",
        "image",
        "index",
    }


def test_each_step_of_the_core_is_read() -> None:
    main = (Path(core.__file__).parents[2] / "ociwheel/cli/main.py").read_bytes()
    table = main.decode().partition("\nSTEPS: Mapping[str, tuple[str, str]] = ")[2].partition("\n}\n")[0]
    known = ast.literal_eval(table + "\n}")
    assert steps(main) == {step: module for step, (module, _) in known.items()}


def test_the_table_of_steps_is_read_from_the_core() -> None:
    assert steps(FILES["ociwheel/cli/main.py"]) == {"plan": "ociwheel.plan.step"}
    assert steps(b'"a-b": (\n        "ociwheel.a.b",\n        "does",\n    ),') == {"a-b": "ociwheel.a.b"}
    with pytest.raises(AssertionError, match="no table of steps"):
        steps(b"STEPS = {}")


def test_a_line_of_the_table_may_be_several() -> None:
    table = b"""STEPS = {\n    "plan": (\n        "ociwheel.plan.step",\n        "choose",\n    ),\n}"""
    assert steps(table) == {"plan": "ociwheel.plan.step"}


def test_the_core_goes_into_sandboxes_without_its_tests(tmp_path: Path) -> None:
    package = tmp_path / "ociwheel"
    for name in ("errors.py", "errors_test.py", "plan/plan.py", "sandbox/step.sh", "__pycache__/x.pyc"):
        (package / name).parent.mkdir(parents=True, exist_ok=True)
        (package / name).write_text(name)
    assert core_files(package) == {
        "ociwheel/errors.py": b"errors.py",
        "ociwheel/plan/plan.py": b"plan/plan.py",
        "step.sh": b"sandbox/step.sh",
    }


def test_module_names() -> None:
    assert module_name("ociwheel/plan/__init__.py") == "ociwheel.plan"
    assert module_name("ociwheel/plan/step.py") == "ociwheel.plan.step"
    assert module_name("__main__.py") is None
    assert module_name("ociwheel/tools.lock") is None


def test_every_step_of_the_real_core_has_its_code() -> None:
    package = Path(core.__file__).parents[2] / "ociwheel"
    files = core_files(package)
    table = steps(files["ociwheel/cli/main.py"])
    for step, module in table.items():
        kept = step_files(files, module)
        assert {"__main__.py", "step.sh", "ociwheel/errors.py", "ociwheel/documents.py"} <= set(kept), step
        assert f"{module.replace('.', '/')}.py" in kept, step
    assert len(step_files(files, table["plan"])) < len(files) / 2


def test_the_table_of_steps_is_read_however_its_lines_are_broken() -> None:
    table = b'"a": ("ociwheel.a.a_step", "one"),\n    "b-c": (\n        "ociwheel.b.c_step",\n        "two",\n    ),\n'
    assert core.steps(table) == {"a": "ociwheel.a.a_step", "b-c": "ociwheel.b.c_step"}
