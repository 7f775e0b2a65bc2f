"""Lets the ledger wait for a moment while sessions ask what to do: they wait for the answer, nobody waits for it."""

import asyncio

QUIET = 0.3
"""Seconds without a question after which it goes on."""
LONGEST = 2.0
"""Seconds that it waits at the most."""


class Calm:
    """When many sessions lose their connection at once, all their questions come within a second."""

    def __init__(self) -> None:
        self._asked_at = float("-inf")

    def asked(self) -> None:
        """A session asked."""
        self._asked_at = asyncio.get_running_loop().time()

    async def wait(self) -> None:
        """Returns at once where nobody asked lately."""
        loop = asyncio.get_running_loop()
        end = loop.time() + LONGEST
        while (left := min(self._asked_at + QUIET, end) - loop.time()) > 0:  # noqa: ASYNC110 - each question moves it
            await asyncio.sleep(left)
