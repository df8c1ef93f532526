"""The ``[slim-image]`` options."""

from __future__ import annotations

from typing import Tuple

from pants.option.option_types import DictOption, IntOption, StrListOption
from pants.option.subsystem import Subsystem
from pants.util.strutil import softwrap


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
            `pure` (true where the sdist holds native code that this build rightly leaves out), and
            `constraints` (requirements that bound its build requirements when they are locked, such as
            `["setuptools<81"]`). For example
            `{"numpy": {"config_settings": {"setup-args": "-Dallow-noblas=true"}}}`.
            """
        ),
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

    def build_settings(self, name: str) -> dict[str, object]:
        """Return the settings of one distribution, by its normalized name."""
        return dict(self.builds.get(name, {}))

    def mirrors(self) -> dict[str, Tuple[str, ...]]:
        """Return the configured mirrors by archive."""
        return {archive: tuple(urls) for archive, urls in sorted(self.debian_mirrors.items())}
