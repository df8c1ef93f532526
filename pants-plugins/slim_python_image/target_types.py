"""Targets and fields: `debian_python_base`, `python_wheel_set`, `slim_python_image`."""

from __future__ import annotations

import re
from typing import Iterable, Optional, Tuple

from pants.backend.docker.registries import ALL_DEFAULT_REGISTRIES
from pants.core.goals.package import OutputPathField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    BoolField,
    Dependencies,
    DictStringToStringField,
    IntField,
    InvalidFieldException,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import help_text

from slim_python_image.annotations import AnnotationsField

# The core's platform table is the authority; a field only checks the form, os/architecture[/variant].
_PLATFORM = re.compile(r"linux/[a-z0-9]+(/v[0-9]+)?")
_PORT = re.compile(r"[0-9]{1,5}(/(tcp|udp|sctp))?")
_MODULE = r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*"
_ENTRY_POINT = re.compile(rf"{_MODULE}(:{_MODULE})?")


def _matches(
    pattern: re.Pattern[str], values: Iterable[str], alias: str, address: Address, form: str
) -> None:
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
        _matches(_PLATFORM, value or (), cls.alias, address, "an OCI platform such as 'linux/arm/v7'")
        if value is not None and len(set(value)) != len(value):
            raise InvalidFieldException(f"{address}: the field `{cls.alias}` names a platform twice.")
        return value


# --- debian_python_base -----------------------------------------------------------------------------


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
    default = ("base-files", "ca-certificates", "media-types", "netbase", "tzdata")
    help = help_text(
        """
        The Debian packages that images on this base hold, besides Python itself. Their dependencies
        come along; recommended packages do not. Name the run-time library of each native wheel that
        is built from source here, such as `libpq5` for psycopg2.
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


class BasePythonField(StringField):
    alias = "python"
    help = help_text(
        """
        The Python version, such as `3.11`. By default, the one that the suite's `python3` is.
        """
    )


class BasePlatformsField(PlatformsField):
    default = ("linux/amd64",)


class BaseLockfileField(StringField, AsyncFieldMixin):
    alias = "lockfile"
    help = help_text(
        """
        Where the lock of this base stands, relative to the BUILD file's folder. By default, the
        target's name with `.lock`. Write it with
        `pants generate-lockfiles --resolve=<name of this target>`.
        """
    )

    @property
    def path(self) -> str:
        """The lockfile's path in the repository."""
        name = self.value or f"{self.address.target_name}.lock"
        if name.startswith("//"):
            return name[2:]
        return f"{self.address.spec_path}/{name}" if self.address.spec_path else name


class DebianPythonBaseTarget(Target):
    alias = "debian_python_base"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        BaseSuitesField,
        BaseComponentsField,
        BasePackagesField,
        BaseBuilderPackagesField,
        BaseEmulationPackagesField,
        BaseExcludedPackagesField,
        BasePythonField,
        BasePlatformsField,
        BaseLockfileField,
    )
    help = help_text(
        """
        A base for images: Python and its libraries from locked Debian packages, and the headers that
        wheels are compiled against.

        Packages are unpacked without maintainer scripts, so that neither Docker nor root is needed
        and any machine can make the base of any platform. The target's name is the name of its lock:
        `pants generate-lockfiles --resolve=<name>` resolves the packages for every platform from the
        mirror's signed index.
        """
    )


# --- python_wheel_set and slim_python_image ----------------------------------------------------------


class BaseField(StringField, AsyncFieldMixin):
    alias = "base"
    required = True
    help = help_text(
        """
        The address of the base, such as `//3rdparty/debian:bookworm-py311`. Of an image, it may be another
        `slim_python_image`: the image then has the base of that one, starts with its layers as with
        `extends`, and has its platforms, `env`, `user` and `workdir` where it says nothing else.
        """
    )


class ImagePlatformsField(PlatformsField):
    help = help_text(
        """
        The platforms to build, such as `["linux/amd64", "linux/arm64", "linux/arm/v7"]`. By default,
        all those of the base.
        """
    )


class NoBinaryField(StringSequenceField):
    alias = "no_binary"
    default = ()
    help = help_text(
        """
        Distributions to compile from their sdist even where a wheel fits, or `[":all:"]`. Adds to
        `[python].resolves_to_no_binary`.
        """
    )


class OnlyBinaryField(StringSequenceField):
    alias = "only_binary"
    default = ()
    help = help_text(
        """
        Distributions that must come as a wheel, or `[":all:"]`; one without a fitting wheel is an
        error. Adds to `[python].resolves_to_only_binary`.
        """
    )


class WheelSetDependenciesField(Dependencies):
    pass


class PythonWheelSetTarget(Target):
    alias = "python_wheel_set"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        OutputPathField,
        WheelSetDependenciesField,
        BaseField,
        ImagePlatformsField,
        NoBinaryField,
        OnlyBinaryField,
    )
    help = help_text(
        """
        The wheels of all third-party requirements that the dependencies reach, one folder per
        platform, fetched or compiled to fit the base.

        `package` writes a wheelhouse: `pip install --no-index --find-links <dir>/<platform> ...` works
        on a machine of that platform.
        """
    )


class ImageDependenciesField(Dependencies):
    pass


class EntryPointField(StringField, AsyncFieldMixin):
    alias = "entry_point"
    help = help_text(
        """
        What the container runs: a module (`brewblox_history`, run as `python -m`), or a function
        (`brewblox_history.app:main`). A dependency on the module's owner is inferred.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None:
            _matches(
                _ENTRY_POINT, (value,), cls.alias, address, "'package.module' or 'package.module:function'"
            )
        return value


class ScriptField(StringField):
    alias = "script"
    help = help_text(
        """
        What the container runs: a script that a wheel installs, such as `uvicorn`. Use either this or
        `entry_point`.
        """
    )


class ArgsField(StringSequenceField):
    alias = "args"
    default = ()
    help = help_text(
        """
        Arguments to the entry point, which `docker run <image> other arguments` replaces (OCI `Cmd`).
        """
    )


class ExtendsField(StringField, AsyncFieldMixin):
    alias = "extends"
    help = help_text(
        """
        The address of another `slim_python_image`. This image then starts with exactly the base and
        wheel layers of that one, digest for digest, and adds only the wheels that are missing there.
        First-party code is not inherited, it comes from the dependencies; files that the other image has
        too are in a layer of their own, below the rest.
        """
    )


class EnvField(DictStringToStringField):
    alias = "env"
    help = help_text("Environment variables of the container.")


class UserField(StringField):
    alias = "user"
    help = help_text(
        """
        The user that the container runs as, by name or number: `nonroot` is 65532. By default, that of the
        image that is the `base`, or `nonroot`.
        """
    )


class WorkdirField(StringField):
    alias = "workdir"
    help = help_text(
        """
        The working directory; by default, that of the image that is the `base`, or `/app`. Files of `file`
        and `files` dependencies stand below it with their path from the root of the repository, as they do
        in tests.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[str], address: Address) -> Optional[str]:
        value = super().compute_value(raw_value, address)
        if value is not None and (not value.startswith("/") or ".." in value.split("/")):
            raise InvalidFieldException(
                f"{address}: the field `{cls.alias}` has {value!r}; expected an absolute path."
            )
        return value


class PortsField(StringSequenceField):
    alias = "ports"
    default = ()
    help = help_text("Ports that the service listens on: `5000`, `5000/tcp`, `53/udp`.")

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        _matches(_PORT, value or (), cls.alias, address, "a port such as '5000' or '53/udp'")
        for port in value or ():
            if not 1 <= int(port.split("/")[0]) <= 65535:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {port!r}; ports are 1 to 65535."
                )
        return value


class VolumesField(StringSequenceField):
    alias = "volumes"
    default = ()
    help = help_text("Paths in the container that hold data of the outside.")


class LabelsField(DictStringToStringField):
    alias = "labels"
    help = help_text("Labels of the image, such as `org.opencontainers.image.source`.")


class StopSignalField(StringField):
    alias = "stop_signal"
    help = help_text("The signal that stops the container. By default, the engine's (SIGTERM).")


class LayerBudgetField(IntField):
    alias = "layer_budget"
    help = help_text(
        """
        How many layers the wheels of this image may take, those of the image it extends not counted.
        By default, `[slim-image].layer_budget`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[int], address: Address) -> Optional[int]:
        value = super().compute_value(raw_value, address)
        if value is not None and not 2 <= value <= 100:
            raise InvalidFieldException(f"{address}: the field `{cls.alias}` has {value}; expected 2 to 100.")
        return value


class BytecodeField(StringField):
    alias = "bytecode"
    default = "unchecked-hash"
    valid_choices = ("unchecked-hash", "none")
    help = help_text(
        """
        Whether compiled bytecode (PEP 552 `unchecked-hash`) lies beside the sources. `none` saves
        about a fourth of the size and makes every start of the container slower.
        """
    )


class ExcludeField(StringSequenceField):
    alias = "exclude"
    default = ()
    help = help_text(
        """
        Globs of files of wheels and sources to leave out, matched against the path below
        `site-packages`, such as `**/tests/**`. Headers, static libraries and wheel files are left out
        anyway.
        """
    )


class StripField(BoolField):
    alias = "strip"
    default = True
    help = help_text(
        """
        Whether debug information (`.debug_*` sections) is left out of the ELF files of wheels, as
        `strip --strip-debug` does. It is never loaded, and some prebuilt wheels have more of it than of code;
        symbol tables stay. RECORD has the hashes of the files as they are in the image.
        """
    )


class CompressionField(StringField):
    alias = "compression"
    valid_choices = ("gzip", "zstd")
    help = help_text(
        """
        How the layers that are made here are compressed: `gzip`, or `zstd`, which is smaller and is
        unpacked faster. Docker pulls zstd from version 23 on. Layers of a registry's base image stay as
        they are. By default, `[slim-image].compression`.
        """
    )


class OutputFormatField(StringField):
    alias = "output_format"
    default = "oci-layout"
    valid_choices = ("oci-layout", "docker-archive", "oci-archive", "docker-image")
    help = help_text(
        """
        `oci-layout`: a folder that skopeo, podman, buildah and umoci read. `docker-archive`: a file for
        `docker load`, one per platform. `oci-archive`: the layout as one tar file. `docker-image`: no file,
        but an image in this machine's Docker, for its own platform, from which a `docker_image` builds:
        `ARG BASE=<address of this target>` and `FROM $BASE` in its Dockerfile.
        """
    )


class RepositoryField(StringField):
    alias = "repository"
    help = help_text(
        """
        The image's name, without a registry. May hold the placeholders of `docker_image`: `{name}`,
        `{directory}`, `{parent_directory}`, `{default_repository}`, `{tags.baseimage}` (the name of the
        base), `{pants.hash}` (the digest). By default, `publish` takes `[docker].default_repository`,
        and an archive the folder and name of the target, such as `src/brewblox/service/image`.
        """
    )


class ImageTagsField(StringSequenceField):
    alias = "image_tags"
    default = ("latest",)
    help = help_text(
        """
        The tags that archives name and `publish` moves. May hold the same placeholders as `repository`.
        """
    )


class RegistriesField(StringSequenceField):
    alias = "registries"
    default = (ALL_DEFAULT_REGISTRIES,)
    help = help_text(
        """
        Where `publish` sends the image: addresses of registries, or aliases of `[docker].registries`
        with `@` before them, as in `docker_image`. By default, all registries with `default = true`.
        """
    )


class SkipPushField(BoolField):
    alias = "skip_push"
    default = False
    help = help_text("If true, `publish` does not send the image, as in `docker_image`.")


class AcceptField(StringSequenceField):
    alias = "accept_missing"
    default = ()
    help = help_text(
        """
        Globs of what the audit lets pass, for optional plugins that are never loaded: with a slash, of
        files by their absolute path in the image (`*/gpu/*.so`); without, of libraries by name
        (`libcuda.so.*`). What was accepted stands in the image's report.
        """
    )


class SlimPythonImageTarget(Target):
    alias = "slim_python_image"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        OutputPathField,
        ImageDependenciesField,
        BaseField,
        ExtendsField,
        ImagePlatformsField,
        EntryPointField,
        ScriptField,
        ArgsField,
        EnvField,
        UserField,
        WorkdirField,
        PortsField,
        VolumesField,
        LabelsField,
        AnnotationsField,
        StopSignalField,
        LayerBudgetField,
        BytecodeField,
        StripField,
        CompressionField,
        ExcludeField,
        NoBinaryField,
        OnlyBinaryField,
        OutputFormatField,
        RepositoryField,
        ImageTagsField,
        RegistriesField,
        SkipPushField,
        AcceptField,
    )
    help = help_text(
        """
        A slim OCI image of a Python service: a base, wheels, and first-party code.

        `package` writes an OCI image index over all platforms. No Docker daemon, no emulation and no
        root is needed, and the image holds no compiler, no pip and no wheel file. The image is a
        virtual environment at `/app`; it runs as the user `nonroot` and works with a read-only root
        filesystem.

        First-party code, `resource` and `file` targets, and third-party requirements reach the image
        through its dependencies; a `python_distribution` among them is installed as a wheel.
        """
    )
