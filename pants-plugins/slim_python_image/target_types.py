"""Target and fields of `slim_python_image`: what each is, its `help` says."""

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
from slim_python_image.base_target import matches
from slim_python_image.content_fields import (
    FilesAtField,
    ImageExtraPackagesField,
    PreferField,
    SourceDateEpochField,
    StrictAuditField,
    WritableField,
)
from slim_python_image.layer_fields import LayerGroupsField, MaxLayerSizeField, SizeBudgetField
from slim_python_image.start_fields import (
    EntryPointField,
    EntryPointsField,
    ExecutableField,
    ExtraEnvField,
    HealthcheckField,
    HealthcheckOptionsField,
    ImageResolveField,
    StartScriptField,
)
from slim_python_image.wheel_set_target import BaseField, ImagePlatformsField, NoBinaryField, OnlyBinaryField

_PORT = re.compile(r"[0-9]{1,5}(/(tcp|udp|sctp))?")


class ImageDependenciesField(Dependencies):
    supports_transitive_excludes = True


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
        The user that the container runs as: `nonroot` (65532), `root`, `nobody`, a user that a Debian
        package of the image makes (`redis`), or a number, with or without a group (`1000:1000`). A number
        that the base does not have gets rows in `/etc/passwd` and `/etc/group` and the home `/home/app`.
        The image's configuration has numbers, as Kubernetes' `runAsNonRoot` needs them. By default, that of
        the image that is the `base`, or `nonroot`.
        """
    )


class WorkdirField(StringField):
    alias = "workdir"
    help = help_text(
        """
        The working directory; by default, that of the image that is the `base`, or `/app`. One that the
        base does not have belongs to the image's user; `/app` does not, since code is there. Files of
        `file` and `files` dependencies stand below it with their path from the root of the repository, as
        they do in tests.
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
        matches(_PORT, value or (), cls.alias, address, "a port such as '5000' or '53/udp'")
        for port in value or ():
            if not 1 <= int(port.split("/")[0]) <= 65535:
                raise InvalidFieldException(
                    f"{address}: the field `{cls.alias}` has {port!r}; ports are 1 to 65535."
                )
        return value


class VolumesField(StringSequenceField):
    alias = "volumes"
    default = ()
    help = help_text(
        """
        Paths in the container that hold data of the outside. Folders that the base does not have belong to
        the image's user.
        """
    )


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
    valid_choices = ("unchecked-hash", "checked-hash", "none")
    help = help_text(
        """
        Whether compiled bytecode (PEP 552) lies beside the sources. With `unchecked-hash` Python does
        not look at the sources. With `checked-hash` it reads and hashes each, so that a source which
        is replaced in a running container counts; the standard library's is not looked at. `none`
        saves about a fourth of the size and makes every start of the container slower.
        """
    )


class ExcludeField(StringSequenceField):
    alias = "exclude"
    default = ()
    help = help_text(
        """
        Globs of files of wheels and sources to leave out, matched against the path below
        `site-packages`, such as `**/tests/**`. Nothing else is left out but what
        `docs/reference/left-out.md` lists.
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
        ImageExtraPackagesField,
        ImagePlatformsField,
        ImageResolveField,
        EntryPointField,
        ExecutableField,
        ScriptField,
        ArgsField,
        StartScriptField,
        EntryPointsField,
        EnvField,
        ExtraEnvField,
        UserField,
        WorkdirField,
        PortsField,
        VolumesField,
        WritableField,
        LabelsField,
        AnnotationsField,
        StopSignalField,
        HealthcheckField,
        HealthcheckOptionsField,
        FilesAtField,
        LayerBudgetField,
        LayerGroupsField,
        MaxLayerSizeField,
        SizeBudgetField,
        BytecodeField,
        StripField,
        CompressionField,
        ExcludeField,
        PreferField,
        SourceDateEpochField,
        NoBinaryField,
        OnlyBinaryField,
        OutputFormatField,
        RepositoryField,
        ImageTagsField,
        RegistriesField,
        SkipPushField,
        AcceptField,
        StrictAuditField,
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
