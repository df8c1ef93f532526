"""Fields of an image that say which layers its wheels have, and how large it may be."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Dict, Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    DictStringToStringField,
    DictStringToStringSequenceField,
    InvalidFieldException,
    StringField,
)
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

from slim_python_image.sizes import EXPECTED, parse_size

SMALLEST_LAYER = 1 << 20
"""Bytes, as the core has it (layer/split.py)."""
_GROUP = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]{0,62}[A-Za-z0-9])?")
_PATTERN = re.compile(r"[A-Za-z0-9._*?-]+")


def name_pattern(text: str) -> str:
    """Return a glob of distributions' names as the index has them (PEP 503)."""
    return re.sub(r"[-_.]+", "-", text).lower()


@dataclass(frozen=True)
class LayerGroup:
    """Distributions that share a layer.

    :param patterns: globs of their names, as the index has these.
    """

    name: str
    patterns: Tuple[str, ...]

    def pattern_of(self, distribution: str) -> Optional[str]:
        """Return the first pattern that a distribution matches.

        :param distribution: its name as the index has it.
        """
        return next((one for one in self.patterns if fnmatchcase(distribution, one)), None)


class LayerGroupsField(DictStringToStringSequenceField):
    alias = "layer_groups"
    help = help_text(
        """
        Distributions that share a layer, by the name that the layer is shown with:
        `{"torch": ["torch", "nvidia-*", "triton"]}`. Names are as the index has them; `*` and `?` match any
        characters and any one. What no pattern matches is divided as always, and groups count towards
        `layer_budget`. What the image that this one extends has stays in the layers of that one. A pattern
        that matches nothing on any platform is an error, and so is a distribution in two groups.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, Iterable[str]]], address: Address
    ) -> Optional[FrozenDict[str, Tuple[str, ...]]]:
        value = super().compute_value(raw_value, address)
        for name, patterns in (value or {}).items():
            if not _GROUP.fullmatch(name):
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has the group {name!r}; expected a name of letters, "
                    "digits, '.', '_' and '-', such as 'torch'."
                )
            if not patterns:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has nothing for {name!r}; expected names of "
                    "distributions."
                )
            wrong = [one for one in patterns if not _PATTERN.fullmatch(one)]
            if wrong:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {wrong[0]!r} for {name!r}; expected the name of "
                    "a distribution or a glob of names, such as 'nvidia-*'."
                )
        return value

    @property
    def groups(self) -> Tuple[LayerGroup, ...]:
        """The groups, by name."""
        return tuple(
            LayerGroup(name, tuple(dict.fromkeys(map(name_pattern, patterns))))
            for name, patterns in sorted((self.value or {}).items())
        )


class MaxLayerSizeField(StringField):
    alias = "max_layer_size"
    help = help_text(
        """
        How large a layer may be, such as `"512MiB"`, or a number of bytes; for registries that refuse larger
        blobs. A larger layer is divided: one of wheels by distributions, a distribution by its folders, one
        of a Debian base by packages, one of first-party code by folders; always in the same way, and the
        image unpacks to the same files. It is the layer before it is compressed that is bounded, so that the
        division depends on files alone; its blob is never larger. A single file that is larger has a layer of
        its own, and a note says so; a first-party one whose blob is larger is an error. By default,
        `[slim-image].max_layer_size`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Any, address: Address) -> Optional[str]:
        number = isinstance(raw_value, int) and not isinstance(raw_value, bool)
        value = super().compute_value(str(raw_value) if number else raw_value, address)
        if value is not None:
            try:
                size = layer_size(value)
            except ValueError:
                size = None
            if size is None:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {value!r}; expected {EXPECTED}, and at least 1 "
                    "MiB."
                )
        return value

    @property
    def bytes(self) -> Optional[int]:
        """The bytes, ``None`` where it says nothing."""
        return None if self.value is None else layer_size(self.value)


def layer_size(text: str) -> int:
    """Return the bytes that a layer may have.

    :raises ValueError: it is no number of bytes, or too small a one.
    """
    size = parse_size(text)
    if size < SMALLEST_LAYER:
        raise ValueError(text)
    return size


class SizeBudgetField(DictStringToStringField):
    alias = "size_budget"
    help = help_text(
        """
        How large the image may be on each platform, unpacked: `{"*": "120MiB", "numpy": "60MiB",
        "nvidia-*": "2GiB"}`. `"*"` is the whole image, base and first-party code included; anything else is a
        glob of distributions' names, and bounds what these have together. `package` of a larger image is an
        error that names what is largest, and what grew since `slim-sizes --record` wrote down the sizes.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, str]], address: Address
    ) -> Optional[FrozenDict[str, str]]:
        value = super().compute_value(raw_value, address)
        for name, text in (value or {}).items():
            if not _PATTERN.fullmatch(name):
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {name!r}; expected '*' or the name of a "
                    "distribution."
                )
            try:
                parse_size(text)
            except ValueError:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {text!r} for {name!r}; expected {EXPECTED}."
                ) from None
        return value

    @property
    def budgets(self) -> Tuple[Tuple[str, str, int], ...]:
        """Each budget as it is written, its glob as the index has names, and its bytes."""
        return tuple(
            (name, name_pattern(name), parse_size(text)) for name, text in sorted((self.value or {}).items())
        )
