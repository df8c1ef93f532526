"""Turns the output of a failed build into one readable error: what is missing, and what to type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import metadata, resources
from pathlib import Path

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

from ociwheel.errors import BuildError
from ociwheel.remedies import Remedy
from ociwheel.sdist.unpack import BuildSystem
from ociwheel.target import Target

_TAIL = 30
_HEADER = re.compile(r"fatal error: '?(?P<name>[\w./+-]+\.h(?:pp|h)?)'?(?: file not found|: No such file)")
_LIBRARY = re.compile(r"(?:ld\.lld: error: unable to find library -l|cannot find -l:?)(?P<name>[\w.+-]+)")
_PKG_CONFIG = re.compile(r"Package (?P<name>[\w.+-]+) was not found in the pkg-config search path")
_TOOL = (
    re.compile(r"(?:FileNotFoundError|OSError).*No such file or directory: '(?P<name>[\w.+-]+)'"),
    re.compile(r"(?:sh|bash|\S+): (?:\d+: )?(?:line \d+: )?(?P<name>[\w.+-]+): (?:command )?not found"),
    re.compile(r"error: (?P<name>[\w.+-]+): (?:command not found|No such file or directory)"),
)
# As bash, make and Python say it.
_FOREIGN = re.compile(
    r"(?:(?P<name>[\w./+-]+): )?(?:cannot execute(?: binary file)?: )?Exec format error"
    r"(?:: '(?P<after>[^']+)')?"
)
_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '(?P<name>[\w.]+)'")
_DISTRIBUTION = (
    re.compile(r"DistributionNotFound: The '(?P<name>[^']+)' distribution"),
    re.compile(r"No matching distribution found for (?P<name>[\w.\[\]-]+)"),
    re.compile(
        r"Could not find (?:suitable distribution for Requirement\.parse\(|a version that satisfies the "
        r"requirement )'?(?P<name>[\w.-]+)"
    ),
)
_NESTED = re.compile(r"(?P<file>[^\s:]+):\d+:\d+: error: function definition is not allowed here")
_COMPILER = re.compile(r"(?P<line>[^\s:]+:\d+:\d+: (?:fatal )?error: .*|ld\.lld: error: .*|.*: error: .*)")


@dataclass(frozen=True)
class Context:
    """What messages name."""

    where: str
    resolve: str
    base: str
    target: Target

    @property
    def relock_requirements(self) -> Remedy:
        """To lock build requirements anew."""
        return Remedy("relock-build-requirements", {"resolve": self.resolve})

    def add_package(self, package: str) -> Remedy:
        """Return what to do for a package that the builder lacks."""
        return Remedy("add-builder-package", {"package": package, "base": self.base})


def check_requirements(system: BuildSystem, site_packages: Path, context: Context) -> None:
    """Check that the environment has what ``build-system.requires`` asks for.

    :raises BuildError: it lacks some, all of which the message names.
    """
    have = {
        canonicalize_name(d.metadata["Name"]): d.version
        for d in metadata.distributions(path=[str(site_packages)])
    }
    missing = []
    for text in system.requires:
        try:
            requirement = Requirement(text)
        except InvalidRequirement as e:
            raise BuildError(
                f"{text!r} in build-system.requires is no requirement", where=context.where
            ) from e
        if requirement.marker and not requirement.marker.evaluate():
            continue
        found = have.get(canonicalize_name(requirement.name))
        if found is None:
            missing.append(f"{text}: is not there")
        elif not requirement.specifier.contains(found, prereleases=True):
            missing.append(f"{text}: {found} is there")
    if missing:
        raise BuildError(
            "the locked build requirements do not fit this sdist",
            where=context.where,
            details=missing,
            hint=context.relock_requirements,
        )


def diagnose(output: Sequence[str], context: Context) -> BuildError:
    """Return the error for the output of a failed build."""
    what, hint = _cause(output, context)
    return BuildError(
        what,
        where=context.where,
        hint=hint,
        details=["end of the build's output:", *(line[:400] for line in output[-_TAIL:])],
    )


Cause = tuple[str, str | Remedy | None]


def _cause(output: Sequence[str], context: Context) -> Cause:
    """Return the cause that explains most, in the order in which one hides another."""
    finders = (
        _foreign_program,
        _missing_file,
        _missing_requirement,
        _missing_module,
        _missing_program,
        *(_nested_function, _compiler_error),
    )
    for finder in finders:
        if found := finder(output, context):
            return found
    return "the build backend failed", None


def _foreign_program(output: Sequence[str], context: Context) -> Cause | None:
    if match := _first(_FOREIGN, output):
        platform = context.target.platform.oci
        name = match["after"] or match["name"] or "a program"
        what = f"the build runs {name} on this machine, which is one for {platform}"
        return what, Remedy("emulate", {"platform": platform})
    return None


def _missing_file(output: Sequence[str], context: Context) -> Cause | None:
    if match := _first(_HEADER, output):
        header = match["name"]
        package = header_package(header, context.target)
        return f"the header {header} is missing", _package_hint(package, header, context)
    if match := _first(_LIBRARY, output):
        package = library_package(match["name"])
        hint = _package_hint(package, f"lib{match['name']}.so", context)
        return f"the library lib{match['name']} is missing", hint
    return None


def _missing_requirement(output: Sequence[str], context: Context) -> Cause | None:
    for pattern in _DISTRIBUTION:
        if match := _first(pattern, output):
            return f"the build requirement {match['name']} is not locked", context.relock_requirements
    if match := _first(_MODULE, output):
        module = match["name"].split(".")[0]
        return (
            f"the build needs the module {module}, which no locked build requirement has",
            context.relock_requirements,
        )
    return None


def _missing_module(output: Sequence[str], context: Context) -> Cause | None:
    if match := _first(_PKG_CONFIG, output):
        package = pkg_config_package(match["name"])
        hint = _package_hint(package, f"{match['name']}.pc", context)
        return f"the library {match['name']} (pkg-config) is missing", hint
    return None


def _missing_program(output: Sequence[str], _context: Context) -> Cause | None:
    for pattern in _TOOL:
        if match := _first(pattern, output):
            name = match["name"]
            hint = f"install it (apt-get install {name}, brew install {name})"
            return f"the build calls the program {name}, which is not on this machine", hint
    return None


def _nested_function(output: Sequence[str], _context: Context) -> Cause | None:
    if match := _first(_NESTED, output):
        return f"{match['file']} has a function inside a function, which only gcc compiles", Remedy("use-gcc")
    return None


def _compiler_error(output: Sequence[str], _context: Context) -> Cause | None:
    if match := _first(_COMPILER, output):
        return f"it does not compile: {match['line'].strip()[:300]}", None
    return None


def _package_hint(package: str | None, file: str, context: Context) -> Remedy:
    if package:
        return context.add_package(package)
    return Remedy("find-builder-package", {"file": file, "base": context.base})


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.search(line))), None)


@cache
def _packages() -> dict[str, dict[str, str]]:
    """Return the tables of the data file: ``kind<TAB>name<TAB>package`` lines."""
    tables: dict[str, dict[str, str]] = {"header": {}, "library": {}, "module": {}}
    text = resources.files("ociwheel.build").joinpath("debian_packages.tsv").read_text(encoding="utf-8")
    for line in text.splitlines():
        if line and not line.startswith("#"):
            kind, name, package = line.split("\t")
            tables[kind][name] = package
    return tables


def header_package(header: str, target: Target) -> str | None:
    """Return the Debian package with a header: by its own name, or by the longest folder of it."""
    if header == "Python.h":
        return f"libpython{target.python_minor}-dev"
    table = _packages()["header"]
    parts = header.split("/")
    for length in range(len(parts), 0, -1):
        name = "/".join(parts[:length])
        found = table.get(name if length == len(parts) else f"{name}/")
        if found:
            return found
    return None


def library_package(library: str) -> str | None:
    """Return the Debian package with the linker name ``-l<library>``."""
    return _packages()["library"].get(library)


def pkg_config_package(module: str) -> str | None:
    """Return the Debian package with a pkg-config module."""
    tables = _packages()
    return tables["module"].get(module) or tables["library"].get(module.removeprefix("lib"))
