"""The field `annotations`, and the rules for its keys.

Specification: OCI image-spec 1.1, annotations.md.
"""

from __future__ import annotations

import re
from typing import Dict, Optional

from pants.engine.addresses import Address
from pants.engine.target import DictStringToStringField, InvalidFieldException
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

_RESERVED = "org.opencontainers."
_IMAGE = f"{_RESERVED}image."
# "Pre-Defined Annotation Keys", without those of references and referrers: they belong to index.json.
_FREE = frozenset(
    f"{_IMAGE}{name}"
    for name in (
        *("authors", "created", "description", "documentation", "licenses", "revision", "source", "title"),
        *("url", "vendor", "version"),
    )
)
_OURS = frozenset({f"{_IMAGE}base.digest", f"{_IMAGE}base.name"})
_RFC_3339 = re.compile(
    r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt]([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?"
    r"([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)"
)


def fault(key: str, value: str) -> str | None:
    """Return what is wrong with an annotation, `None` for nothing."""
    if not key:
        return "has an empty key"
    if key in _OURS:
        return f"sets {key!r}, which the base decides"
    # "The prefix org.opencontainers is reserved for keys defined in Open Container Initiative (OCI)
    # specifications and MUST NOT be used by other specifications and extensions."
    if key.startswith(_RESERVED) and key not in _FREE:
        known = ", ".join(sorted(name[len(_IMAGE) :] for name in _FREE))
        return f"has {key!r}; of the reserved keys {_IMAGE}*, images may have: {known}"
    if key == f"{_IMAGE}created" and not _RFC_3339.fullmatch(value):
        return f"has {value!r} as {key!r}; expected a time such as '2026-01-31T12:00:00Z' (RFC 3339)"
    return None


class AnnotationsField(DictStringToStringField):
    """Annotations of an image's index and manifests."""

    alias = "annotations"
    help = help_text(
        """
        Annotations of the image index and of the manifest of every platform, such as
        `org.opencontainers.image.version`, for registries and what reads them without pulling an image;
        `labels` are for engines, which show them of an image that they have. Keys below
        `org.opencontainers.` must be those of the OCI image specification. On a `registry_python_base`,
        both get `org.opencontainers.image.base.name` and `.base.digest` by themselves.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, str]], address: Address
    ) -> Optional[FrozenDict[str, str]]:
        """Return the annotations, checked."""
        value = super().compute_value(raw_value, address)
        for key, text in (value or {}).items():
            what = fault(key, text)
            if what is not None:
                raise InvalidFieldException(f"{address}: the field `{cls.alias}` {what}.")
        return value
