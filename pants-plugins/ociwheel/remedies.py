"""What a user can do about an error: a code with arguments, which whoever runs the step renders.

The words here are for steps that are run by hand. A build system renders the same codes as its own commands
and options: it knows what the user types, this package does not.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ociwheel.wording import shown

TEXT = "text"
"""The code of a remedy that is the same for everybody; its argument ``text`` says it."""

WORDS: Mapping[str, str] = {
    TEXT: "{text}",
}
"""By code, what to say; names in braces are the arguments."""


@dataclass(frozen=True)
class Remedy:
    """What to do next.

    :param code: one of :data:`WORDS`.
    :param arguments: the names that its words need, no more and no less.
    """

    code: str
    arguments: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arguments", {key: shown(value) for key, value in self.arguments.items()})
        self.render()

    @staticmethod
    def text(text: str) -> Remedy:
        """Return the remedy that ``text`` says."""
        return Remedy(TEXT, {"text": text})

    def render(self) -> str:
        """Return the remedy in words."""
        return WORDS[self.code].format_map(self.arguments)

    def to_json(self) -> dict[str, Any]:
        """Return the remedy as part of a document."""
        return {"code": self.code, "arguments": dict(self.arguments)}
