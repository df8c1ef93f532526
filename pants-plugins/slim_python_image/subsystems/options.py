"""The ``[slim-image]`` options."""

from __future__ import annotations

import re
from typing import Optional, Tuple

from pants.option.option_types import BoolOption, DictOption, IntOption, StrListOption, StrOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap

from slim_python_image.layer_fields import layer_size
from slim_python_image.products import GZIP, ZSTD, SlimImageError
from slim_python_image.sizes import EXPECTED

AUTO, REQUIRED = "auto", "required"
CLANG, GCC = "clang", "gcc"
# Of the core, in whose arguments they need not be.
LIMITS = {"build_time_limit": 7200, "build_memory_limit": 0, "build_output_limit": 4}


class SlimImageOptions(Subsystem):
    """Options of everything this backend makes."""

    options_scope = "slim-image"
    help = "Slim OCI images of Python services, without Docker, a compiler or pip in the result."

    layer_budget = IntOption(
        default=24,
        help=softwrap(
            """
            How many layers the wheels of one image may take. The largest wheels get a layer of their
            own, the others share one. An image may set its own with the field `layer_budget`.
            """
        ),
    )
    max_layer_size = StrOption(
        default=None,
        help=softwrap(
            """
            How large a layer may be, such as `512MiB`, where an image does not say so with the
            field `max_layer_size`. By default, any size.
            """
        ),
    )
    size_baseline = StrOption(
        default="image-sizes.json",
        help=softwrap(
            """
            The file, relative to the root of the repository, in which `slim-sizes --record` writes how large
            images are. The error about a `size_budget` says what grew since.
            """
        ),
    )
    compression = StrOption(
        default="gzip",
        help=softwrap(
            """
            How layers are compressed, `gzip` or `zstd`, where an image does not say so with the field
            `compression`. Images share layers only with images of the same compression.
            """
        ),
    )
    attestations = StrListOption(
        default=["spdx", "cyclonedx", "provenance"],
        help=softwrap(
            """
            What `package` says of an image beside it, in the folder `<name>.attestations`: `spdx` (SPDX 2.3)
            and `cyclonedx` (CycloneDX 1.6), an SBOM for each platform, and `provenance`, one in-toto
            statement with SLSA provenance v1 for all. They cost no process, and images are the same
            with and without.
            """
        ),
    )
    provenance_builder = StrOption(
        default="urn:slim-python-image:unspecified-builder",
        advanced=True,
        help=softwrap(
            """
            The URI in provenance of who builds, such as that of your CI: those who verify it decide by this
            whom they trust.
            """
        ),
    )
    provenance_source = StrOption(
        default=None,
        advanced=True,
        help=softwrap(
            """
            The repository's revision for provenance, `git+https://git.example.com/repository@<commit>`; in
            `pants.toml`, `%(env.CI_COMMIT_SHA)s` is a variable of the environment. Without it, provenance
            names no revision, and is the same for the same content.
            """
        ),
    )
    tailor_image_targets = BoolOption(
        default=True,
        help=softwrap(
            """
            Whether `tailor` proposes a `slim_python_image` for each `pex_binary` with an entry point that no
            image of its folder starts, and a `debian_python_base` where there is no base.
            """
        ),
    )
    shared_blobs = BoolOption(
        default=False,
        help=softwrap(
            """
            Write each blob once, to `dist/blobs/sha256`, and into each layout one link to that folder.
            Without it, every layout is complete and can be moved, and the base layers lie in `dist` once
            per image. Tools follow the link. To move one image, copy it with `skopeo copy`, which takes
            only its own blobs. Archives are complete either way, and digests do not change. Nothing
            removes blobs that no image has any more: delete `dist` for that.
            """
        ),
    )
    debian_mirrors = DictOption["list[str]"](
        default={},
        help=softwrap(
            """
            Mirrors of the Debian archives, tried in order, by archive: `debian` for the releases and
            their updates, `debian-security` for security updates. For example
            `{"debian": ["https://mirror.example.com/debian"]}`. By default, the mirrors that the
            machine's own apt sources name. Mirrors are in no lock and in no cache key.
            """
        ),
    )
    builds = DictOption["dict[str, object]"](
        default={},
        help=softwrap(
            """
            Settings for building single distributions from source, by distribution name:
            `env` (variables for the build), `config_settings` (passed to the PEP 517 backend),
            `pure` (true where the sdist holds native code that this build rightly leaves out),
            `compiler` (`"gcc"`, Debian's own, for what clang does not compile, such as nested functions),
            `builder_packages` (Debian packages that only this distribution is compiled against),
            `emulate` (true, or a list of platforms, where it cannot be cross-compiled: it is built in a
            container of its platform, with docker or podman, and with QEMU for a foreign one), and
            `constraints` (requirements that bound its build requirements when they are locked, such as
            `["setuptools<81"]`). For example
            `{"numpy": {"config_settings": {"setup-args": "-Dallow-noblas=true"}},
            "lxml": {"builder_packages": ["libxml2-dev", "libxslt1-dev"]}}`.

            Some are locked, so after a change the lock has to be written again: `constraints`, and
            `emulate` where a build requirement has no pure wheel, with
            `generate-lockfiles --resolve=<resolve>-build`; `builder_packages`, and the first `compiler`,
            with `generate-lockfiles --resolve=<base>`. Every base locks the `builder_packages` of all
            distributions; where bases differ, give them by base:
            `{"builder_packages": {"bookworm-py311": ["libxml2-dev"]}}`.
            """
        ),
    )
    build_isolation = StrOption(
        default=AUTO,
        help=softwrap(
            """
            What happens where a machine gives builds and lock hooks no root of their own (Linux namespaces,
            in which only content is): `auto` builds as well kept apart as can be, warns, and says so in the
            report; `required` is an error that says what to change. A wheel that was built under `auto` is
            not taken for one that `required` asks for.
            """
        ),
    )
    build_time_limit = IntOption(
        default=LIMITS["build_time_limit"],
        help="Seconds after which a build, or the hook of one when build requirements are locked, is ended.",
    )
    build_memory_limit = IntOption(
        default=LIMITS["build_memory_limit"],
        help=softwrap(
            """
            MiB of memory that one build may take with all that it starts; then it is ended. 0: three
            quarters of the machine's.
            """
        ),
    )
    build_output_limit = IntOption(
        default=LIMITS["build_output_limit"],
        help="MiB of a build's output that are kept for messages; what is more is left out of the middle.",
    )
    pass_environment = StrListOption(
        default=[],
        advanced=True,
        help=softwrap(
            """
            Further variables of your environment that fetch steps may read. pip's own (`PIP_*`), the
            proxies' and the CA bundles' are read anyway. They are in no cache key.
            """
        ),
    )

    fetch_platform_properties = StrListOption(
        default=["network=on"],
        advanced=True,
        help=softwrap(
            """
            Properties, each `name=value`, that a remote worker must have to run the steps that reach the
            network, beside those of `[GLOBAL].remote_execution_extra_platform_properties` or the
            `remote_environment`. No other step asks for them, so builds can run where there is no network.
            """
        ),
    )

    limits = StrListOption(
        default=[],
        advanced=True,
        help=softwrap(
            """
            Limits of archives of others to raise, each `name=number`, such as `ratio=1000`, for a wheel,
            sdist, package or layer that is refused because it is larger than any should be. The message
            names the limit; `docs/explanation/archives.md` lists all. They are in the key of every step.
            """
        ),
    )

    def isolation_arguments(self) -> Tuple[str, ...]:
        """Return what steps that run code of others are told about keeping it apart; defaults are not in it.

        :raises SlimImageError: an option makes no sense.
        """
        if self.build_isolation not in (AUTO, REQUIRED):
            raise SlimImageError(
                f"[slim-image].build_isolation is {self.build_isolation!r}\n  -> use '{AUTO}' or '{REQUIRED}'"
            )
        result = ["--isolation", REQUIRED] if self.build_isolation == REQUIRED else []
        for option, default in LIMITS.items():
            value = getattr(self, option)
            if value < 1 and value != default:
                raise SlimImageError(f"[slim-image].{option} is {value}\n  -> use a number of 1 or more")
            if value != default:
                result += [f"--{option[len('build_') :].replace('_', '-')}", str(value)]
        return tuple(result)

    def compression_of(self, chosen: Optional[str]) -> str:
        """Return an image's compression.

        :param chosen: what the image says.
        :raises SlimImageError: the option is no compression.
        """
        if self.compression not in (GZIP, ZSTD):
            raise SlimImageError(
                f"[slim-image].compression is {self.compression!r}\n  -> use 'gzip' or 'zstd'"
            )
        return chosen or self.compression

    def layer_size(self, chosen: Optional[int]) -> Optional[int]:
        """Return how many bytes a layer of an image's wheels may have, `None` for any.

        :param chosen: what the image says.
        :raises SlimImageError: the option is no size of a layer.
        """
        if chosen is not None or self.max_layer_size is None:
            return chosen
        try:
            return layer_size(self.max_layer_size)
        except ValueError:
            raise SlimImageError(
                f"[slim-image].max_layer_size is {self.max_layer_size!r}\n"
                f"  -> use {EXPECTED}, and at least 1 MiB"
            ) from None

    def build_settings(self, name: str) -> dict[str, object]:
        """Return the settings of one distribution, by its normalized name."""
        return dict(self._builds_by_name().get(name, {}))

    def _builds_by_name(self) -> dict[str, dict[str, object]]:
        """Return the settings by normalized name (PEP 503): users write `PyYAML` too."""
        return {re.sub(r"[-_.]+", "-", name).lower(): value for name, value in self.builds.items()}

    def builder_packages(self, name: str, base: str) -> Tuple[str, ...]:
        """Return what one distribution is compiled against beside a base's own builder packages.

        :raises SlimImageError: the setting is no list, and no lists by base.
        """
        value = self.build_settings(name).get("builder_packages", ())
        chosen = value.get(base, ()) if isinstance(value, dict) else value
        if not isinstance(chosen, (list, tuple)) or not all(isinstance(p, str) and p for p in chosen):
            raise SlimImageError(
                f"[slim-image].builds: `builder_packages` of {name} is {value!r}\n"
                '  -> write a list of Debian packages, ["libxml2-dev"], or such lists by base'
            )
        return tuple(sorted(set(chosen)))

    def emulates(self, name: str, platform: str) -> bool:
        """Tell whether a distribution is built in a container of its platform.

        :raises SlimImageError: the setting is neither a truth value nor a list of platforms.
        """
        value = self.build_settings(name).get("emulate", False)
        if isinstance(value, bool):
            return value
        if not isinstance(value, (list, tuple)) or not all(isinstance(p, str) for p in value):
            raise SlimImageError(
                f"[slim-image].builds: `emulate` of {name} is {value!r}\n"
                '  -> write true, or the platforms where it is: ["linux/arm/v7"]'
            )
        return platform in value

    def compiler(self, name: str) -> Optional[str]:
        """Return the compiler of one distribution beside clang, `None` for clang.

        :raises SlimImageError: there is no such compiler.
        """
        value = self.build_settings(name).get("compiler", CLANG)
        if value not in (CLANG, GCC):
            raise SlimImageError(
                f"[slim-image].builds: `compiler` of {name} is {value!r}\n  -> write {GCC!r}, or leave it out"
            )
        return GCC if value == GCC else None

    def compilers(self) -> Tuple[str, ...]:
        """Return the compilers that bases lock beside clang, which needs no packages."""
        found = {self.compiler(name) for name in self._builds_by_name()}
        return tuple(sorted(name for name in found if name))

    def builder_groups(self, base: str) -> dict[str, Tuple[str, ...]]:
        """Return what a base locks for single distributions, by distribution."""
        groups = {name: self.builder_packages(name, base) for name in sorted(self._builds_by_name())}
        return {name: packages for name, packages in groups.items() if packages}

    def mirrors(self) -> dict[str, Tuple[str, ...]]:
        """Return the configured mirrors by archive."""
        return {archive: tuple(urls) for archive, urls in sorted(self.debian_mirrors.items())}
