"""What a campaign does to sessions, whichever world they live in: the simulator's or the lab server's."""

from collections.abc import Sequence
from typing import Protocol

from tests.bench.campaign.kinds import Kind

OUTSIDE = "15550009999"
"""Somebody who is none of the sessions: writes to them, and is written to."""


class World(Protocol):
    """Where sessions connect to."""

    attempts: list[float]
    """When connections were attempted, as the server saw it; seconds since 1970."""

    def can(self, kind: Kind) -> bool:
        """Whether this world has that kind of trouble."""

    def lasts(self, kind: Kind) -> float:
        """Seconds for which it goes on refusing what it will accept again."""

    async def strike(self, kind: Kind, session: str) -> float:
        """Does it; returns when, in seconds since 1970."""

    async def cure(self, session: str) -> None:
        """Ends whatever of it lasts."""

    async def scan(self, session: str, qr: str) -> None:
        """The owner's phone pairs the session."""

    async def write_to(self, session: str) -> None:
        """Somebody writes to the session."""

    async def cut(self, sessions: Sequence[str]) -> float:
        """Ends the connections of all of them at once; returns when that began."""

    async def shut(self, seconds: float) -> float:
        """Ends all connections, and lets nobody in for so long; returns when it began."""

    async def close(self) -> None:
        """Leaves the world."""
