"""``pkg-config`` for a sysroot.

This file runs on its own, as ``python pkgconfig.py SYSROOT TRIPLET ARGUMENTS``. Formats:
pkg-config's guide (``name: value`` fields, ``${variable}`` references, ``Requires`` with versions).
"""

from __future__ import annotations

import os
import re
import shlex
import sys
from dataclasses import dataclass, field
from itertools import zip_longest

_FOLDER_FLAGS = ("-isystem", "-idirafter", "-I", "-L")
_FIELD = re.compile(r"(?P<name>[A-Za-z.][\w. ]*?)\s*(?P<sign>[:=])\s*(?P<value>.*)")
_REQUIREMENT = re.compile(r"(?P<name>[^\s,<>=!]+)\s*(?:(?P<operator>[<>=!]=?)\s*(?P<version>[^\s,]+))?")
_OPERATORS = ("=", "!=", "<", "<=", ">", ">=")
_VARIABLE_DEPTH = 30
# What changes no answer, or only where it goes.
_IGNORED = {
    *("--debug", "--define-prefix", "--dont-define-prefix", "--errors-to-stdout", "--exists"),
    *("--keep-system-cflags", "--keep-system-libs", "--print-errors", "--pure", "--short-errors"),
    *("--silence-errors", "--uninstalled"),
}
_ANSWERED = {
    *(
        "--atleast-pkgconfig-version",
        "--atleast-version",
        "--cflags",
        "--cflags-only-I",
        "--cflags-only-other",
    ),
    *("--exact-version", "--libs", "--libs-only-L", "--libs-only-l", "--libs-only-other", "--max-version"),
    *("--modversion", "--print-requires", "--shared", "--static", "--variable", "--version"),
}


class NotFoundError(Exception):
    """A module, or a version of one, that the sysroot does not have."""


@dataclass
class Module:
    """One ``.pc`` file, variables expanded."""

    name: str
    variables: dict[str, str] = field(default_factory=dict)
    fields: dict[str, str] = field(default_factory=dict)


def compare(left: str, right: str) -> int:
    """Return -1, 0 or 1 as rpm's version comparison, which pkg-config's guide names, orders two versions."""
    parts = [re.findall(r"\d+|[A-Za-z]+", version) for version in (left, right)]
    for a, b in zip_longest(*parts):
        if a == b:
            continue
        if a is None or b is None:
            return -1 if a is None else 1
        if a.isdigit() and b.isdigit():
            if int(a) == int(b):
                continue
            return -1 if int(a) < int(b) else 1
        if a.isdigit() != b.isdigit():
            return 1 if a.isdigit() else -1
        return -1 if a < b else 1
    return 0


@dataclass(frozen=True)
class Sysroot:
    """The ``.pc`` files of a sysroot."""

    root: str
    triplet: str

    def folders(self) -> list[str]:
        """Return where ``.pc`` files are, most specific first."""
        places = (f"usr/lib/{self.triplet}/pkgconfig", "usr/lib/pkgconfig", "usr/share/pkgconfig")
        return [os.path.join(self.root, place) for place in places]

    def load(self, name: str) -> Module:
        """Read a module.

        :raises NotFoundError: there is none of that name.
        """
        for folder in self.folders():
            path = os.path.join(folder, f"{name}.pc")
            if os.path.isfile(path):
                with open(path, encoding="utf-8", errors="replace") as file:
                    return parse(name, file.read())
        raise NotFoundError(f"Package {name} was not found in the pkg-config search path of the sysroot")

    def closure(self, names: list[str], private: bool) -> list[Module]:
        """Return the modules and those that they require, each once, before what it requires."""
        found: dict[str, Module] = {}

        def visit(name: str) -> None:
            if name in found:
                return
            module = found[name] = self.load(name)
            wanted = module.fields.get("Requires", "")
            if private:
                wanted += " " + module.fields.get("Requires.private", "")
            for requirement in requirements(wanted):
                self.check(requirement)
                visit(requirement[0])

        for name in names:
            visit(name)
        return list(found.values())

    def check(self, requirement: tuple[str, str, str]) -> None:
        """Check that a module is there in a version.

        :raises NotFoundError: it is not.
        """
        name, operator, wanted = requirement
        have = self.load(name).fields.get("Version", "")
        order = compare(have, wanted) if operator else 0
        fits = {
            "": True, "=": order == 0, "!=": order != 0, "<": order < 0, "<=": order <= 0,
            ">": order > 0, ">=": order >= 0,
        }  # fmt: skip
        if not fits[operator]:
            raise NotFoundError(f"Requested '{name} {operator} {wanted}' but version of {name} is {have}")

    def place(self, flag: str) -> str:
        """Return ``-I`` and ``-L`` flags with the sysroot before the folder."""
        if flag[:2] in ("-I", "-L") and flag[2:3] == "/" and not flag[2:].startswith(self.root + "/"):
            return flag[:2] + self.root + flag[2:]
        return flag


def parse(name: str, text: str) -> Module:
    """Read a ``.pc`` file."""
    module = Module(name)
    for raw in text.replace("\\\n", " ").splitlines():
        match = _FIELD.fullmatch(re.sub(r"(^|\s)#.*", "", raw).strip())
        if match is None:
            continue
        into = module.variables if match["sign"] == "=" else module.fields
        into[match["name"]] = match["value"]
    module.fields = {key: expand(value, module.variables) for key, value in module.fields.items()}
    module.variables = {key: expand(value, module.variables) for key, value in module.variables.items()}
    return module


def expand(value: str, variables: dict[str, str]) -> str:
    """Return ``value`` with ``${name}`` replaced, over and over, as often as a sane file needs."""
    for _ in range(_VARIABLE_DEPTH):
        replaced = re.sub(r"\$\{([^}]*)\}", lambda m: variables.get(m[1], ""), value)
        if replaced == value:
            break
        value = replaced
    return value


def requirements(text: str) -> list[tuple[str, str, str]]:
    """Return name, operator and version of each item of a ``Requires`` field or of arguments."""
    return [(m["name"], m["operator"] or "", m["version"] or "") for m in _REQUIREMENT.finditer(text)]


def flags(sysroot: Sysroot, modules: list[Module], kinds: set[str], static: bool) -> list[str]:
    """Return compile or link flags, each once."""
    result: list[list[str]] = []
    for module in modules:
        words: list[str] = []
        if kinds & {"--cflags", "--cflags-only-I", "--cflags-only-other"}:
            words += shlex.split(module.fields.get("Cflags", module.fields.get("CFlags", "")))
        if kinds & {"--libs", "--libs-only-l", "--libs-only-L", "--libs-only-other"}:
            words += shlex.split(module.fields.get("Libs", ""))
            words += shlex.split(module.fields.get("Libs.private", "")) if static else []
        for group in _grouped(words):
            placed = [sysroot.place(word) for word in group]
            if len(group) == 2:
                placed[1] = sysroot.place(f"-I{group[1]}").removeprefix("-I")
            if _wanted(group[0], kinds) and placed not in result:
                result.append(placed)
    return [word for group in result for word in group]


def _grouped(words: list[str]) -> list[list[str]]:
    """Return each flag with its folder, which may be a word of its own: ``-isystem /usr/include/x``."""
    result: list[list[str]] = []
    rest = iter(words)
    for word in rest:
        folder = next(rest, None) if word in _FOLDER_FLAGS else None
        result.append([word] if folder is None else [word, folder])
    return result


def _wanted(word: str, kinds: set[str]) -> bool:
    only = {"--cflags-only-I": "-I", "--libs-only-l": "-l", "--libs-only-L": "-L"}
    if kinds & {"--cflags", "--libs"}:
        return True
    if kinds & {"--cflags-only-other", "--libs-only-other"}:
        return not word.startswith(("-I", "-L", "-l"))
    return any(word.startswith(only[kind]) for kind in kinds if kind in only)


def run_pkg_config(sysroot: Sysroot, arguments: list[str]) -> list[str]:
    """Return the lines that ``pkg-config`` prints.

    :raises NotFoundError: a module is missing or too old.
    """
    options = [a for a in arguments if a.startswith("--")]
    words = [a for a in arguments if not a.startswith("--")]
    for option in options:
        # An answer to another question than the one asked would be a lie.
        if option.partition("=")[0] not in _IGNORED | _ANSWERED:
            raise NotFoundError(f"pkg-config of a cross build does not know the option {option}")
    if "--version" in options:
        return ["1.8.1"]
    if any(o.startswith("--atleast-pkgconfig-version") for o in options):
        return []
    for option in options:
        name, _, value = option.partition("=")
        operator = {"--atleast-version": ">=", "--exact-version": "=", "--max-version": "<="}.get(name)
        if operator:
            wanted = value or words.pop(0)
            words = [word for module in words for word in (module, operator, wanted)]
    wanted_modules = requirements(" ".join(words))
    if not wanted_modules:
        raise NotFoundError("Must specify package names on the command line")
    for requirement in wanted_modules:
        sysroot.check(requirement)
    names = [name for name, _, _ in wanted_modules]
    return _answer(sysroot, names, options)


def _answer(sysroot: Sysroot, names: list[str], options: list[str]) -> list[str]:
    kinds = {option for option in options if option.startswith(("--cflags", "--libs"))}
    static = "--static" in options
    if "--modversion" in options:
        return [sysroot.load(name).fields.get("Version", "") for name in names]
    for option in options:
        name, _, value = option.partition("=")
        if name == "--variable":
            text = sysroot.load(names[0]).variables.get(value, "")
            return [sysroot.root + text if text.startswith("/") else text]
        if name == "--print-requires":
            return requirements_lines(sysroot.load(names[0]))
    if not kinds:
        sysroot.closure(names, private=False)
        return []
    modules = sysroot.closure(names, private=static or any("cflags" in kind for kind in kinds))
    linked = sysroot.closure(names, private=static)
    result = flags(sysroot, modules, {k for k in kinds if "cflags" in k}, static)
    result += flags(sysroot, linked, {k for k in kinds if "libs" in k}, static)
    return [shlex.join(result)]


def requirements_lines(module: Module) -> list[str]:
    """Return the lines of ``--print-requires``."""
    return [" ".join(filter(None, r)) for r in requirements(module.fields.get("Requires", ""))]


def main(argv: list[str]) -> int:
    """Answer as ``pkg-config``."""
    sysroot = Sysroot(argv[1], argv[2])
    try:
        lines = run_pkg_config(sysroot, argv[3:])
    except NotFoundError as e:
        sys.stderr.write(f"{e}\n")
        return 1
    sys.stdout.writelines(f"{line}\n" for line in lines)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
