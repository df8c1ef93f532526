from __future__ import annotations

import argparse
import json
from typing import TYPE_CHECKING, Any

import pytest

from ociwheel.base import deb_layer_step, deb_layers_step
from ociwheel.errors import UsageError
from tests.support.debian import Item, folder, hardlink, write_debs
from tests.support.layers import MIB, noise, unpacked_tree

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


PACKAGES = {
    "base-files": [
        folder("./var/mail/", 0o2775),
        folder("./srv/empty/", 0o700),
        Item("./usr/lib/os-release", b'ID=debian\nVERSION_ID="12"\n'),
    ],
    "libbig": [
        Item("./usr/lib/big/one.so", noise(700_000)),
        Item("./usr/lib/big/two.so", noise(800_000)),
        hardlink("./usr/bin/two", "./usr/lib/big/two.so"),
    ],
    "mailer": [Item("./var/mail/a", noise(600_000), 0o660, gid=8), Item("./etc/mailer.conf", b"x")],
}


@pytest.fixture
def step(tmp_path: Path) -> Callable[..., dict[str, Any]]:
    def run(output: str, *more: str, module: Any = deb_layers_step) -> dict[str, Any]:
        parser = argparse.ArgumentParser()
        module.configure(parser)
        arguments = [
            "--debs",
            str(tmp_path / "debs"),
            "--title",
            "system",
            "--output",
            str(tmp_path / output),
        ]
        found: dict[str, Any] = module.run(parser.parse_args([*arguments, *more]))
        return found

    return run


def test_a_large_base_becomes_several_layers_with_the_same_tree(tmp_path: Path, step: Any) -> None:
    write_debs(tmp_path / "debs", PACKAGES)
    layers = step("parts", "--max-size", str(MIB))["layers"]
    folders = sorted((tmp_path / "parts").iterdir())
    assert [one["title"] for one in layers] == [f"system, part {n} of 3" for n in (1, 2, 3)]
    assert all(one["descriptor"]["size"] <= MIB for one in layers)
    whole = step("whole", module=deb_layer_step)
    assert unpacked_tree(*folders) == unpacked_tree(tmp_path / "whole")
    names = [[one["name"] for one in layer["contents"]] for layer in layers]
    assert names == [["base-files", "libbig"], ["libbig"], ["mailer"]]
    assert sum(one["unpacked_size"] for one in layers) == whole["unpacked_size"]
    # What a package says of itself is told once, and the system's name where its file is.
    rows = [json.loads((one / "layer-packages.json").read_bytes())["packages"] for one in folders]
    assert [[row.get("name", row["type"]) for row in one] for one in rows] == [
        ["base-files", "libbig", "system"],
        [],
        ["mailer"],
    ]


def test_what_fits_is_the_layer_that_it_would_be_without_a_bound(tmp_path: Path, step: Any) -> None:
    write_debs(tmp_path / "debs", PACKAGES)
    (layer,) = step("parts", "--max-size", str(4 * MIB))["layers"]
    assert layer == step("whole", module=deb_layer_step)
    for name in ("layer-facts.json", "layer-names.json", "layer-packages.json"):
        assert (tmp_path / "parts/000" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_bound_that_makes_no_sense(tmp_path: Path, step: Any) -> None:
    write_debs(tmp_path / "debs", PACKAGES)
    with pytest.raises(UsageError, match="--max-size: 1 bytes are less than 1048576"):
        step("parts", "--max-size", "1")
