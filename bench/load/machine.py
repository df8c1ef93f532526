"""Says what a measurement was made on, without names of machines."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path


def machine_text() -> str:
    """Return processors, memory and operating system; how busy the machine was, too."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    cores = len(os.sched_getaffinity(0))
    release = Path("/etc/os-release")
    found = (
        re.search(r'^PRETTY_NAME="?([^"\n]+)', release.read_text(), re.MULTILINE)
        if release.exists()
        else None
    )
    system = found[1] if found else platform.system()
    load = ", ".join(f"{value:.1f}" for value in os.getloadavg())
    return f"{cores} cores, {memory / 2**30:.0f} GiB, {system}; load at the end {load}"
