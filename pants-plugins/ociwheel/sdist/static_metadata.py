"""What an old sdist requires, read from its sources when its metadata does not say.

Only what is written down literally counts. ``setup.py`` is parsed, never run.
"""

from __future__ import annotations

import ast
import configparser
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from ociwheel.reading import DocumentLimits
from ociwheel.reading_toml import parse_toml

Requirements = tuple[str, ...]

# Characters of a script or of settings, and of the requirements of all extras: beyond that they take memory.
_MOST_TEXT = 1 << 16
_MOST_REQUIREMENTS = 1 << 22


_SPACES = re.compile(r"(?<=\S)[^\S\n]+")


class _UnknownError(Exception):
    """A value that only running the code would tell."""


def with_marker(requirement: str, *conditions: str) -> str:
    """Return a requirement with further conditions on its marker."""
    text, semicolon, marker = requirement.partition(";")
    parts = [*([marker.strip()] if semicolon else []), *(c for c in conditions if c)]
    if not parts:
        return requirement.strip()
    joined = " and ".join(f"({p})" if " or " in p else p for p in parts)
    # A URL ends at white space only, so the marker needs some before it.
    return f"{text.strip()} ; {joined}"


def _of_extras(extras: Mapping[str, Iterable[str]]) -> Iterator[str]:
    """Yield the requirements of setuptools' ``extras_require``; its keys may be ``extra:marker``."""
    size = 0
    for key, lines in extras.items():
        extra, _, condition = key.partition(":")
        own = f'extra == "{extra.strip()}"' if extra.strip() else ""
        for line in lines:
            made = with_marker(line, condition.strip(), own)
            size += len(made)
            if size > _MOST_REQUIREMENTS:
                raise _UnknownError
            yield made


def _strings(value: object) -> Requirements:
    if isinstance(value, str):
        lines = [line.strip() for line in value.splitlines()]
        return tuple(line for line in lines if line and not line.startswith("#"))
    if isinstance(value, list | tuple) and all(isinstance(item, str) for item in value):
        return tuple(value)
    raise _UnknownError


def _extras(value: object) -> Requirements:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise _UnknownError
    return tuple(_of_extras({key: _strings(lines) for key, lines in value.items()}))


def from_pyproject(text: str) -> Requirements | None:
    """Return what ``[project]`` of a pyproject.toml says (PEP 621), or None when it does not."""
    try:
        project = parse_toml(text, DocumentLimits(size=1 << 18)).get("project")
        if not isinstance(project, dict) or {"dependencies", "optional-dependencies"} & set(
            project.get("dynamic", ())
        ):
            return None
        return _strings(project.get("dependencies", [])) + _extras(project.get("optional-dependencies", {}))
    except (ValueError, TypeError, _UnknownError):
        return None


def from_setup_cfg(text: str) -> Requirements | None:
    """Return what ``[options]`` of a setup.cfg says, or None when it does not."""
    if len(text) > _MOST_TEXT:
        return None
    parser = configparser.RawConfigParser(strict=False)
    found: list[str] = []
    try:
        # Its patterns take quadratic time over white space inside of lines.
        parser.read_string(_SPACES.sub(" ", text))
        if parser.has_option("options", "install_requires"):
            found += _strings(parser.get("options", "install_requires"))
        if parser.has_section("options.extras_require"):
            found += _of_extras({k: _strings(v) for k, v in parser.items("options.extras_require")})
    except (configparser.Error, AttributeError, _UnknownError):
        return None
    if any(line.startswith(("file:", "attr:")) for line in found):
        return None
    return tuple(found)


class _Script:
    """The values of a script that are literals, or names given a literal once and used once."""

    def __init__(self, tree: ast.Module) -> None:
        names = [node for node in ast.walk(tree) if isinstance(node, ast.Name)]
        uses = Counter((node.id, isinstance(node.ctx, ast.Load)) for node in names)
        self._values: dict[str, ast.expr] = {}
        for node in tree.body:
            if isinstance(node, ast.Assign) and len(node.targets) == 1:
                target = node.targets[0]
                # Used more than once it may be changed in between: x.append(...).
                if isinstance(target, ast.Name) and uses[target.id, False] == uses[target.id, True] == 1:
                    self._values[target.id] = node.value

    def resolve(self, node: ast.expr) -> ast.expr:
        """Return the expression that a name stands for."""
        return self._values.get(node.id, node) if isinstance(node, ast.Name) else node

    def value(self, node: ast.expr) -> object:
        """Return the value of an expression.

        :raises _UnknownError: it is no literal.
        """
        try:
            return ast.literal_eval(self.resolve(node))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
            raise _UnknownError from None


def _setup_keywords(script: _Script, tree: ast.Module) -> dict[str, ast.expr]:
    def is_setup(node: ast.expr) -> bool:
        name = node.attr if isinstance(node, ast.Attribute) else getattr(node, "id", "")
        return name == "setup"

    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and is_setup(node.func)]
    if len(calls) != 1:
        raise _UnknownError
    keywords: dict[str, ast.expr] = {}
    for keyword in calls[0].keywords:
        if keyword.arg is not None:
            keywords[keyword.arg] = keyword.value
            continue
        given = script.resolve(keyword.value)  # setup(**given)
        if not isinstance(given, ast.Dict):
            raise _UnknownError
        for key, value in zip(given.keys, given.values, strict=True):
            if not isinstance(key, ast.Constant) or not isinstance(key.value, str):
                raise _UnknownError
            keywords[key.value] = value
    return keywords


def from_setup_py(text: str) -> Requirements | None:
    """Return what the only ``setup()`` call of a setup.py says literally, or None."""
    if len(text) > _MOST_TEXT:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old escapes in strings that are not ours
            tree = ast.parse(text)
        script = _Script(tree)
        keywords = _setup_keywords(script, tree)
        found: Requirements = ()
        for key in ("install_requires", "requires_dist"):
            if key in keywords:
                found += _strings(script.value(keywords[key]))
        if "extras_require" in keywords:
            found += _extras(script.value(keywords["extras_require"]))
    except (SyntaxError, ValueError, RecursionError, MemoryError, _UnknownError):
        return None
    return found


def from_sources(files: Mapping[str, str]) -> Requirements | None:
    """Return what the sources of an sdist say, or None when only running them would tell.

    :param files: the texts of pyproject.toml, setup.cfg and setup.py, as far as they are there.
    """
    if "pyproject.toml" in files:
        found = from_pyproject(files["pyproject.toml"])
        if found is not None:
            return found
    script = from_setup_py(files["setup.py"]) if "setup.py" in files else ()
    config = from_setup_cfg(files["setup.cfg"]) if "setup.cfg" in files else ()
    if script is None or config is None or not files.keys() & {"setup.py", "setup.cfg"}:
        return None
    # A keyword of setup() wins over setup.cfg's option of that name.
    return script or config
