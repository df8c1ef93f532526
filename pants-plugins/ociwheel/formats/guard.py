"""Whose file is read, which limits hold for it, and how its faults are told."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from ociwheel.errors import OciwheelError
from ociwheel.formats.limits import Limits, from_environment
from ociwheel.remedies import Remedy
from ociwheel.wording import said_by


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
            hint=Remedy("raise-limit", {"limit": limit, "value": str(2 * value)}),
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
            raise self.refuse(f"{what}: {said_by(e)}") from e
