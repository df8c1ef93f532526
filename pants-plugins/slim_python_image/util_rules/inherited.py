"""What an image takes over from the image of a registry that it stands on."""

from __future__ import annotations

from dataclasses import replace
from typing import Iterable, Mapping

from pants.util.frozendict import FrozenDict

from slim_python_image.bases import Base, RegistryBase
from slim_python_image.products import Layer
from slim_python_image.remote_layers import RemoteLayers
from slim_python_image.util_rules.image_definition import ImageConfig
from slim_python_image.util_rules.registry_locks import layout_folder

# What distroless images call 65532; an image without that user gets the number.
_NONROOT = "65532:65532"


def remote_of(layers: Iterable[Layer], base: Base) -> RemoteLayers | None:
    """Return those of an image's layers that a registry has."""
    if not isinstance(base, RegistryBase):
        return None
    own = tuple(layer.remote for layer in layers if layer.remote is not None)
    return replace(base.image, layers=own)


def config_on_base(config: ImageConfig, base: Base, prefix: str, defaults: Mapping[str, str]) -> ImageConfig:
    """Return an image's configuration with what it inherits of a registry's image, as `FROM` does.

    :param defaults: variables that an image has when nobody sets them; those of the base win over them.
    """
    if not isinstance(base, RegistryBase):
        return config
    own = {name: text for name, text in config.env.items() if defaults.get(name) != text}
    inherited = {"LANG": defaults["LANG"], **base.env}
    inherited["PATH"] = f"{prefix}/bin:{base.env.get('PATH') or defaults['PATH'].partition(':')[2]}"
    if base.certificates and "SSL_CERT_FILE" not in base.env:
        inherited["SSL_CERT_FILE"] = base.certificates
    return replace(
        config,
        env=FrozenDict(sorted({**inherited, **own}.items())),
        labels=FrozenDict(sorted({**base.labels, **config.labels}.items())),
        user=_NONROOT if config.user == "nonroot" and not base.nonroot else config.user,
    )


def base_annotations(base: Base, *, index: bool = False) -> dict[str, str]:
    """Return the annotations that name an image's base (OCI image-spec, annotations.md).

    :param index: of the index of all platforms, whose base is the base's index.
    """
    if not isinstance(base, RegistryBase):
        return {}
    found = {"org.opencontainers.image.base.digest": base.root if index else base.manifest}
    # "Image reference of the image this image is based on": a layout of the repository has none.
    if layout_folder(base.name) is None:
        found["org.opencontainers.image.base.name"] = base.name
    return found
