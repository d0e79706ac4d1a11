"""What an examination says: one line a thing, with the command that mends it."""

from dataclasses import asdict, dataclass
from typing import Any, Literal

Level = Literal["ok", "absent", "warning", "error"]


@dataclass(frozen=True, slots=True)
class Finding:
    """One line of an examination.

    Attributes:
        area: what it belongs to: ``core``, ``providers``, ``extras``, ``machine`` or ``environment``.
        name: of what was looked at.
        level: ``ok``; ``absent``: not installed, and nothing needs it; ``warning``: works otherwise than one may think,
            or an extra does not work; ``error``: Parity cannot predict here.
        found: what was found, and what follows from it.
        remedy: a command that mends it when it is pasted into a shell; empty where there is none, or no need.
    """

    area: str
    name: str
    level: Level
    found: str
    remedy: str = ""

    def to_json(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)
