"""The times of files in an image: a constant, or one that follows from a file's content.

Bit-identical images allow no clock. A constant for everything has a price, though: common web servers make
ETag and Last-Modified of a file's time and size, so that a changed file of equal size would look the same
after a deployment. See docs/decisions/020-times.md.
"""

from __future__ import annotations

CONSTANT = 315_619_200
"""1980-01-02T00:00:00Z, in seconds since 1970.

The ZIP format counts from 1980-01-01 in local time: one day later is valid in every time zone, so that
``zipfile`` and ``shutil.make_archive`` take the files of an image.
"""

LATEST = 0o77777777777
"""The last second that a ustar header can hold, in the year 2242."""

# Up to January 2014: never a time to come, which RFC 9110 (8.8.2.1) forbids as Last-Modified.
_SPAN = 1 << 30
_DIGITS = 15


def of_content(sha256: str) -> int:
    """Return the time of a file with this content.

    :param sha256: of the content, in hexadecimal.
    :returns: seconds since 1970, between :data:`CONSTANT` and 2014. Two contents have the same one with a
        probability of one in a billion.
    """
    return CONSTANT + int(sha256[:_DIGITS], 16) % _SPAN
