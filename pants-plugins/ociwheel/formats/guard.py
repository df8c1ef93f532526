"""Whose file is read, which limits hold for it, and how its faults are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ociwheel.errors import OciwheelError
from ociwheel.formats.limits import VARIABLE, Limits, from_environment

_SHOWN = 100


def shown(text: str | bytes, most: int = _SHOWN) -> str:
    """Return text of others in quotes, without characters that a terminal obeys, cut to ``most``."""
    if isinstance(text, bytes):
        text = text.decode("utf-8", "backslashreplace")
    if len(text) > most:
        return f"{ascii_quoted(text[: most // 2])}…{ascii_quoted(text[-most // 4 :])}"
    return ascii_quoted(text)


def ascii_quoted(text: str) -> str:
    """Return text in quotes; what does not print is escaped."""
    return repr(text)


def one_line(error: BaseException) -> str:
    """Return what a library says of a fault, as one short line."""
    text = " ".join(str(error).split())
    text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in text[:_SHOWN])
    return text or type(error).__name__


@dataclass(frozen=True)
class Guard:
    """The reader of one file: its name in messages, the class of its errors, its limits."""

    where: str
    error: type[OciwheelError]
    limits: Limits = field(default_factory=from_environment)
    hint: str | None = None
    prefix: str = ""
    """Begins every message, such as ``cannot be read: ``."""

    def refuse(self, what: str) -> OciwheelError:
        """Return the error for a fault."""
        return self.error(f"{self.prefix}{what}", where=self.where, hint=self.hint)

    def too_much(self, what: str, limit: str) -> OciwheelError:
        """Return the error for something beyond a limit.

        :param limit: the name of the field of :class:`Limits` to raise.
        """
        value = getattr(self.limits, limit)
        return self.error(
            f"{self.prefix}{what}",
            where=self.where,
            hint="damaged, or made to do harm; if you trust it, raise the limit: "
            f"{VARIABLE}={limit}={2 * value}",
        )

    @contextmanager
    def reading(self, what: str = "is damaged") -> Iterator[None]:
        """Turn whatever a library raises over damaged bytes into the error."""
        try:
            yield
        except OciwheelError:
            raise
        except MemoryError as e:
            raise self.refuse("takes more memory to read than there is") from e
        # zipfile, zlib, lzma, installer and pyelftools raise nearly anything over hostile bytes.
        except Exception as e:
            raise self.refuse(f"{what}: {one_line(e)}") from e
