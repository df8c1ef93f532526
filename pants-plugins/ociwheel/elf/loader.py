"""What glibc's dynamic loader does with a file: which libraries it finds, and where.

Specification: ld.so(8), "DESCRIPTION"; System V gABI, "Shared Object Dependencies". ld.so.cache is left out:
that of a base of Debian packages names nothing outside of the default folders.
"""

from __future__ import annotations

import posixpath
import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from ociwheel.elf.facts import ElfFacts
from ociwheel.elf.tree import ImageTree
from ociwheel.platforms import Platform

GLIBC = "libc.so.6"
_MUSL_LOADER = re.compile(r"/(?:usr/)?lib/ld-musl-[^/]+\.so\.1")
# musl's loader takes these for itself, whatever follows (ldso/dynlink.c, load_library).
_MUSL_OWN = re.compile(r"lib(?:c|pthread|rt|m|dl|util|xnet)\..*|ld-musl-.*")


@dataclass(frozen=True)
class _Loaded:
    """A file that the loader has opened."""

    facts: ElfFacts
    folder: str
    """Folder it was opened in, ``$ORIGIN``; differs from the file's own behind a symbolic link."""
    parent: _Loaded | None


@dataclass
class Load:
    """What happened when one file was loaded with all that it needs."""

    found: dict[tuple[str, str], str] = field(default_factory=dict)
    """(path, needed name): path of the library."""
    missing: set[tuple[str, str]] = field(default_factory=set)
    """(path, needed name) without one."""
    loaded: set[str] = field(default_factory=set)
    """Paths of all files, the first included."""


class Loader:
    """The loader of one image."""

    def __init__(
        self, tree: ImageTree, platform: Platform, libc: str = "glibc", library_path: Sequence[str] = ()
    ) -> None:
        """Make the loader of one image.

        :param library_path: folders of the variable ``LD_LIBRARY_PATH``.
        """
        self._library_path = tuple(folder for folder in library_path if folder.startswith("/"))
        self._tree = tree
        self._platform = platform
        self._default = tuple(f"/{folder}" for folder in platform.loader_folders)
        if tree.resolve("etc/ld.so.cache") is not None and tree.resolve("etc/ld.so.conf") is not None:
            # An image that ran ldconfig: what is in its cache is what Debian's ld.so.conf names besides.
            self._default += ("/usr/local/lib", f"/usr/local/lib/{platform.triplet}")
        self._musl: str | None = None
        if libc == "musl":
            self._default = ("/lib", "/usr/local/lib", "/usr/lib")
            # By the name that programs know it by: Debian's is a link, and the file is called libc.so.
            names = {f.interp for f in tree.elf.values() if f.interp and _MUSL_LOADER.fullmatch(f.interp)}
            found = [facts.path for name in sorted(names) if (facts := tree.find_elf(name))]
            self._musl = found[0] if found else None

    @property
    def musl(self) -> ElfFacts | None:
        """The image's musl, ``None`` for another libc or none."""
        return self._tree.elf[self._musl] if self._musl else None

    @property
    def glibc(self) -> ElfFacts | None:
        """The image's glibc, ``None`` for another libc or none."""
        places = (self._tree.find_elf(f"{folder}/{GLIBC}") for folder in self._default)
        return next((facts for facts in places if facts is not None and self.fits(facts)), None)

    def fits(self, facts: ElfFacts) -> bool:
        """Tell whether a file is for the image's machine."""
        return (facts.machine, facts.elf_class) == (self._platform.elf_machine, self._platform.elf_class)

    def load(self, root: ElfFacts) -> Load:
        """Load a file and, breadth first, all that it needs."""
        result = Load(loaded={root.path})
        by_name: dict[str, str] = {root.soname: root.path} if root.soname else {}
        queue = deque([_Loaded(root, posixpath.dirname(root.path), None)])
        while queue:
            current = queue.popleft()
            for name in current.facts.needed:
                key = (current.facts.path, name)
                # A library that is loaded already is taken by its name, wherever it lies.
                if name in by_name:
                    result.found[key] = by_name[name]
                    continue
                hit = self._search(current, name)
                if hit is None:
                    result.missing.add(key)
                    continue
                result.found[key] = hit.facts.path
                by_name[name] = hit.facts.path
                if hit.facts.soname:
                    by_name.setdefault(hit.facts.soname, hit.facts.path)
                if hit.facts.path not in result.loaded:
                    result.loaded.add(hit.facts.path)
                    queue.append(hit)
        return result

    def _search(self, current: _Loaded, name: str) -> _Loaded | None:
        # "If a shared object dependency contains a slash, then it is loaded as a pathname".
        if self._musl and _MUSL_OWN.fullmatch(name):
            return _Loaded(self._tree.elf[self._musl], posixpath.dirname(self._musl), current)
        places = [name] if "/" in name else [f"{f}/{name}" for f in self._folders(current)]
        for place in places:
            facts = self._tree.find_elf(place)
            if facts is not None and self.fits(facts):
                folder = self._tree.resolve(posixpath.dirname(place)) or ""
                return _Loaded(facts, folder, current)
        return None

    def _folders(self, current: _Loaded) -> Iterator[str]:
        if not current.facts.runpath:
            # DT_RPATH, unlike DT_RUNPATH, counts for the dependencies of dependencies too.
            above: _Loaded | None = current
            while above is not None:
                if not above.facts.runpath:
                    yield from self._expand(above.facts.rpath, above.folder)
                above = above.parent
        yield from self._library_path
        yield from self._expand(current.facts.runpath, current.folder)
        yield from self._default

    def _expand(self, folders: tuple[str, ...], origin: str) -> Iterator[str]:
        values = {"ORIGIN": f"/{origin}", "LIB": f"lib/{self._platform.triplet}"}
        for folder in folders:
            text = folder
            for token, value in values.items():
                text = text.replace(f"${{{token}}}", value).replace(f"${token}", value)
            if text.startswith("/"):  # anything else depends on the current folder of the process
                yield text
