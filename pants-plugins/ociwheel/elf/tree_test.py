from typing import Any

import pytest

from ociwheel.elf.tree import ImageTree
from ociwheel.errors import UsageError


def _facts(*rows: tuple[str, str, str]) -> dict[str, Any]:
    files = [[path, kind, 0o644, 0, 0, 0, target] for path, kind, target in rows]
    return {"schema": "ociwheel.layer-facts/1", "diff_id": "", "files": files, "elf": []}


def test_links_are_followed_inside_the_image() -> None:
    tree = ImageTree(
        [
            _facts(
                ("lib", "l", "usr/lib"),
                ("usr/lib", "d", ""),
                ("usr/lib/x.so", "l", "/../usr/lib/./y/../x.so.1"),
                ("usr/lib/y", "d", ""),
                ("usr/lib/x.so.1", "f", ""),
                ("usr", "d", ""),
                ("usr/lib/out", "l", "../../../../etc/passwd"),
                ("loop", "l", "loop"),
            )
        ]
    )
    assert tree.resolve("/lib/x.so") == "usr/lib/x.so.1"
    assert tree.resolve("lib/out") is None
    assert tree.resolve("loop") is None
    assert tree.resolve("nothing") is None
    assert tree.resolve("/") == ""


def test_whiteouts_delete_what_lower_layers_have() -> None:
    tree = ImageTree(
        [
            _facts(("a", "d", ""), ("a/x", "f", ""), ("b", "d", ""), ("b/x", "f", ""), ("b/y", "f", "")),
            _facts(("a/.wh.x", "f", ""), ("b/.wh..wh..opq", "f", ""), ("b/y", "f", "")),
        ]
    )
    assert [tree.resolve(p) for p in ("a/x", "b/x", "b/y")] == [None, None, "b/y"]


def test_facts_of_another_kind() -> None:
    with pytest.raises(UsageError) as e:
        ImageTree([{"schema": "x"}])
    assert str(e.value) == "facts[0]: expected ociwheel.layer-facts/1, found 'x'"
