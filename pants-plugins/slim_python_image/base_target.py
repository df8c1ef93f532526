"""Target and fields of `debian_python_base`: what each is, its `help` says."""

from __future__ import annotations

import re
from typing import Iterable, Optional, Tuple

from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    InvalidFieldException,
    OptionalSingleSourceField,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import help_text

# The core's platform table is the authority; a field only checks the form, os/architecture[/variant].
_PLATFORM = re.compile(r"linux/[a-z0-9]+(/v[0-9]+)?")


def matches(pattern: re.Pattern[str], values: Iterable[str], alias: str, address: Address, form: str) -> None:
    for value in values:
        if not pattern.fullmatch(value):
            raise InvalidFieldException(f"{address}: the field `{alias}` has {value!r}; expected {form}.")


class PlatformsField(StringSequenceField):
    alias = "platforms"
    help = help_text(
        """
        The platforms, as in `docker --platform`: `linux/amd64`, `linux/arm64`, `linux/arm/v7`.
        No machine of that platform and no emulation is needed.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        matches(_PLATFORM, value or (), cls.alias, address, "an OCI platform such as 'linux/arm/v7'")
        if value is not None and len(set(value)) != len(value):
            raise InvalidFieldException(f"{address}: the field `{cls.alias}` names a platform twice.")
        return value


class BaseSuitesField(StringSequenceField):
    alias = "suites"
    required = True
    help = help_text(
        """
        The Debian suites that packages come from, such as `["bookworm"]`, or
        `["bookworm", "bookworm-updates", "bookworm-security"]` to lock security updates too. Of
        several versions the highest wins.
        """
    )


class BaseComponentsField(StringSequenceField):
    alias = "components"
    default = ("main",)
    help = help_text("The archive components that packages may come from.")


class BasePackagesField(StringSequenceField):
    alias = "packages"
    default = ("base-files", "ca-certificates", "libstdc++6", "media-types", "netbase", "tzdata")
    help = help_text(
        """
        The Debian packages that images on this base hold, besides Python itself. Their dependencies
        come along; recommended packages do not. The run-time library of each native wheel that is built
        from source, such as `libpq5` for psycopg2, belongs here or in `extra_packages`.
        """
    )


class BaseExtraPackagesField(StringSequenceField):
    alias = "extra_packages"
    default = ()
    help = help_text(
        """
        Debian packages beside those of `packages`, so that its default need not be repeated:
        `extra_packages=["libpq5"]`.
        """
    )


class BaseBuilderPackagesField(StringSequenceField):
    alias = "builder_packages"
    default = ()
    help = help_text(
        """
        The Debian packages that wheels are compiled against, such as `libpq-dev`. Python's own
        headers are there anyway. They are unpacked as a sysroot and never reach an image.
        """
    )


class BaseEmulationPackagesField(StringSequenceField):
    alias = "emulation_packages"
    default = ()
    help = help_text(
        """
        The compiler for distributions that are built in a container of their platform (`emulate` in
        `[slim-image].builds`): usually `["g++", "gcc", "libc6-dev", "make"]`. The container is made of
        these, a shell with its usual tools, Python and the builder packages; it never reaches an image.
        By default, none: nothing of it is locked or fetched.
        """
    )


class BaseExcludedPackagesField(StringSequenceField):
    alias = "excluded_packages"
    default = None
    help = help_text(
        """
        Packages to leave out even where others depend on them. By default, the tools that only
        maintainer scripts need (debconf, dpkg, perl-base and the like), because no maintainer script
        ever runs.
        """
    )


class BaseAcceptScriptsField(StringSequenceField):
    alias = "accept_scripts"
    default = ()
    help = help_text(
        """
        Packages of which you have looked what their maintainer scripts would do, and no image needs it,
        or has it as files of its own: `["postgresql-common"]`. Nothing more is said of them. A package
        whose program makes a file of the image (fontconfig's `fc-cache`) is not asked to make it.
        """
    )


class BasePythonField(StringField):
    alias = "python"
    help = help_text(
        """
        The Python version, such as `3.11`. By default, the one that the suite's `python3` is.
        """
    )


class BasePlatformsField(PlatformsField):
    default = ("linux/amd64",)


class BaseLockfileField(OptionalSingleSourceField):
    """The lock is a source of its base: who changes it has changed the base, and all images on it."""

    alias = "lockfile"
    uses_source_roots = False
    help = help_text(
        """
        Where the lock of this base stands, relative to the BUILD file's folder. By default, the
        target's name with `.lock`. Write it with
        `pants generate-lockfiles --resolve=<name of this target>`. The lock is a source of this target, so
        `--changed-since` finds the images on it; one elsewhere (`//locks/base.lock`) is not.
        """
    )

    @property
    def path(self) -> str:
        """The lockfile's path in the repository."""
        name = self.value or f"{self.address.target_name}.lock"
        if name.startswith("//"):
            return name[2:]
        return f"{self.address.spec_path}/{name}" if self.address.spec_path else name

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        if isinstance(raw_value, str) and raw_value.startswith("//"):
            return raw_value  # from the root of the repository, where paths of sources do not reach
        return super().compute_value(raw_value, address)

    @property
    def globs(self) -> Tuple[str, ...]:
        """The lockfile, from the BUILD file; none if it stands elsewhere, where globs do not reach."""
        folder = f"{self.address.spec_path}/" if self.address.spec_path else ""
        return (self.path[len(folder) :],) if self.path.startswith(folder) else ()


class DebianPythonBaseTarget(Target):
    alias = "debian_python_base"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        BaseSuitesField,
        BaseComponentsField,
        BasePackagesField,
        BaseExtraPackagesField,
        BaseBuilderPackagesField,
        BaseEmulationPackagesField,
        BaseExcludedPackagesField,
        BaseAcceptScriptsField,
        BasePythonField,
        BasePlatformsField,
        BaseLockfileField,
    )
    help = help_text(
        """
        A base for images: Python and its libraries from locked Debian packages, and the headers that
        wheels are compiled against.

        Maintainer scripts are read and never run: what they would do is imitated, so that neither Docker
        nor root is needed and any machine can make the base of any platform. The target's name is the
        name of its lock: `pants generate-lockfiles --resolve=<name>` resolves the packages for every
        platform from the mirror's signed index.
        """
    )
