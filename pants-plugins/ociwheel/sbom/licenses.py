"""Licences of distributions as SPDX expressions, where their metadata leaves no doubt."""

from __future__ import annotations

import re
from collections.abc import Iterable

# Classifiers that name one licence. "BSD License" and "Apache Software License" name several.
_CLASSIFIERS = {
    "GNU Affero General Public License v3": "AGPL-3.0-only",
    "GNU Affero General Public License v3 or later (AGPLv3+)": "AGPL-3.0-or-later",
    "GNU General Public License v2 (GPLv2)": "GPL-2.0-only",
    "GNU General Public License v2 or later (GPLv2+)": "GPL-2.0-or-later",
    "GNU General Public License v3 (GPLv3)": "GPL-3.0-only",
    "GNU General Public License v3 or later (GPLv3+)": "GPL-3.0-or-later",
    "GNU Lesser General Public License v2 or later (LGPLv2+)": "LGPL-2.0-or-later",
    "GNU Lesser General Public License v3 (LGPLv3)": "LGPL-3.0-only",
    "GNU Lesser General Public License v3 or later (LGPLv3+)": "LGPL-3.0-or-later",
    "ISC License (ISCL)": "ISC",
    "MIT License": "MIT",
    "MIT No Attribution License (MIT-0)": "MIT-0",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "Zope Public License": "ZPL-2.1",
}
# What the field `License` says of one licence, in small letters.
_TEXTS = {
    **{one.lower(): one for one in _CLASSIFIERS.values()},
    **{one.lower(): one for one in ("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "PSF-2.0", "Zlib")},
    "apache 2": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license version 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "isc license": "ISC",
    "mit license": "MIT",
    "mpl 2.0": "MPL-2.0",
    "the mit license": "MIT",
}
# PEP 639: "[...] SPDX License Expression syntax". An expression of others goes into a document as it is.
_EXPRESSION = re.compile(r"[A-Za-z0-9.+:() -]{1,500}")
REFERENCE = re.compile(r"LicenseRef-[A-Za-z0-9.-]+")


def expression(stated: str, text: str, classifiers: Iterable[str]) -> str | None:
    """Return a distribution's licence expression, ``None`` where its metadata leaves it open.

    :param stated: the field ``License-Expression``.
    :param text: the field ``License``.
    :param classifiers: such as ``License :: OSI Approved :: MIT License``.
    """
    if stated and _EXPRESSION.fullmatch(stated):
        return stated
    if text.lower() in _TEXTS:
        return _TEXTS[text.lower()]
    found = [one.rpartition(" :: ")[2] for one in classifiers if one.count(" :: ") > 1]
    named = {_CLASSIFIERS.get(one) for one in found}
    return named.pop() if len(named) == 1 else None
