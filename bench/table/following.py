"""Does what an error message says, and no more: a user who knows nothing of the package."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

_QUOTED = re.compile(r'"([^"]+)"')
_CARGO = "cargo-web"


@dataclass(frozen=True)
class Choice:
    """What a user has written down for a distribution and its base, from messages alone."""

    builder_packages: tuple[str, ...] = ()
    """Of the distribution's own group."""
    packages: tuple[str, ...] = ()
    """Of the base."""
    compiler: str = "clang"
    suites: tuple[str, ...] = ()
    """Beside the first one of the base."""
    setup_args: tuple[str, ...] = ()
    """Of ``config_settings``, for meson."""

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Choice:
        """Read one that :meth:`to_json` wrote."""
        return Choice(
            tuple(value["builder_packages"]),
            tuple(value["packages"]),
            str(value["compiler"]),
            tuple(value["suites"]),
            tuple(value.get("setup_args", ())),
        )

    def to_json(self) -> dict[str, Any]:
        """Return it as an object."""
        return asdict(self)

    def words(self) -> str:
        """Return the settings beside packages, as they stand in ``pants.toml`` and the base."""
        said = [f'`compiler = "{self.compiler}"`'] if self.compiler != "clang" else []
        said += [f"suite `{name}`" for name in self.suites]
        return ", ".join([*said, *(f"`{argument}`" for argument in self.setup_args)])


def remedies(error: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """Yield the remedies of an error document, and of those in it."""
    if error.get("remedy"):
        yield error["remedy"]
    for one in error.get("errors") or ():
        yield from remedies(one)


def follow(error: Mapping[str, Any], choice: Choice) -> Choice:
    """Return the choice after all lines that an error names were added; the same where it names none."""
    for remedy in remedies(error):
        choice = _follow(remedy["code"], remedy["arguments"], choice)
    return choice


def _follow(code: str, arguments: Mapping[str, str], choice: Choice) -> Choice:
    match code:
        case "add-builder-package":
            # Several stand as they are typed: `a", "b`.
            choice = _with_builder(choice, arguments["package"].split('", "'))
        case "use-system-libraries":
            options = _added(choice.setup_args, _QUOTED.findall(arguments["options"]))
            choice = _with_builder(
                replace(choice, setup_args=options), _QUOTED.findall(arguments["packages"])
            )
        case "use-wheel-or-cargo":
            choice = _with_builder(choice, [_CARGO])
        case "add-runtime-packages":
            names = _QUOTED.findall(arguments["packages"])
            choice = replace(choice, packages=_added(choice.packages, names))
        case "use-gcc":
            choice = replace(choice, compiler="gcc")
        case "add-suite-of-rust":
            choice = replace(choice, suites=_added(choice.suites, [arguments["suite"]]))
    return choice


def _with_builder(choice: Choice, names: Iterable[str]) -> Choice:
    return replace(choice, builder_packages=_added(choice.builder_packages, names))


def _added(before: tuple[str, ...], names: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys((*before, *names)))
