"""A checkout of Pants that Python imports without its engine, or a line that says what is lacking."""

from __future__ import annotations

import ast
import importlib
import re
import sys
import tomllib
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from api_check import native_module

_SOURCES = "src/python"
_REQUIREMENTS = "3rdparty/python/requirements.txt"
_VERSIONS = ("pants/_version/VERSION", "pants/VERSION")
_NEEDED = ("pants/engine/rules.py", "pants/option/subsystem.py", native_module.DECLARATIONS)
# What imports by another name than its project has.
_PROJECTS = {
    "colors": "ansicolors",
    "hdrh": "hdrhistogram",
    "nodesemver": "node-semver",
    "pkg_resources": "setuptools",
    "pylsp_jsonrpc": "python-lsp-jsonrpc",
    "typing_extensions": "typing-extensions",
    "yaml": "PyYAML",
}


class CheckoutError(Exception):
    """The checkout, or the Python that runs this, lacks something; the message says what and what to do."""


@dataclass(frozen=True)
class Checkout:
    """A checkout that is ready to be imported.

    :param declared: what its native extension has, by its own declarations.
    """

    folder: Path
    version: str
    declared: ast.Module

    def import_module(self, name: str) -> types.ModuleType | None:
        """Return a module of Pants, ``None`` where this version has none of this name.

        :raises CheckoutError: the module is there and cannot be imported.
        """
        try:
            return importlib.import_module(name)
        except ModuleNotFoundError as e:
            missing = e.name or name
            if missing == name or name.startswith(f"{missing}."):
                return None
            if missing.split(".")[0] == "pants":
                raise CheckoutError(f"{name} of {self.folder} imports {missing}, which is not there") from e
            raise CheckoutError(self._lacks(name, missing.split(".")[0])) from e
        except (SyntaxError, ImportError) as e:
            raise CheckoutError(f"{name} of {self.folder}: {e}; {_runs_on(self.folder)}") from e
        except Exception as e:
            raise CheckoutError(f"{name} of {self.folder} needs the engine: {type(e).__name__}: {e}") from e

    def _lacks(self, name: str, missing: str) -> str:
        requirement = _requirement(self.folder, missing)
        here = f"Python {sys.version_info[0]}.{sys.version_info[1]}"
        if missing in sys.stdlib_module_names or missing == "annotationlib":
            return f"{name} imports {missing}, which {here} has not; {_runs_on(self.folder)}"
        install = f"{sys.executable} -m pip install '{requirement}'"
        return f"{name} imports {missing}, which this {here} lacks\n  -> {install}"


def _lines(path: Path) -> Iterator[str]:
    if path.is_file():
        for line in path.read_text().splitlines():
            yield line.partition(" #")[0].strip()


def _requirement(folder: Path, imported: str) -> str:
    project = _PROJECTS.get(imported, imported)
    normalized = re.sub(r"[-_.]+", "-", project).lower()
    for line in _lines(folder / _REQUIREMENTS):
        name = re.match(r"[\w.-]+", line)
        if name and re.sub(r"[-_.]+", "-", name[0]).lower() == normalized:
            return line
    return project


def _wanted_python(folder: Path) -> tuple[int, int] | None:
    path = folder / "pants.toml"
    if not path.is_file():
        return None
    constraints = tomllib.loads(path.read_text()).get("python", {}).get("interpreter_constraints", [""])
    found = re.search(r"(\d+)\.(\d+)", constraints[0])
    return (int(found[1]), int(found[2])) if found else None


def _runs_on(folder: Path) -> str:
    wanted = _wanted_python(folder)
    return "run this with the Python of that Pants" + (f", {wanted[0]}.{wanted[1]}" if wanted else "")


def version_of(folder: Path) -> str:
    """Return the version of Pants of a checkout.

    :raises CheckoutError: the folder holds no Pants, or one without what is compared.
    """
    sources = folder / _SOURCES
    lacking = [name for name in _NEEDED if not (sources / name).is_file()]
    versions = [sources / name for name in _VERSIONS if (sources / name).is_file()]
    if lacking or not versions:
        raise CheckoutError(
            f"{folder} is no checkout of Pants: it lacks {_SOURCES}/{(*lacking, _VERSIONS[0])[0]}\n"
            "  -> git clone --depth 1 --branch 2.33.x https://github.com/pantsbuild/pants"
        )
    return versions[0].read_text().strip()


def _stand_in_for_annotationlib() -> None:
    """Let an older Python import sources for 3.14: without types that are hinted before they exist."""
    module = types.ModuleType("annotationlib")
    for name in ("Format", "ForwardRef", "call_annotate_function"):
        setattr(module, name, type(name, (), {}))
    sys.modules["annotationlib"] = module


def ready(folder: Path) -> Checkout:
    """Return a checkout whose ``pants`` is the one that ``import`` finds.

    :raises CheckoutError: the folder holds no Pants, or another Pants is imported already.
    """
    version = version_of(folder)
    sources = folder / _SOURCES
    if "pants" in sys.modules:
        raise CheckoutError("this process has imported a Pants already: compare one version a process")
    if sys.version_info < (3, 14):
        _stand_in_for_annotationlib()
    sys.path.insert(0, str(sources))
    return Checkout(folder, version, native_module.install(sources))
