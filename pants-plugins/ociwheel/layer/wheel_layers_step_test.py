from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ociwheel_testing.elf_writer import Elf, elf_bytes
from ociwheel_testing.wheel_writer import write_wheel

from ociwheel.errors import LayerError, UsageError
from ociwheel.layer import wheel_layer_step, wheel_layers_step
from ociwheel.notes import take_told
from tests.support.layers import MIB, MINOR, noise, run_step, unpacked_tree

_SITE = f"app/lib/python{MINOR}/site-packages"

Step = Callable[..., dict[str, Any]]


@pytest.fixture
def step(tmp_path: Path) -> Step:
    def run(output: str, *more: str, module: Any = wheel_layers_step) -> dict[str, Any]:
        arguments = ["--wheels", str(tmp_path / "wheels"), "--title", "demo", "--bytecode", "none"]
        return run_step(module, tmp_path, *arguments, "--output", str(tmp_path / output), *more)

    return run


def test_a_large_wheel_becomes_several_layers_with_the_same_tree(tmp_path: Path, step: Step) -> None:
    write_wheel(
        tmp_path / "wheels",
        files={
            "demo/__init__.py": b"import ctypes\nctypes.CDLL('libdemo.so')\n",
            "demo/data/one": noise(700_000),
            "demo/data/two": noise(800_000),
            "demo/lib/x": noise(900_000),
            "demo-1.0.data/headers/demo.h": b"int x;",
        },
        requires=("other",),
    )
    write_wheel(tmp_path / "wheels", name="light", files={"light/__init__.py": b""})
    document = step("parts", "--max-size", str(MIB))
    layers = document["layers"]
    folders = sorted((tmp_path / "parts").iterdir())
    assert [folder.name for folder in folders] == ["000", "001", "002"]
    assert all(one["descriptor"]["size"] <= MIB for one in layers)
    assert [one["title"] for one in layers] == [f"demo, part {n} of 3" for n in (1, 2, 3)]

    whole = step("whole", module=wheel_layer_step)
    assert unpacked_tree(*folders) == unpacked_tree(tmp_path / "whole")
    assert sum(one["unpacked_size"] for one in layers) == whole["unpacked_size"]
    # What is told of a distribution is told once, with the first of its files.
    assert [one["left_out"] for one in layers] == [whole["left_out"], [], []]
    for name, part in (("layer-names", "requires"), ("layer-facts", "opened")):
        said = [json.loads((folder / f"{name}.json").read_bytes())[part] for folder in folders]
        (once,) = [json.loads((tmp_path / "whole" / f"{name}.json").read_bytes())[part]]
        assert [bool(one) for one in said] == [True, False, False]
        assert said[0] == once
    rows = [json.loads((folder / "layer-packages.json").read_bytes())["packages"] for folder in folders]
    assert sorted(row["name"] for one in rows for row in one) == ["demo", "light"]
    sizes = [one["unpacked_size"] for layer in layers for one in layer["contents"] if one["name"] == "demo"]
    assert len(sizes) == 3
    assert sum(sizes) == next(one["unpacked_size"] for one in whole["contents"] if one["name"] == "demo")


def test_what_fits_is_the_layer_that_it_would_be_without_a_bound(tmp_path: Path, step: Step) -> None:
    write_wheel(tmp_path / "wheels", files={"demo/__init__.py": b"X = 1\n"})
    (layer,) = step("parts", "--max-size", str(MIB))["layers"]
    assert layer == step("whole", module=wheel_layer_step)
    for name in ("layer-facts.json", "layer-names.json", "layer-packages.json"):
        assert (tmp_path / "parts/000" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert sorted(path.name for path in (tmp_path / "parts").iterdir()) == ["000"]


def test_a_larger_file_is_alone_and_told(tmp_path: Path, step: Step) -> None:
    write_wheel(tmp_path / "wheels", files={"demo/__init__.py": b"", "demo/huge.bin": noise(2 * MIB)})
    take_told()
    document = step("parts", "--max-size", str(MIB))
    assert [one["files"] for one in document["layers"]][1] == 6  # the file and the folders that lead to it
    (told,) = take_told()
    assert told == (
        f"demo 1.0: /{_SITE}/demo/huge.bin has 2097152 bytes, more than a layer may have (1048576): "
        "it has a layer of its own"
    )


def test_code_for_another_machine_is_found_in_every_part(tmp_path: Path, step: Step) -> None:
    cp = f"cp{sys.version_info[0]}{sys.version_info[1]}"
    extension = f"demo/z.cpython-{cp[2:]}-x86_64-linux-gnu.so"
    files = {"demo/a.bin": noise(900_000), extension: elf_bytes(Elf(machine=183)) + noise(900_000)}
    write_wheel(tmp_path / "wheels", tag=f"{cp}-{cp}-linux_x86_64", files=files)
    with pytest.raises(LayerError, match=r"z\.cpython-.* is code for"):
        step("parts", "--max-size", str(MIB))


def test_a_bound_that_makes_no_sense(tmp_path: Path, step: Step) -> None:
    write_wheel(tmp_path / "wheels")
    with pytest.raises(UsageError, match="--max-size: 1 bytes are less than 1048576"):
        step("parts", "--max-size", "1")
