from __future__ import annotations

import argparse
import ast
import importlib
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import ociwheel
from ociwheel.cli.main import STEPS
from ociwheel.cli.quick import Options

PACKAGE = Path(ociwheel.__file__).parent
# Arguments of a program that it hands on come after `--`; the others take one of several options.
OTHERS = {"run", "interpreter", "sysroot", "test", "toolbox"}


class _Recorder:
    """Takes what a step says of its options."""

    def __init__(self) -> None:
        self.rows: list[tuple[str, dict[str, Any]]] = []

    def add_argument(self, *names: str, **settings: Any) -> None:
        self.rows.append((names[0], settings))


def sample(settings: dict[str, Any]) -> str:
    """Return a text that an option takes."""
    if "choices" in settings:
        return str(list(settings["choices"])[-1])
    for text in ("a/b", "7", "1700000000", "a" * 64, f"sha256:{'b' * 64}"):
        try:
            settings.get("type", str)(text)
        except (ValueError, TypeError, argparse.ArgumentTypeError):
            continue
        return text
    raise AssertionError(f"no text for {settings}")


def both(step: str, argv: list[str]) -> tuple[Any, Any]:
    """Return what is read without and with argparse."""
    module = importlib.import_module(STEPS[step][0])
    parser, options = argparse.ArgumentParser(), Options()
    module.configure(parser)
    module.configure(options)
    return options.read(argv), parser.parse_args(argv)


@pytest.mark.parametrize("step", sorted(STEPS.keys() - OTHERS))
def test_each_step_s_arguments_are_read_as_argparse_reads_them(step: str) -> None:
    recorder = _Recorder()
    importlib.import_module(STEPS[step][0]).configure(recorder)
    least: list[str] = []
    most: list[str] = []
    for name, settings in recorder.rows:
        words = [name] if settings.get("action") == "store_true" else [name, sample(settings)]
        most += words * (2 if settings.get("action") == "append" else 1)
        least += words if settings.get("required") else []
    for argv in (least, most, [*most, *least]):
        quick, expected = both(step, argv)
        assert quick is not None, argv
        assert vars(quick) == vars(expected)
        assert {name: type(value) for name, value in vars(quick).items()} == {
            name: type(value) for name, value in vars(expected).items()
        }


def test_most_steps_start_without_argparse() -> None:
    found = set()
    for step, (module, _) in STEPS.items():
        options = Options()
        importlib.import_module(module).configure(options)
        found |= set() if options.simple else {step}
    assert found == OTHERS


def options(**settings: Any) -> Options:
    result = Options()
    result.add_argument("--size", **settings)
    return result


@pytest.mark.parametrize(
    "argv",
    [
        *(["--size=7"], ["--siz", "7"], ["--size"], ["--size", "-7"], ["--size", "x"], ["x"], ["--help"], []),
        ["--size", "7", "--other", "8"],
    ],
)
def test_what_is_not_in_the_simple_form_is_left_to_argparse(argv: list[str]) -> None:
    assert options(type=int, required=True).read(argv) is None


def test_options_of_another_form_are_left_to_argparse() -> None:
    for names, settings in (
        (("file",), {}),
        (("--a", "-a"), {}),
        (("--a",), {"nargs": "*"}),
        (("--a",), {"action": "count"}),
    ):
        found = Options()
        found.add_argument(*names, **settings)
        assert found.read([]) is None
    assert options(choices=("a", "b")).read(["--size", "c"]) is None


def test_a_default_is_not_shared_between_two_readings() -> None:
    default: list[str] = []
    one = options(action="append", default=default)
    assert vars(one.read(["--size", "a", "--size", "b"]) or object) == {"size": ["a", "b"]}
    assert default == []
    assert vars(options(action="append").read(["--size", "a"]) or object) == {"size": ["a"]}


def test_each_dataclass_has_a_docstring() -> None:
    """`dataclasses` makes one otherwise, with `inspect`, which costs a step ten milliseconds."""
    without = [
        f"{path.relative_to(PACKAGE)}:{node.lineno}: {node.name}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not path.name.endswith("_test.py")
        for node in ast.walk(ast.parse(path.read_bytes()))
        if isinstance(node, ast.ClassDef)
        and any("dataclass" in ast.unparse(one) for one in node.decorator_list)
        and not ast.get_docstring(node)
    ]
    assert not without


def test_a_step_starts_without_what_it_does_not_use(tmp_path: Path) -> None:
    (tmp_path / "lock.txt").write_text("")
    program = PACKAGE / "sandbox/__main__.py"
    code = (
        "import runpy, sys\n"
        "sys.argv = ['__main__.py', 'plan', '--help-not']\n"
        f"sys.path.insert(0, {str(PACKAGE.parent)!r})\n"
        "import importlib.util\n"
        f"spec = importlib.util.spec_from_file_location('entry', {str(program)!r})\n"
        "entry = importlib.util.module_from_spec(spec)\n"
        "spec.loader.exec_module(entry)\n"
        "sys.modules.update({name: entry._Later(name) for name in entry._LATER})\n"
        "import ociwheel.layer.source_layer_step, ociwheel.fetch.fetch_step, ociwheel.debian.fetch_debs_step\n"
        "loaded = [n for n in entry._LATER if type(sys.modules[n]) is not entry._Later]\n"
        "import argparse, inspect\n"
        "assert inspect.isfunction(entry._main) and argparse.ArgumentParser().prog\n"
        "print(loaded)\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-B", "-c", code], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr
