"""Names of files as a tree, with links followed the way the kernel does: the one link walk of the core.

Nothing here touches a disk. Each change is one step, whatever hangs below it, and walks share a budget, so
that links made to lead through each other cost no more than a tree's size allows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from ociwheel.formats.guard import Guard
from ociwheel.wording import quoted

R = TypeVar("R")

# path_resolution(7): "the maximum number of symbolic links [...] is 40".
MOST_LINKS = 40
_FREE_STEPS = 1_000_000
_STEPS_OF_ENTRY = 100


class _Node(Generic[R]):
    __slots__ = ("children", "record")

    def __init__(self) -> None:
        self.record: R | None = None
        """What is there; ``None`` for a folder that only the paths below it imply."""
        self.children: dict[str, _Node[R]] = {}


class FileTree(Generic[R]):
    """Records by path.

    :param link_of: the text of a symbolic link, ``None`` for all else.
    :param guard: tells of walks that cost more than the tree's size allows.
    """

    def __init__(self, link_of: Callable[[R], str | None], guard: Guard) -> None:
        self._link_of = link_of
        self._guard = guard
        self._root: _Node[R] = _Node()
        self._budget = _FREE_STEPS

    def get(self, path: str) -> R | None:
        """Return what is at a path, no link followed."""
        node = self._at(path)
        return node.record if node else None

    def put(self, path: str, record: R, *, folder: bool) -> None:
        """Put something at a path; a folder that was there stays only for a folder.

        :param path: where it really is, see :meth:`folder`.
        """
        self._budget += _STEPS_OF_ENTRY
        node = self._root
        for part in path.split("/") if path else ():
            child = node.children.get(part)
            if child is None:
                child = node.children[part] = _Node()
            node = child
        node.record = record
        if not folder:
            node.children = {}

    def remove(self, path: str) -> None:
        """Take away what is at a path, and all below it."""
        above, _, name = path.rpartition("/")
        node = self._at(above)
        if node:
            node.children.pop(name, None)

    def empty(self, path: str) -> None:
        """Take away all below a path."""
        node = self._at(path)
        if node:
            node.children = {}

    def items(self, path: str = "") -> Iterator[tuple[str, R]]:
        """Yield paths and records below a path, in no useful order."""
        node = self._at(path)
        todo = [(path, node)] if node else []
        while todo:
            at, node = todo.pop()
            if node.record is not None:
                yield at, node.record
            todo += [(f"{at}/{name}" if at else name, child) for name, child in node.children.items()]

    def resolve(self, path: str) -> str | None:
        """Return where a path leads to, links followed; ``None`` for nothing and for links in a circle.

        :raises OciwheelError: all walks together cost more than the tree's size allows.
        """
        return self._walk(path, missing=False, above=True)

    def folder(self, path: str) -> str | None:
        """Return where a folder really is, whether or not it is there yet."""
        return self._walk(path, missing=True, above=True)

    def check_link(self, path: str) -> None:
        """Make sure that a symbolic link stays inside, whether or not there is something where it leads to.

        :raises OciwheelError: it is absolute, leads above the root, or leads in a circle.
        """
        if self._walk(path, missing=True, above=False) is None:
            what = "leads in a circle" if self.folder(path) is None else "would leave its folder"
            raise self._guard.refuse(f"the link {quoted(path)} {what}")

    def _at(self, path: str) -> _Node[R] | None:
        node: _Node[R] | None = self._root
        for part in path.split("/") if path else ():
            node = node.children.get(part) if node else None
        return node

    def _walk(self, path: str, *, missing: bool, above: bool) -> str | None:
        todo = path.split("/")[::-1]
        names: list[str] = []
        nodes: list[_Node[R] | None] = [self._root]
        links = 0
        while todo:
            part = todo.pop()
            self._budget -= 1
            if self._budget < 0:
                raise self._guard.refuse("its links lead through too many other links")
            if part in {"", "."}:
                continue
            if part == "..":
                if not names and not above:
                    return None
                del names[-1:]
                del nodes[len(names) + 1 :]
                continue
            node = nodes[-1].children.get(part) if nodes[-1] else None
            if node is None and not missing:
                return None
            text = self._link_of(node.record) if node and node.record is not None else None
            if text is None:
                names.append(part)
                nodes.append(node)
                continue
            links += 1
            if links > MOST_LINKS or (text.startswith("/") and not above):
                return None
            if text.startswith("/"):
                names, nodes = [], [self._root]
            todo += text.split("/")[::-1]
        return "/".join(names)
