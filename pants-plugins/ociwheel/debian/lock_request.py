"""What a lock of Debian packages is asked for."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ociwheel.debian.compilers import GCC
from ociwheel.debian.policy import DEFAULT_EXCLUDED
from ociwheel.platforms import platform
from ociwheel.reading import Value

_MINOR = re.compile(r"3\.[0-9]{1,2}")
_LISTS = (
    *("suites", "packages", "builder_packages", "excluded_packages", "emulation_packages"),
    *("platforms", "components", "compilers"),
)


@dataclass(frozen=True)
class Request:
    """What a ``debian_python_base`` target asks for."""

    suites: tuple[str, ...]
    packages: tuple[str, ...]
    builder_packages: tuple[str, ...]
    builder_groups: Mapping[str, tuple[str, ...]]
    """Builder packages that only one distribution is compiled against, by its name."""
    image_packages: Mapping[str, tuple[str, ...]]
    """What images add to the base, as ``Depends`` has it, and the platforms that cannot do without."""
    emulation_packages: tuple[str, ...]
    """The compiler of emulated builds; without any, there are none."""
    excluded_packages: tuple[str, ...]
    python: str | None
    platforms: tuple[str, ...]
    components: tuple[str, ...]
    compilers: tuple[str, ...]
    """What some distributions are compiled with in place of clang: :data:`~ociwheel.debian.compilers.GCC`."""
    inputs: Mapping[str, Any]
    """The request as given, without its name: a lock whose inputs differ is stale."""

    @classmethod
    def parse(cls, value: Value) -> Request:
        """Return the request that a document holds; what is wrong is an error of the document's."""
        value.only(*_LISTS, "python", "name", "builder_groups", "image_packages")
        given = {key: value.maybe(key) for key in _LISTS}
        lists = {key: item.texts(empty=False) if item else () for key, item in given.items()}
        for key in ("suites", "platforms"):
            if not lists[key]:
                raise value.error(f"{key} is empty")
        for name in lists["platforms"]:
            platform(name)
        if set(lists["compilers"]) - {GCC}:
            raise value.error(f"compilers are {', '.join(lists['compilers'])}; there is {GCC}")
        if given["excluded_packages"] is None:
            lists["excluded_packages"] = DEFAULT_EXCLUDED
        lists["components"] = lists["components"] or ("main",)
        python = value.optional(
            "python", lambda item: item.matching(_MINOR, 'a minor version such as "3.11"')
        )
        inputs = {key: item for key, item in value.raw.items() if key != "name"}
        return cls(
            python=python,
            inputs=inputs,
            builder_groups=_texts_by_name(value, "builder_groups"),
            image_packages=_texts_by_name(value, "image_packages"),
            **lists,
        )


def _texts_by_name(value: Value, key: str) -> dict[str, tuple[str, ...]]:
    """Return an optional object of lists of texts, sorted."""
    found = value.optional(key, Value.members) or {}
    return {name: found[name].texts(empty=False) for name in sorted(found)}
