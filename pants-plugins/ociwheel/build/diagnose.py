"""Turns the output of a failed build into one readable error: what is missing, and what to type."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from packaging.requirements import InvalidRequirement
from packaging.utils import canonicalize_name

from ociwheel.build.cargo_output import Cause, cargo_cause, script_cause
from ociwheel.build.missing import (
    Missing,
    config_program_package,
    missing_files,
    missing_modules,
    named_module,
    pkg_config_package,
    program_package,
)
from ociwheel.build.offered_settings import Offered
from ociwheel.errors import BuildError
from ociwheel.remedies import Remedy
from ociwheel.requirement import applies, parse_requirement
from ociwheel.sdist.unpack import BuildSystem
from ociwheel.target import Target

_TAIL = 30
# Each looks back for the start of a word: trying from every character of it is quadratic, and command lines
# of compilers are long.
_TOOL: tuple[re.Pattern[str], ...] = (
    re.compile(r"(?:FileNotFoundError|OSError).*No such file or directory: '(?P<name>[\w.+-]+)'"),
    re.compile(r"\S: (?:\d+: )?(?:line \d+: )?(?P<name>[\w.+-]+): (?:command )?not found"),
    re.compile(r"error: (?P<name>[\w.+-]+): (?:command not found|No such file or directory)"),
)
# What a setup.py reads of its own sdist is no program.
_A_FILE = re.compile(r".*\.(?!sh$)[A-Za-z]\w*")
# As bash, make and Python say it.
_FOREIGN = re.compile(
    r"(?:(?<![\w./+-])(?P<name>[\w./+-]++): )?(?:cannot execute(?: binary file)?: )?Exec format error"
    r"(?:: '(?P<after>[^']+)')?"
)
_FOREIGN_LIBRARY = re.compile(r"(?<!\S)(?P<name>/[\w./+-]++): (?:wrong ELF class|invalid ELF header)")
_MODULE = re.compile(r"(?:ModuleNotFoundError|ImportError): No module named '(?P<name>[\w.]+)'")
_DISTRIBUTION = (
    re.compile(r"DistributionNotFound: The '(?P<name>[^']+)' distribution"),
    re.compile(r"No matching distribution found for (?P<name>[\w.\[\]-]+)"),
    re.compile(
        r"Could not find (?:suitable distribution for Requirement\.parse\(|a version that satisfies the "
        r"requirement )'?(?P<name>[\w.-]+)"
    ),
)
_NO_NETWORK = re.compile(
    r"Could not resolve (?:host|proxy)|Temporary failure in name resolution|Name or service not known|"
    r"Network is unreachable|"
    r"Failed to establish a new connection|(?:urlopen error|URLError|ConnectionRefusedError|ProxyError).*"
    r"(?:refused|resolution|unreachable|proxy)|builds-have-no-network\.invalid",
    re.IGNORECASE,
)
_HOST = re.compile(
    r"(?:https?://|host='|resolve host: )(?!127\.0\.0\.1|builds-have-no-network)"
    r"(?P<host>[A-Za-z0-9][A-Za-z0-9.-]{1,200})"
)
# Of meson: a library that the project takes from the network, or only where the system has none.
_SUBPROJECT = re.compile(r"ERROR: Subproject (?P<name>[\w.+-]+) is buildable: NO")
_FALLBACK = re.compile(r"Looking for a fallback subproject for the dependency (?P<name>[\w.+-]+)")
_NOT_FETCHED = re.compile(r"subproject downloading is disabled|ERROR: could not get https?://")
_OLD_LIBRARY = re.compile(
    r"Invalid version, need '(?P<name>[\w.+-]+)' \['(?P<wanted>[^\]]{1,80})'\] found '(?P<have>[^']{1,80})'"
)
# What hands out finished wheels, and has looked for one.
_NO_WHEEL = re.compile(
    r"\bno (?:pre-?built|binary|compatible) (?:\S+ ){0,3}(?:wheel|binary|binaries|distribution) "
    r"(?:\S+ )?for (?:this|your|the current) (?:platform|system|machine|architecture)",
    re.IGNORECASE,
)
_RAISED = re.compile(r"(?P<said>[A-Za-z_][\w.]{0,99}(?:Error|Exception): \S.*)")
_NESTED = re.compile(r"(?<![^\s:])(?P<file>[^\s:]++):\d+:\d+: error: function definition is not allowed here")
# Of meson, with a cross file and without, of CMake and of numpy's distutils.
_FORTRAN = re.compile(
    r"'fortran' compiler binary not defined|Unknown compiler\(s\): .*gfortran|"
    r"No CMAKE_Fortran_COMPILER could be found|no Fortran compiler found"
)
_USE_WHEEL = "use a version that has a wheel for this platform"
_OTHER_VERSION = f"{_USE_WHEEL}, or leave the platform out"
_COMPILER = re.compile(r"(?P<line>^.*: error: .*|(?<![^\s:])[^\s:]++:\d+:\d+: fatal error: .*)")


LOCKED, MACHINE, CONTAINER = "locked", "machine", "container"


@dataclass(frozen=True)
class Context:
    """What messages name."""

    where: str
    resolve: str
    base: str
    target: Target
    programs: str = LOCKED
    """Where the build finds programs: :data:`LOCKED`, :data:`MACHINE` or :data:`CONTAINER`."""
    lacks: tuple[str, ...] = ()
    """Modules of pkg-config that it asks for in any case, and that the sysroot lacks."""
    offers: Offered = field(default_factory=Offered)
    """What the sdist lets its user choose."""

    @property
    def relock_requirements(self) -> Remedy:
        """To lock build requirements anew."""
        return Remedy("relock-build-requirements", {"resolve": self.resolve})

    def add_package(self, package: str) -> Remedy:
        """Return what to do for a package that the builder lacks."""
        return Remedy("add-builder-package", {"package": package, "base": self.base})

    def add_program(self, package: str) -> Remedy:
        """Return what to do for a program, which a package of Debian has."""
        if self.programs == CONTAINER:
            return Remedy("add-emulation-package", {"package": package})
        platform = self.target.platform.oci
        return Remedy("emulate-with-package", {"platform": platform, "package": package})


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
            requirement = parse_requirement(text)
            counts = applies(requirement)
        except InvalidRequirement as e:
            raise BuildError(
                f"{text!r} in build-system.requires is no requirement", where=context.where
            ) from e
        if not counts:
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


def explain(error: BuildError, output: Sequence[str], context: Context) -> BuildError:
    """Return the error of a wheel that lacks what was to be compiled, with what its build did not find.

    Headers and libraries alone: of what a configure step looks for by a name, most is optional.
    """
    found = _missing_file(output, context)
    if found is None:
        return error
    what, hint = found
    missing = BuildError(what, hint=hint)
    return BuildError(
        error.what,
        where=error.where,
        hint=error.remedy,
        details=error.details,
        errors=(*error.errors, missing),
    )


def _cause(output: Sequence[str], context: Context) -> Cause:
    """Return the cause that explains most, in the order in which one hides another."""
    finders = (
        _foreign_program,
        _fortran,
        _missing_file,
        _fetched_subproject,
        _older_library,
        _missing_requirement,
        _missing_module,
        *(_cargo, _network, _no_wheel),
        _missing_program,
        *(_nested_function, _compiler_error, _cargo_script, _raised),
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
    if match := _first(_FOREIGN_LIBRARY, output):
        platform = context.target.platform.oci
        what = f"the build loads {match['name']} on this machine, which is one for {platform}"
        if names := context.offers.variables:
            given = {"platform": platform, "variables": ", ".join(names)}
            return what, Remedy("emulate-or-set-variable", given)
        return what, Remedy("emulate", {"platform": platform})
    return None


def _fortran(output: Sequence[str], context: Context) -> Cause | None:
    if _first(_FORTRAN, output):
        place = "its container has" if context.programs == CONTAINER else "builds on this machine have"
        return f"it has Fortran to compile, and {place} no Fortran compiler", context.add_program("gfortran")
    return None


def _missing_file(output: Sequence[str], context: Context) -> Cause | None:
    return _missing(missing_files(output, context.target), context)


def _missing(found: Sequence[Missing], context: Context) -> Cause | None:
    """Return all that is missing as one cause, with one remedy for what is known of it."""
    if not found:
        return None
    packages = sorted({one.package for one in found if one.package})
    unknown = [one for one in found if not one.package]
    several = len(found) > 1
    titles = ", ".join(one.title + (f" ({one.package})" if one.package and several else "") for one in found)
    what = f"{titles} {'is' if len(found) == 1 else 'are'} missing"
    nowhere = [one.file for one in found if not one.in_debian]
    if nowhere:
        return f"{what}, and Debian has no package of {', '.join(nowhere)}", Remedy.text(_USE_WHEEL)
    if not packages:
        return what, Remedy("find-builder-package", {"file": unknown[0].file, "base": context.base})
    if unknown:
        files = ", ".join(one.file for one in unknown)
        what += f"; which package has {files} is not known here (apt-file search)"
    return what, context.add_package('", "'.join(packages))


def _fetched_subproject(output: Sequence[str], context: Context) -> Cause | None:
    """Tell of a library that meson fetches as a subproject, and what takes Debian's in its place."""
    ended = max((number for number, line in enumerate(output) if _NOT_FETCHED.search(line)), default=0)
    for number, line in enumerate(output[:ended]):
        match = _SUBPROJECT.search(line)
        if not match:
            continue
        if fallback := _first(_FALLBACK, output[max(0, number - 1) : number]):
            return _missing([named_module(fallback["name"])], context)
        what = f"the build fetches the sources of {match['name']}, and builds have no network"
        options = context.offers.options
        if not options:
            return what, Remedy("builds-fetch-nothing")
        libraries = [
            match["name"],
            *(re.split("system[-_]", option.partition("=")[0])[-1] for option in options),
        ]
        known = dict.fromkeys(found for name in libraries if (found := pkg_config_package(name)))
        arguments = {
            "options": ", ".join(f'"-D{option}"' for option in options),
            "packages": ", ".join(f'"{name}"' for name in known) or "their packages",
            "base": context.base,
        }
        return what, Remedy("use-system-libraries", arguments)
    return None


def _older_library(output: Sequence[str], _context: Context) -> Cause | None:
    if match := _first(_OLD_LIBRARY, output):
        wanted = match["wanted"].replace("', '", ", ")
        what = (
            f"it asks for the library {match['name']} {wanted}, and Debian's of the base is {match['have']}"
        )
        return what, Remedy.text(f"lock an earlier version that takes {match['have']}, or {_USE_WHEEL}")
    return None


def _network(output: Sequence[str], _context: Context) -> Cause | None:
    for number, line in enumerate(output):
        if _NO_NETWORK.search(line):
            near = " ".join(output[max(0, number - 3) : number + 4])
            host = _HOST.search(line) or _HOST.search(near)
            place = f"the host {host['host']}" if host else "a host"
            return f"the build tries to reach {place}, and builds have no network", Remedy(
                "builds-fetch-nothing"
            )
    return None


def _no_wheel(output: Sequence[str], context: Context) -> Cause | None:
    if _first(_NO_WHEEL, output):
        what = "its build compiles nothing: it hands out finished wheels, and has none for"
        return f"{what} {context.target.platform.oci}", Remedy.text(_OTHER_VERSION)
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
    return _missing(missing_modules(output, context.lacks), context)


def _missing_program(output: Sequence[str], context: Context) -> Cause | None:
    found = (match["name"] for pattern in _TOOL for line in output if (match := pattern.search(line)))
    name = next((name for name in found if not _A_FILE.fullmatch(name)), None)
    if name is None:
        return None
    if package := config_program_package(name):
        return f"the program {name} is missing", context.add_package(package)
    calls, package = f"the build calls the program {name}", program_package(name)
    if context.programs == MACHINE:
        hint = f"install it (apt-get install {package}, brew install {name})"
        return f"{calls}, which is not on this machine", hint
    place = "its container does not have" if context.programs == CONTAINER else "builds do not have"
    return f"{calls}, which {place}", context.add_program(package)


def _cargo(output: Sequence[str], context: Context) -> Cause | None:
    return cargo_cause(output, context.target.libc_version)


def _cargo_script(output: Sequence[str], _context: Context) -> Cause | None:
    return script_cause(output)


def _nested_function(output: Sequence[str], _context: Context) -> Cause | None:
    if match := _first(_NESTED, output):
        return f"{match['file']} has a function inside a function, which only gcc compiles", Remedy("use-gcc")
    return None


def _compiler_error(output: Sequence[str], _context: Context) -> Cause | None:
    if match := _first(_COMPILER, output):
        return f"it does not compile: {match['line'].strip()[:300]}", None
    return None


def _raised(output: Sequence[str], _context: Context) -> Cause | None:
    """Quote the last exception: all that is known."""
    said = [match["said"] for line in output if (match := _RAISED.match(line))]
    return (f"the build backend failed: {said[-1].strip()[:300]}", None) if said else None


def _first(pattern: re.Pattern[str], lines: Iterable[str]) -> re.Match[str] | None:
    return next((match for line in lines if (match := pattern.search(line))), None)
