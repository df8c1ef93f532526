"""Fields of an image that say whose its files are, of what time, and how strictly they are looked at."""

from __future__ import annotations

import re
from typing import Dict, Iterable, Iterator, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    AsyncFieldMixin,
    BoolField,
    DictStringToStringSequenceField,
    InvalidFieldException,
    StringField,
    StringSequenceField,
)
from pants.util.frozendict import FrozenDict
from pants.util.strutil import help_text

# Debian Policy 5.6.1, names of packages.
_PACKAGE = re.compile(r"[a-z0-9][a-z0-9+.-]+")
# From the 2nd of January 1980 to what a tar header holds, as the core has them (formats/times.py).
_FOLDER = re.compile(r"(/[^/\0]+)+/?")
_PLACED_OPTION = re.compile(r"mode=0?[0-7]{3}|owner=[A-Za-z0-9_-]+(:[A-Za-z0-9_-]+)?")
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


class ImageExtraPackagesField(StringSequenceField):
    alias = "extra_packages"
    default = ()
    help = help_text(
        """
        Debian packages that this image has beside those of its base, with what they depend on: `["tini",
        "curl"]`. They are locked with the base (`pants generate-lockfiles --resolve=<name of the base>`), and
        lie in a layer above the base's, below the wheels. Images that extend this one have them too. Images
        that name the same packages share the layer. The base has to be a `debian_python_base`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        for name in value or ():
            if not _PACKAGE.fullmatch(name):
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {name!r}; expected a Debian package such as "
                    "'tini'."
                )
        return value


class FilesAtField(DictStringToStringSequenceField, AsyncFieldMixin):
    alias = "files_at"
    help = help_text(
        """
        Files at absolute places: `{"/etc/app": [":config"], "/etc/secret": [":keys", "mode=0600",
        "owner=nonroot"]}`. Below each folder stand the files of `file`, `files`, `resource` and `resources`
        targets, with their path from the folder of their target; these targets put their files there alone.
        Without `mode` and `owner`, files belong to root, with the mode 0644, or 0755 where they are
        executable.
        """
    )

    @classmethod
    def compute_value(
        cls, raw_value: Optional[Dict[str, Iterable[str]]], address: Address
    ) -> Optional[FrozenDict[str, Tuple[str, ...]]]:
        value = super().compute_value(raw_value, address)
        for folder, texts in (value or {}).items():
            if not _FOLDER.fullmatch(folder) or ".." in folder.split("/"):
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {folder!r}; expected an absolute folder such as "
                    "'/etc/app'."
                )
            wrong = [text for text in texts if "=" in text and not _PLACED_OPTION.fullmatch(text)]
            if wrong:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {wrong[0]!r} for {folder}; expected an address, "
                    "'mode=0640' or 'owner=1000:1000'."
                )
        return value

    def places(self) -> Iterator[Tuple[str, Tuple[str, ...], Dict[str, str]]]:
        """Yield each folder, the addresses of its targets, and the mode and owner of its files."""
        for folder, texts in sorted((self.value or {}).items()):
            options = dict(text.split("=", 1) for text in texts if "=" in text)
            yield folder.rstrip("/"), tuple(text for text in texts if "=" not in text), options


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
