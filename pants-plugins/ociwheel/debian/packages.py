"""The package index of a suite: ``Packages``, up to 63 000 paragraphs, parsed only where needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from debian.deb822 import Deb822

from ociwheel.debian.relations import Alternatives, Relation, parse_relations, parse_version
from ociwheel.digest import is_sha256
from ociwheel.errors import BaseError
from ociwheel.wording import quoted

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_LONGEST_PATH = 1000
_SIZE = re.compile(r"[0-9]{1,15}")
_SAFE_PATH = re.compile(r"[A-Za-z0-9+._~%:=@-]+(?:/[A-Za-z0-9+._~%:=@-]+)*")


@dataclass(frozen=True)
class Candidate:
    """One version of one package in one archive."""

    name: str
    archive: str
    """``debian`` or ``debian-security``: which list of mirrors has the file."""
    paragraph: str
    """The text of the package's paragraph, not parsed."""

    def __hash__(self) -> int:
        """Hash by identity of the paragraph's text, which is long."""
        return hash((self.name, len(self.paragraph)))

    @cached_property
    def fields(self) -> Deb822:
        """The paragraph's fields."""
        return Deb822(self.paragraph)

    def _required(self, field: str) -> str:
        value = str(self.fields.get(field, "")).strip()
        if not value:
            raise BaseError(f"the package index gives no {field}", where=f"package {self.name}")
        return value

    @cached_property
    def version(self) -> str:
        """The version, valid by Policy 5.6.12."""
        text = self._required("Version")
        parse_version(text)
        return text

    @property
    def architecture(self) -> str:
        """Debian's architecture, or ``all``."""
        return self._required("Architecture")

    @property
    def key(self) -> str:
        """The package's name in a lock: ``name=version:architecture``."""
        return f"{self.name}={self.version}:{self.architecture}"

    @property
    def path(self) -> str:
        """The file's path below the mirror.

        :raises BaseError: the path would leave the mirror's folder.
        """
        path = self._required("Filename").removeprefix("./")
        if len(path) > _LONGEST_PATH or not _SAFE_PATH.fullmatch(path) or ".." in path.split("/"):
            raise BaseError(f"the package index gives the path {quoted(path)}", where=f"package {self.name}")
        return path

    @property
    def size(self) -> int:
        """The file's size in bytes."""
        text = self._required("Size")
        if not _SIZE.fullmatch(text):
            raise BaseError(f"the package index gives the size {quoted(text)}", where=f"package {self.name}")
        return int(text)

    @property
    def sha256(self) -> str:
        """The file's hash, 64 hexadecimal digits."""
        text = self._required("SHA256").lower()
        if not is_sha256(text):
            raise BaseError(f"the package index gives the hash {quoted(text)}", where=f"package {self.name}")
        return text

    @property
    def upstream_version(self) -> str:
        """The upstream part of the version without epoch and revision, ``3.11.2``."""
        return self.version.split(":")[-1].split("-")[0].split("+")[0].split("~")[0]

    def relations(self, field: str) -> tuple[Alternatives, ...]:
        """Return a relation field, empty when the paragraph does not have it."""
        text = str(self.fields.get(field, ""))
        return parse_relations(text.replace("\n", " "), f"package {self.name}, {field}") if text else ()

    @cached_property
    def dependencies(self) -> tuple[Alternatives, ...]:
        """``Pre-Depends`` and ``Depends``."""
        return self.relations("Pre-Depends") + self.relations("Depends")

    @cached_property
    def provides(self) -> tuple[Relation, ...]:
        """Virtual packages; Policy 7.5 allows only ``=`` as their operator."""
        return tuple(group[0] for group in self.relations("Provides"))

    def satisfies(self, relation: Relation) -> bool:
        """Whether this package satisfies a relation by its name or by what it provides."""
        if relation.name == self.name:
            return relation.accepts(self.version)
        return any(
            p.name == relation.name and (not relation.operator or (p.version and relation.accepts(p.version)))
            for p in self.provides
        )


def split_paragraphs(text: str, archive: str) -> Iterator[Candidate]:
    """Split a package index into candidates without parsing their fields.

    :raises BaseError: a paragraph does not start with ``Package``.
    """
    for chunk in text.split("\n\n"):
        paragraph = chunk.strip("\n")
        if not paragraph:
            continue
        first = paragraph.partition("\n")[0]
        if not first.startswith("Package:"):
            raise BaseError(
                f"a paragraph of the package index starts with {quoted(first)}, not with Package:"
            )
        yield Candidate(first[len("Package:") :].strip(), archive, paragraph)


class Universe:
    """Every package of one architecture over several suites."""

    def __init__(self, architecture: str, candidates: Iterable[Candidate]) -> None:
        self.architecture = architecture
        self._real: dict[str, list[Candidate]] = {}
        self._with_provides: dict[str, list[Candidate]] = {}
        for candidate in candidates:
            self._real.setdefault(candidate.name, []).append(candidate)
            self._index_provides(candidate)

    def _index_provides(self, candidate: Candidate) -> None:
        start = candidate.paragraph.find("\nProvides:")
        if start < 0:
            return
        line = candidate.paragraph[start + len("\nProvides:") :]
        # Only names matter here: the relation itself is parsed when somebody asks for the package.
        text = re.split(r"\n(?!\s)", line, maxsplit=1)[0]
        for name in re.findall(r"(?:^|,)\s*([A-Za-z0-9][A-Za-z0-9+.-]+)", text):
            self._with_provides.setdefault(name, []).append(candidate)

    def named(self, name: str) -> list[Candidate]:
        """Return the versions of a real package, highest first."""
        found = self._real.get(name, [])
        if len(found) > 1:
            found.sort(key=lambda c: parse_version(c.version), reverse=True)
        return found

    def providers(self, name: str) -> list[Candidate]:
        """Return the packages that provide a virtual one, in order of name and falling version."""
        names = sorted({c.name for c in self._with_provides.get(name, [])})
        providing = {id(c) for c in self._with_provides.get(name, [])}
        return [c for n in names for c in self.named(n) if id(c) in providing]

    def satisfying(self, relation: Relation) -> list[Candidate]:
        """Return what satisfies a relation: versions of the real package, then providers."""
        if relation.qualifier not in {"", "any", "native", self.architecture}:
            return []
        both = self.named(relation.name) + self.providers(relation.name)
        return [c for c in both if c.satisfies(relation)]

    def exists(self, name: str) -> bool:
        """Whether there is a package, real or virtual, of this name."""
        return name in self._real or name in self._with_provides

    def names(self) -> Iterable[str]:
        """Return the names of all real packages."""
        return self._real.keys()
