"""Target and fields of `slim_image_test`: what each is, its `help` says."""

from __future__ import annotations

import re
from typing import Iterable, Optional, Tuple

from pants.core.goals.test import TestExtraEnvVarsField, TestTimeoutField
from pants.engine.addresses import Address
from pants.engine.target import (
    COMMON_TARGET_FIELDS,
    AsyncFieldMixin,
    Dependencies,
    DictStringToStringField,
    StringField,
    StringSequenceField,
    Target,
)
from pants.util.strutil import help_text

from slim_python_image.base_target import matches

_ABSOLUTE = re.compile(r"/.*")
_COMMAND = re.compile(r"/.+|[^/\s]+")


class ImageTestDependenciesField(Dependencies):
    help = help_text("Further dependencies; `image` and `tests` are some without being named here.")


class TestedImageField(StringField, AsyncFieldMixin):
    alias = "image"
    required = True
    help = help_text("The address of the `slim_python_image` to test.")


class InsideTestsField(StringSequenceField, AsyncFieldMixin):
    alias = "tests"
    default = ()
    help = help_text(
        """
        Addresses of `python_tests` or `python_test` targets that pytest runs inside the image: with its
        Python, its wheels, its code, its user and its variables. What the tests need beyond the image is
        brought along for the run: their own files, third-party requirements of the image's resolve, and
        pytest with its plugins, of `[pytest].install_from_resolve`. The image itself is not changed, and
        where both have a file, its own counts. `skip_tests=True` on a `python_tests` lets it run in
        images alone.
        """
    )


class FilesPresentField(StringSequenceField):
    alias = "files_present"
    default = ()
    help = help_text(
        """
        Absolute paths that the image has to have, links followed, or shell patterns of them, in which `*`
        also matches slashes: `["/app/bin/python", "/app/lib/*/site-packages/app/*.html"]`. A folder counts.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        matches(_ABSOLUTE, value or (), cls.alias, address, "absolute paths such as '/etc/app.ini'")
        return value


class FilesAbsentField(FilesPresentField):
    alias = "files_absent"
    help = help_text(
        """
        Absolute paths that the image must not have, or shell patterns of them, as in `files_present`:
        `["/bin/sh", "/*.c", "/app/*/tests/*"]`.
        """
    )


class CommandsField(StringSequenceField):
    alias = "commands"
    default = ()
    help = help_text(
        """
        Names that a folder of the image's `PATH` has to have as a file that can be executed, or absolute
        paths of such files: `["python", "migrate"]`.
        """
    )

    @classmethod
    def compute_value(cls, raw_value: Optional[Iterable[str]], address: Address) -> Optional[Tuple[str, ...]]:
        value = super().compute_value(raw_value, address)
        matches(_COMMAND, value or (), cls.alias, address, "names such as 'python', or absolute paths")
        return value


class ExpectedEnvField(DictStringToStringField):
    alias = "env"
    help = help_text("Variables that the image's configuration has to have, with their values.")


class ExpectedUserField(StringField):
    alias = "user"
    help = help_text("The user that the image runs as: `nonroot`, a number, or `1000:1000`.")


class ImageTestTimeoutField(TestTimeoutField):
    pass


class ImageTestEnvField(TestExtraEnvVarsField):
    default = ()


class SlimImageTestTarget(Target):
    alias = "slim_image_test"
    core_fields = (
        *COMMON_TARGET_FIELDS,
        ImageTestDependenciesField,
        TestedImageField,
        InsideTestsField,
        FilesPresentField,
        FilesAbsentField,
        CommandsField,
        ExpectedEnvField,
        ExpectedUserField,
        ImageTestEnvField,
        ImageTestTimeoutField,
    )
    help = help_text(
        """
        A test of an image, for `test`: of what is in it and what its configuration says, without running it,
        and of code, by `python_tests` that run inside it.

        Tests run in namespaces of Linux where this machine gives them, else in docker or podman
        (`[slim-image-tests].runner`). The image is built for this machine's platform, and nothing is
        published.
        """
    )
