"""The audit log in api.db."""

import asyncio
import logging
import time
from collections import Counter, deque
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

from actors.store import audit_queries
from actors.store.audit_queries import AuditFilter
from actors.store.direct import Operation
from actors.store.engine import Database
from actors.store.errors import StoreError
from actors.store.records import AuditEntry
from daemon.api.limits import Bucket, take
from daemon.audit.deeds import BEGUN, DONE, MANUAL, NOTHING_DONE, SHOWN, Deed
from daemon.interventions import Interventions
from daemon.storage import refusal

log = logging.getLogger(__name__)
Read = Callable[[Operation[Any]], Awaitable[Any]]
"""Runs an operation on api.db that changes nothing."""

REFUSALS_BURST = 20
REFUSALS_RATE = 1 / 60
"""Refused attempts of one token that are recorded: so many at a stroke, then so many a second."""
SHOWN_AGAIN = 600.0
"""Seconds for which one entry stands for all requests of the same caller for the same QR."""
OWED = 1_000
"""Outcomes kept in memory while the disk takes none."""
PERIOD = 60.0
"""Seconds between prunings."""


class AuditLog:
    """See ``daemon.audit.deeds.AuditTrail``."""

    def __init__(
        self,
        database: Database,
        interventions: Interventions,
        keep: float,
        clock: Callable[[], float] = time.time,
        read: Read | None = None,
    ) -> None:
        """``read`` reads pages without making writers wait; ``database`` is what stands in for it."""
        self._database = database
        self._read: Read = read or database.run
        self._interventions = interventions
        self._keep = keep
        self._clock = clock
        self._shown: dict[tuple[str, str | None, str, str], float] = {}
        self._buckets: dict[str, Bucket] = {}
        self._unrecorded: Counter[str] = Counter()
        """Refused attempts of a token since the last one that was recorded."""
        self._owed: deque[tuple[int, Deed, str]] = deque(maxlen=OWED)

    async def begin(self, deed: Deed) -> int | None:
        """See AuditTrail."""
        now = self._clock()
        if self._is_shown_again(deed, now):
            return None
        try:
            async with self._database.begin() as conn:
                number = await audit_queries.add_audit(conn, _entry(deed, now, BEGUN))
        except StoreError as error:
            raise refusal(error, "nothing was done, since it could not be entered in the audit log") from None
        if deed.action in SHOWN:
            self._shown[_key(deed)] = now
        return number

    def _is_shown_again(self, deed: Deed, now: float) -> bool:
        self._shown = {key: at for key, at in self._shown.items() if abs(now - at) < SHOWN_AGAIN}
        return _key(deed) in self._shown

    async def finish(self, number: int | None, deed: Deed, outcome: str) -> None:
        """See AuditTrail."""
        if number is None:
            return
        if outcome != DONE:
            self._shown.pop(_key(deed), None)
        try:
            await self._finish(number, deed, outcome)
        except StoreError as error:
            self._owed.append((number, deed, outcome))
            self._database.watch.tell(log, "an outcome is not in the audit log yet", error)

    async def _finish(self, number: int, deed: Deed, outcome: str) -> None:
        if outcome in NOTHING_DONE and not self._worth_recording(deed.caller.name):
            async with self._database.begin() as conn:
                await audit_queries.drop_audit(conn, number)
            return
        counts = {(MANUAL, deed.heals): 1} if outcome == DONE and deed.heals is not None else {}
        deed = self._with_unrecorded(deed, outcome)

        async with self._interventions.counting(counts, self._clock()) as conn:
            await audit_queries.finish_audit(conn, number, outcome, deed.detail)

    async def refused(self, deed: Deed, outcome: str) -> None:
        """See AuditTrail."""
        if not self._worth_recording(deed.caller.name):
            return
        deed = self._with_unrecorded(deed, outcome)
        try:
            await self.record(_entry(deed, self._clock(), outcome))
        except StoreError as error:
            self._database.watch.tell(log, "a refused attempt is not in the audit log", error)

    def _worth_recording(self, name: str) -> bool:
        self._buckets[name], wait = take(self._buckets.get(name), self._clock(), REFUSALS_RATE, REFUSALS_BURST)
        if wait > 0:
            self._unrecorded[name] += 1
        return wait == 0

    def _with_unrecorded(self, deed: Deed, outcome: str) -> Deed:
        missed = self._unrecorded.pop(deed.caller.name, 0) if outcome in NOTHING_DONE else 0
        return replace(deed, detail={**deed.detail, "unrecorded": missed}) if missed else deed

    async def record(self, entry: AuditEntry, counts: dict[tuple[str, str], int] | None = None) -> None:
        """Stores what is done already, with the interventions that it was.  Raises StoreError."""
        async with self._interventions.counting(counts or {}, entry.at) as conn:
            await audit_queries.add_audit(conn, entry)

    async def page(self, wanted: AuditFilter, limit: int, before: int | None) -> list[tuple[int, AuditEntry]]:
        """See AuditTrail."""
        try:
            found: list[tuple[int, AuditEntry]] = await self._read(
                lambda conn: audit_queries.load_audit(conn, limit, before, wanted)
            )
        except StoreError as error:
            raise refusal(error, "the audit log can't be read") from None
        return found

    async def upkeep(self) -> None:
        """Stores what is owed and prunes, for ever."""
        while True:
            try:
                while self._owed:
                    await self._finish(*self._owed[0])
                    self._owed.popleft()
                await audit_queries.prune_audit(self._database, self._clock() - self._keep)
            except StoreError as error:
                self._database.watch.tell(log, "the audit log can't be pruned yet", error)
            await asyncio.sleep(PERIOD)


def _key(deed: Deed) -> tuple[str, str | None, str, str]:
    return deed.caller.name, deed.caller.remote, deed.action, deed.target


def _entry(deed: Deed, at: float, outcome: str) -> AuditEntry:
    caller = deed.caller
    return AuditEntry(at, caller.name, deed.action, deed.target, deed.detail, caller.role, caller.remote, outcome)
