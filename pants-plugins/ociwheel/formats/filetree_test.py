"""The link walk, and that changes of a tree cost no more than what is added to it."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest

from ociwheel.errors import BaseError
from ociwheel.formats.entries import Entry
from ociwheel.formats.filetree import FileTree
from ociwheel.formats.guard import Guard
from ociwheel.formats.layers import LayerStack

GUARD = Guard("the image", BaseError)


def steps(call: Callable[[], object]) -> int:
    """Return how many lines of Python a call runs: a measure of work that no other load changes."""
    count = 0

    def trace(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return count


def folders(count: int) -> list[Entry]:
    return [Entry(f"d/{number}", "dir", 0o755) for number in range(count)]


def files(count: int) -> list[Entry]:
    return [Entry(f"d/{number}", "file", 0o644) for number in range(count)]


def hard_links(count: int) -> list[Entry]:
    return [Entry(f"l{number}", "hardlink", 0o644, target=f"gone/{number}") for number in range(count)]


def whiteouts(count: int) -> list[Entry]:
    return [Entry(f"d/.wh.{number}", "file", 0o644) for number in range(count)]


def opaque(count: int) -> list[Entry]:
    return [Entry(f"d/{number}/.wh..wh..opq", "file", 0o644) for number in range(count)]


@pytest.mark.parametrize("upper", [files, hard_links, whiteouts, opaque, folders])
def test_a_layer_on_top_costs_what_it_holds(upper: Callable[[int], list[Entry]]) -> None:
    def work(count: int) -> int:
        stack = LayerStack(GUARD)
        stack.add(folders(count))
        layer = upper(count)
        return steps(lambda: stack.add(layer))

    assert work(400) <= 2.2 * work(200)


def test_links_that_lead_through_each_other_share_a_budget() -> None:
    tree: FileTree[str] = FileTree(lambda text: text or None, GUARD)
    for number in range(3000):
        tree.put(f"l{number}", f"l{number + 1}/" * 15, folder=False)

    def walks() -> None:
        for number in range(100_000):
            tree.resolve(f"l{number % 3000}")

    with pytest.raises(BaseError, match="its links lead through too many other links"):
        walks()


def test_links_are_followed_as_the_kernel_does() -> None:
    tree: FileTree[str] = FileTree(lambda text: text or None, GUARD)
    tree.put("usr/lib/x.so.1", "", folder=False)
    links = {"lib": "usr/lib", "usr/lib/x.so": "x.so.1", "abs": "/lib/x.so", "up": "../../usr/lib", "loop": "loop",
             "usr/back": "../lib/../lib/x.so"}  # fmt: skip
    for path, text in links.items():
        tree.put(path, text, folder=False)
    for path in ("lib/x.so", "abs", "/up/x.so", "usr/back", "./lib//x.so", "lib/../lib/x.so"):
        assert tree.resolve(path) == "usr/lib/x.so.1", path
    assert [tree.resolve(path) for path in ("loop", "gone", "lib/gone", "gone/../lib")] == [None] * 4
    assert (tree.resolve(""), tree.resolve("/"), tree.folder("lib/new/x")) == ("", "", "usr/lib/new/x")
    chain = {f"c{number}": f"c{number + 1}" for number in range(41)}
    for path, text in chain.items():
        tree.put(path, text, folder=False)
    tree.put("c41", "", folder=False)
    assert (tree.resolve("c1"), tree.resolve("c0")) == ("c41", None)
