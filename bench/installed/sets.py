"""The sets of distributions that `bench/fidelity` examines, each a list beside this module."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Set:
    """How one set is packaged and installed.

    :param about: what it holds, for the page.
    :param prefer: the field `prefer` of the image; the installer installs these last.
    :param compared: whether its files are compared: that takes its size three times over on the disk.
    """

    about: str
    prefer: tuple[str, ...] = ()
    compared: bool = True


SETS: Mapping[str, Set] = {
    "most-used": Set("the 200 most used distributions of the index"),
    "named": Set("distributions that packagers have had trouble with"),
    "opencv": Set("two distributions with one package, `cv2`", prefer=("opencv-python-headless",)),
    "llama": Set("two distributions with one command, `llama-parse`", prefer=("llama-parse",)),
    "legacy": Set("celery 5.1.2, which requires `pytz (>dev)`, and selenium 4.1.0, whose RECORD has gaps"),
    "tensorflow": Set("tensorflow"),
    "torch": Set("torch with the CUDA wheels that it requires, and torchvision", compared=False),
}
