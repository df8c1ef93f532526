"""Reads a step's arguments as ``argparse`` does, without it, in the form in which programs write them.

``argparse`` and what it imports cost more processor time than all that some steps do. What is not in this
form, what is wrong, and who asks for help is for ``argparse``, which then reads everything once more.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any


class Options:
    """The options of a step: takes what a step's ``configure`` gives to an ``ArgumentParser``."""

    def __init__(self) -> None:
        self._named: dict[str, dict[str, Any]] = {}
        self.simple = True
        """Whether all of them have the form that :meth:`read` knows."""

    def add_argument(self, *names: str, **settings: Any) -> None:
        """Add an option, as ``ArgumentParser.add_argument`` does."""
        known = {"type", "required", "default", "choices", "help", "metavar", "action"}
        action = settings.get("action", "store")
        named = len(names) == 1 and names[0].startswith("--")
        if named and settings.keys() <= known and action in ("store", "store_true", "append"):
            self._named[names[0]] = settings
        else:
            self.simple = False

    def add_mutually_exclusive_group(self, **_: Any) -> Options:
        """Take options of which one excludes another, which :meth:`read` does not know."""
        self.simple = False
        return self

    def read(self, argv: Sequence[str]) -> SimpleNamespace | None:
        """Return what ``argparse`` would, ``None`` where it has to look itself."""
        if not self.simple:
            return None
        try:
            found = self._read(argv)
        except Exception:  # noqa: BLE001 (whatever a type raises, argparse meets it again and says so)
            return None
        return SimpleNamespace(**{name[2:].replace("-", "_"): value for name, value in found.items()})

    def _read(self, argv: Sequence[str]) -> dict[str, Any]:
        """Return the values by option.

        :raises ValueError: the arguments have another form, or lack one.
        """
        found = {name: self._default(settings) for name, settings in self._named.items()}
        lacking = {name for name, settings in self._named.items() if settings.get("required")}
        rest = iter(argv)
        for name in rest:
            if name not in self._named:
                raise ValueError(name)
            settings = self._named[name]
            lacking.discard(name)
            if settings.get("action") == "store_true":
                found[name] = True
                continue
            text = next(rest, "-")
            value = _value(settings, text)
            if text.startswith("-") or ("choices" in settings and value not in settings["choices"]):
                raise ValueError(text)
            found[name] = [*(found[name] or ()), value] if settings.get("action") == "append" else value
        if lacking:
            raise ValueError(lacking)
        return found

    @staticmethod
    def _default(settings: dict[str, Any]) -> Any:
        action = settings.get("action", "store")
        default = settings.get("default", False if action == "store_true" else None)
        if action == "append":
            return None if default is None else list(default)
        return _value(settings, default) if isinstance(default, str) else default


def _value(settings: dict[str, Any], text: str) -> Any:
    kind: Callable[[str], Any] = settings.get("type", str)
    return kind(text)
