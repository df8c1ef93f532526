"""Target and fields of `registry_python_base`: what each is, its `help` says."""

from __future__ import annotations

from pants.engine.target import COMMON_TARGET_FIELDS, StringField, Target
from pants.util.strutil import help_text

from slim_python_image.base_target import BaseLockfileField, BasePlatformsField


class RegistryImageField(StringField):
    alias = "image"
    required = True
    help = help_text(
        """
        The image that images start from, as in a Dockerfile's `FROM`: `python:3.11-slim`,
        `registry.example.com/team/python:3.11-slim`, or `@alias/python:3.11-slim` for a registry of
        `[docker].registries`. Debian-, Alpine- and distroless-style images work, as long as they have
        Python. The lock pins its digest; the tag is read again when the lock is written.

        Without a registry: `oci:path/of/layout` or `oci:path/of/layout:tag`, an OCI layout in a folder of
        the repository, such as `skopeo copy --all` writes.
        """
    )


class RegistryBuilderImageField(StringField):
    alias = "builder_image"
    help = help_text(
        """
        The image that wheels are compiled against, such as `python:3.11`: the same Python and libc, with
        headers. It is unpacked as a sysroot and never run, and its bytes are only fetched when something
        is compiled. Without it, every distribution must have a wheel.
        """
    )


class RegistryPythonBaseTarget(Target):
    alias = "registry_python_base"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        RegistryImageField,
        RegistryBuilderImageField,
        BasePlatformsField,
        BaseLockfileField,
    )
    help = help_text(
        """
        A base for images that a container registry has: the pair of images of a two-stage Dockerfile.

        `pants generate-lockfiles --resolve=<name of this target>` resolves both names to digests, for
        every platform, and finds out Python and libc. Images are built from what the lock says: layers of
        the base are only fetched when something needs their bytes.
        """
    )
