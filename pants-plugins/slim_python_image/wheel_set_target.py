"""Target and fields of `python_wheel_set`, and those that images have too: what each is, its `help` says."""

from __future__ import annotations

from pants.core.goals.package import OutputPathField
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    Dependencies,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import help_text

from slim_python_image.base_target import PlatformsField


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
