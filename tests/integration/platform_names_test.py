"""Both packages know platforms by the same names, although neither imports the other."""

from __future__ import annotations

import ast
from pathlib import Path

from ociwheel.platforms import PLATFORMS

ROOT = Path(__file__).resolve().parents[2]


def test_the_backend_has_the_machines_of_the_cores_table() -> None:
    source = ROOT / "pants-plugins/slim_python_image/util_rules/wheel_tags.py"
    values = [
        node.value
        for node in ast.parse(source.read_text()).body
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MACHINES"
    ]
    assert [ast.literal_eval(value) for value in values] == [{row.oci: row.machine for row in PLATFORMS}]
