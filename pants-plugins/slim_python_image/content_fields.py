"""Fields of an image that say whose its files are, of what time, and how strictly they are looked at."""

from __future__ import annotations

from typing import Optional

from pants.engine.addresses import Address
from pants.engine.target import BoolField, InvalidFieldException, StringField, StringSequenceField
from pants.util.strutil import help_text

# From the 2nd of January 1980 to what a tar header holds, as the core has them (layer/times.py).
_FIRST_TIME, _LAST_TIME = 315_619_200, 0o77777777777


class WritableField(StringSequenceField):
    alias = "writable"
    default = ()
    help = help_text(
        """
        Folders that the image's user may write to, such as `/app/data`: they are made, and belong to it. With
        a read-only root filesystem, mount a volume or a tmpfs there.
        """
    )


class PreferField(StringSequenceField):
    alias = "prefer"
    default = ()
    help = help_text(
        """
        Distributions whose file the image has where another one has a different file of the same path, such
        as a command that both install. Without it, that is an error: installers take the one that comes
        last.
        """
    )


class SourceDateEpochField(StringField):
    alias = "source_date_epoch"
    help = help_text(
        """
        The time of all first-party files, in seconds since 1970, such as `env("SOURCE_DATE_EPOCH")`. By
        default, each file's time follows from its content, which makes the ETag of web servers right.
        Clients that send nothing but `If-Modified-Since` (those of Django's `static.serve`) need times that
        grow with releases; the image's digest then changes with each.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value and not (value.isdecimal() and _FIRST_TIME <= int(value) <= _LAST_TIME):
            raise InvalidFieldException(
                f"{address}: the field `{cls.alias}` has {value!r}; expected seconds since 1970, from "
                f"{_FIRST_TIME} (2 January 1980, the first that ZIP archives hold in every time zone)."
            )
        return value

    @property
    def seconds(self) -> Optional[int]:
        """The time, ``None`` for one that follows from content."""
        return int(self.value) if self.value else None


class StrictAuditField(BoolField):
    alias = "strict_audit"
    default = False
    help = help_text(
        """
        Whether every ELF file must load. By default, those that Python can import, programs, libraries that
        a distribution's own code opens by name, and all that these need; what only native code could open
        is a note in the report.
        """
    )
