"""A shard's database, written by group commit, and who is to know that its outbox grew."""

from collections.abc import Callable

from actors.store import outbox
from actors.store.direct import Statements
from actors.store.engine import Database
from actors.store.group import GroupCommit


class Journal(GroupCommit):
    """``grown`` is told the outbox's last number after each commit."""

    def __init__(self, database: Database, grown: Callable[[int], None]) -> None:
        super().__init__(database)
        self._grown = grown
        self._upto = 0

    async def last(self, conn: Statements) -> None:
        """See GroupCommit."""
        self._upto = await outbox.last_seq(conn)

    def committed(self) -> None:
        """See GroupCommit."""
        self._grown(self._upto)
