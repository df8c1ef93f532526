"""Whether every ELF file of an image can be loaded there: a pure function over facts of layers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from ociwheel.elf.by_name import Libraries, known
from ociwheel.elf.debian_libraries import LibraryTable
from ociwheel.elf.facts import ElfFacts, machine_name
from ociwheel.elf.loader import GLIBC, Load, Loader
from ociwheel.elf.reached import Opened, in_packages, is_driver, is_optional, started
from ociwheel.elf.tree import ImageTree
from ociwheel.platforms import Platform

_PYTHON_PACKAGE = re.compile(r"(lib)?python\d[\d.]*(-minimal|-stdlib)?")
# No file needs it by name. glibc opens it: "libgcc_s.so.1 must be installed for pthread_exit to work".
_OPENED_BY_LIBC = "libgcc_s.so.1"
ERROR = "error"
NOTHING_OPENED = Opened()
_RELR_GUARD = "GLIBC_ABI_DT_RELR"
_MUSL_WITH_RELR = (1, 2, 4)
_LIBC_VERSION = re.compile(r"GLIBC_(\d+)\.(\d+)(?:\.\d+)?")


@dataclass(frozen=True, order=True)
class Fault:
    """One reason why a file cannot be loaded."""

    origin: str
    path: str
    library: str
    """The needed library, or empty when the fault is of the file itself."""
    text: str
    package: str | None = None
    """The Debian package that would help."""
    weight: str = "error"
    """``error``, or why it is none: ``unreached``, ``optional``, ``driver``, ``elsewhere``."""
    elsewhere: tuple[str, ...] = ()
    """Places of the library that the file's loader does not look at."""

    def render(self) -> str:
        """Return the fault as one line."""
        return f"{self.origin or 'unnamed origin'}: /{self.path} {self.text}"


@dataclass(frozen=True)
class Report:
    """The outcome of an audit."""

    elf_files: int
    faults: tuple[Fault, ...]
    accepted: tuple[Fault, ...]
    unused_packages: tuple[str, ...]
    noted: tuple[Fault, ...] = ()
    """Faults of files that nothing reaches, and the like: see :attr:`Fault.weight`."""


def audit(
    tree: ImageTree,
    platform: Platform,
    *,
    accept: Sequence[str],
    packages: Sequence[str],
    libraries: LibraryTable,
    libc: str = "glibc",
    trusted: frozenset[str] = frozenset(),
    opened: Opened = NOTHING_OPENED,
    strict: bool = False,
    library_path: Sequence[str] = (),
) -> Report:
    """Check every ELF file of an image.

    A file is loaded by itself, and as part of every other file that needs it: what is found in one
    of the latter is no fault, because private libraries of a wheel lean on the search path of the
    module that loads them.

    :param accept: globs of faults to let pass: with a slash, of the file's absolute path; without,
        of the library's name.
    :param packages: names of the base's packages.
    :param libc: ``glibc`` or ``musl``, whose loader it is.
    :param trusted: origins of files that have no faults.
    :param opened: what Python code opens by name.
    :param strict: every fault is an error, reached or not.
    :param library_path: folders of the image's ``LD_LIBRARY_PATH``.
    """
    loader = Loader(tree, platform, libc, library_path)
    files = {p: f for p, f in sorted(tree.elf.items()) if _is_dynamic(f)}
    loads = {p: loader.load(f) for p, f in files.items() if loader.fits(f)}
    faults: list[Fault] = []
    for path, facts in files.items():
        if not loader.fits(facts):
            faults.append(_wrong_machine(facts, platform))
            continue
        if facts.interp and tree.find_elf(facts.interp) is None:
            faults.append(
                Fault(facts.origin, path, "", f"needs the loader {facts.interp}, which is not in the image")
            )
        faults += _packed_relocations(facts, loader)
    by_member: dict[str, list[Load]] = {p: [] for p in loads}
    for root, load in loads.items():
        # One that needs nothing, such as Debian's musl, is loaded, and has nothing to check.
        for member in load.loaded & loads.keys():
            if member != root:
                by_member[member].append(load)
    for path, load in loads.items():
        faults += _library_faults(files[path], [*by_member[path], load], tree, packages, libraries)
    faults += _opened_faults(tree, opened, libraries)
    faults = [f for f in faults if f.origin not in trusted]
    accepted = [f for f in faults if _accepts(f, accept)]
    reached: set[str] = set()
    for path, facts in files.items():
        if started(facts, opened):
            reached |= loads[path].loaded if path in loads else {path}
    left = [_weighed(f, files.get(f.path), reached, strict=strict) for f in faults if f not in accepted]
    return Report(
        len(tree.elf),
        tuple(sorted(f for f in left if f.weight == ERROR)),
        tuple(sorted(accepted)),
        _unused(files, loads, tree, packages),
        tuple(sorted(f for f in left if f.weight != ERROR)),
    )


def _weighed(fault: Fault, facts: ElfFacts | None, reached: set[str], *, strict: bool) -> Fault:
    """Return a fault with its weight.

    :param facts: of the file, ``None`` for Python code that is imported.
    """
    if strict:
        return fault
    if is_driver(fault.library):
        return replace(fault, weight="driver")
    if fault.elsewhere and all(in_packages(path) for path in fault.elsewhere):
        return replace(fault, weight="elsewhere")
    if facts is None:
        return fault
    if is_optional(facts):
        return replace(fault, weight="optional")
    return fault if fault.path in reached else replace(fault, weight="unreached")


def _is_dynamic(facts: ElfFacts) -> bool:
    return bool(facts.needed or facts.soname or facts.interp or facts.runpath or facts.defined_versions)


def _wrong_machine(facts: ElfFacts, platform: Platform) -> Fault:
    return Fault(
        facts.origin,
        facts.path,
        "",
        f"is code for {machine_name(facts.machine, facts.elf_class)}, not for {platform.oci}",
    )


def _packed_relocations(facts: ElfFacts, loader: Loader) -> Iterable[Fault]:
    """Yield what a loader makes of relative relocations that are packed (System V gABI, ``DT_RELR``).

    One that does not know them starts the code unrelocated: the process dies. glibc's linkers guard a file by
    a symbol version, whose lack is a fault of its own.
    """
    if not facts.relr:
        return
    has = "has packed relocations (DT_RELR), which"
    musl, glibc = loader.musl, loader.glibc
    if musl is not None and musl.musl and _numbers(musl.musl) < _MUSL_WITH_RELR:
        text = f"{has} musl reads from 1.2.4 on, and the image's is {musl.musl}: the process would die"
        yield Fault(facts.origin, facts.path, "", text)
    if musl is not None or glibc is None or not glibc.defined_versions:
        return
    guarded = _RELR_GUARD in facts.needed_versions.get(GLIBC, ())
    if _RELR_GUARD not in glibc.defined_versions and not guarded:
        newest = _newest_glibc(glibc)
        which = f" is {newest[0]}.{newest[1]}" if newest else " is older"
        text = f"{has} glibc reads from 2.36 on, and the image's{which}: the process would die"
        yield Fault(facts.origin, facts.path, "", text)
    elif not guarded and facts.needed_versions and any(n.startswith("libc.so.") for n in facts.needed):
        # elf/dl-version.c, _dl_check_map_versions
        text = f"{has} glibc refuses without a need for {_RELR_GUARD}"
        yield Fault(facts.origin, facts.path, "", text)


def _opened_faults(tree: ImageTree, opened: Opened, libraries: LibraryTable) -> Iterable[Fault]:
    """Yield what importing a distribution opens, and the image lacks, where Debian has it."""
    there = Libraries(tree)
    for call in opened.at_import:
        package = known(call.names, libraries)
        if package is None or there.has_one(call.names) or there.may_be_own(call.origin, call.names):
            continue
        name, debian = package
        text = f"opens {name} when it is imported, but the image lacks it; {libraries.said(debian)}"
        yield Fault(call.origin, call.path, name, text, debian)


def _numbers(version: str) -> tuple[int, ...]:
    return tuple(map(int, version.split(".")))


def _library_faults(
    facts: ElfFacts, loads: Sequence[Load], tree: ImageTree, packages: Sequence[str], libraries: LibraryTable
) -> Iterable[Fault]:
    for name in dict.fromkeys(facts.needed):
        key = (facts.path, name)
        found = next((load.found[key] for load in loads if key in load.found), None)
        if found is None:
            yield _missing(facts, name, tree, packages, libraries)
            continue
        library = tree.elf[found]
        wanted = facts.needed_versions.get(name, ())
        lacking = [v for v in wanted if v not in library.defined_versions]
        # ld.so only warns when the library has no versions at all.
        if lacking and library.defined_versions:
            yield _old_library(facts, name, lacking, library)


def _missing(
    facts: ElfFacts, name: str, tree: ImageTree, packages: Sequence[str], libraries: LibraryTable
) -> Fault:
    package = libraries.package(name)
    elsewhere = tree.named(name)
    if elsewhere:
        places = ", ".join(f"/{p}" for p in elsewhere)
        text = f"needs {name}, which is in the image, but not where the file's loader looks: {places}"
        return Fault(facts.origin, facts.path, name, text, elsewhere=tuple(elsewhere))
    text = f"needs {name}, which is not in the image"
    if package is None:
        unknown = " (no Debian package known for it)" if libraries.of_image else ""
        return Fault(facts.origin, facts.path, name, text + unknown)
    if package in packages:
        return Fault(facts.origin, facts.path, name, f"{text}, although the base has {package}")
    return Fault(facts.origin, facts.path, name, f"{text}; {libraries.said(package)}", package)


def _old_library(facts: ElfFacts, name: str, lacking: Sequence[str], library: ElfFacts) -> Fault:
    text = f"needs {', '.join(lacking)} of {name}, but {library.origin or '/' + library.path}"
    newest = _newest_glibc(library)
    if newest is not None:
        floor = f"GLIBC_{newest[0]}.{newest[1]}"
        text += f" has versions up to {floor}: the file was built for a newer system"
    else:
        text += " does not have it"
    return Fault(facts.origin, facts.path, name, text)


def _newest_glibc(library: ElfFacts) -> tuple[int, int] | None:
    found = (_LIBC_VERSION.fullmatch(version) for version in library.defined_versions)
    return max(((int(m[1]), int(m[2])) for m in found if m), default=None)


def glibc_of(tree: ImageTree) -> tuple[int, int] | None:
    """Return the version of an image's glibc, ``None`` where it has none."""
    found = (_newest_glibc(facts) for facts in tree.elf.values() if facts.soname == "libc.so.6")
    return max((version for version in found if version), default=None)


def _accepts(fault: Fault, accept: Sequence[str]) -> bool:
    return any(fnmatchcase(f"/{fault.path}" if "/" in glob else fault.library, glob) for glob in accept)


def _unused(
    files: dict[str, ElfFacts], loads: dict[str, Load], tree: ImageTree, packages: Sequence[str]
) -> tuple[str, ...]:
    """Return library packages of the base that neither Python, a wheel nor a program needs."""
    known = set(packages)
    used: set[str] = set()
    present: set[str] = set()
    for path, load in loads.items():
        facts = files[path]
        package = _package(facts)
        if package in known:
            present.add(package)
            # A program was put there to be run; a library only to be loaded.
            is_root = facts.interp is not None and not facts.soname
            if not is_root and not _PYTHON_PACKAGE.fullmatch(package):
                continue
        used.update(_package(tree.elf[member]) for member in load.loaded)
        if facts.interp and (interp := tree.find_elf(facts.interp)):
            used.add(_package(interp))
    used.update(_package(facts) for facts in files.values() if facts.soname == _OPENED_BY_LIBC)
    return tuple(sorted(present - used))


def _package(facts: ElfFacts) -> str:
    return facts.origin.partition(" ")[0]
