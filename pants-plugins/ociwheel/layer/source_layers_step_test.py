from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ociwheel.errors import LayerError
from ociwheel.layer import source_layer_step, source_layers_step
from ociwheel.notes import take_told
from tests.support.layers import MIB, MINOR, noise, run_step, unpacked_tree

Step = Callable[..., dict[str, Any]]


@pytest.fixture
def step(tmp_path: Path) -> Step:
    def run(output: str, *more: str, module: Any = source_layers_step) -> dict[str, Any]:
        arguments = ["--sources", str(tmp_path / "sources"), "--files", str(tmp_path / "files")]
        arguments += ["--title", "code", "--output", str(tmp_path / output)]
        return run_step(module, tmp_path, *arguments, *more)

    return run


@pytest.fixture
def write(tmp_path: Path) -> Callable[[dict[str, bytes]], None]:
    """Give what writes files: into the folder `sources`, or `files`, that their paths begin with."""

    def run(files: dict[str, bytes]) -> None:
        for folder in ("sources", "files"):
            (tmp_path / folder).mkdir(exist_ok=True)
        for path, data in files.items():
            (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / path).write_bytes(data)

    return run


def test_large_code_becomes_several_layers_with_the_same_tree(tmp_path: Path, step: Step, write: Any) -> None:
    write(
        {
            "sources/app/__init__.py": b"X = 1\n",
            "sources/app/__pycache__/x.pyc": b"left out",
            "sources/app/models/one.bin": noise(700_000),
            "sources/app/models/two.bin": noise(800_000),
            "files/data/three.bin": noise(900_000),
        }
    )
    document = step("parts", "--max-size", str(MIB))
    layers = document["layers"]
    folders = sorted((tmp_path / "parts").iterdir())
    assert [folder.name for folder in folders] == ["000", "001", "002"]
    assert all(one["descriptor"]["size"] <= MIB for one in layers)
    assert [one["title"] for one in layers] == [f"code, part {n} of 3" for n in (1, 2, 3)]
    whole = step("whole", module=source_layer_step)
    assert unpacked_tree(*folders) == unpacked_tree(tmp_path / "whole")
    assert sum(one["unpacked_size"] for one in layers) == whole["unpacked_size"]
    assert [one["left_out"] for one in layers] == [whole["left_out"], [], []]
    assert whole["left_out"]
    assert [[c["name"] for c in one["contents"]] for one in layers] == [["first-party code"]] * 3


def test_what_fits_is_the_layer_that_it_would_be_without_a_bound(
    tmp_path: Path, step: Step, write: Any
) -> None:
    write({"sources/app/__init__.py": b"X = 1\n", "files/x/y.txt": b"y", "sources/app/a.pyc": b"left out"})
    (layer,) = step("parts", "--max-size", str(MIB))["layers"]
    assert layer == step("whole", module=source_layer_step)
    for name in ("layer-facts.json", "layer-names.json"):
        assert (tmp_path / "parts/000" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_larger_file_that_compresses_is_alone_and_told(step: Step, write: Any) -> None:
    write({"sources/app/table.csv": b"0," * MIB, "sources/app/__init__.py": b""})
    take_told()
    layers = step("parts", "--max-size", str(MIB), "--bytecode", "none")["layers"]
    assert [one["unpacked_size"] for one in layers] == [0, 2 * MIB]
    assert [told.partition(" has ")[0] for told in take_told()] == [
        f"first-party code: /app/lib/python{MINOR}/site-packages/app/table.csv"
    ]


def test_a_larger_file_that_does_not_is_an_error_that_names_it(step: Step, write: Any) -> None:
    write({"files/models/huge.bin": noise(2 * MIB)})
    with pytest.raises(LayerError, match="and no file can be in two layers") as e:
        step("parts", "--max-size", str(MIB))
    text = e.value.render()
    assert "/app/models/huge.bin: it has 209" in text
    assert f"more than a layer may have ({MIB})" in text
    assert "-> divide the file, leave it out of the image, or raise --max-size" in text
