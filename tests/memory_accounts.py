"""The in-memory twin of what main keeps account of."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from actors.store.audit_queries import AuditFilter
from actors.store.records import AuditEntry
from daemon.audit.deeds import BEGUN, DONE, MANUAL, Deed
from daemon.backend import BackendError, Storage
from daemon.backup.manifest import File, Manifest


class MemoryTrail:
    """Every attempt is an entry."""

    def __init__(self, clock: Callable[[], float], counts: Counter[tuple[str, str]]) -> None:
        self._clock = clock
        self._counts = counts
        self.entries: list[AuditEntry] = []
        self.full = False
        """True: the disk is full."""

    async def begin(self, deed: Deed) -> int | None:
        if self.full:
            raise BackendError("storage_full", "the disk is full")
        self.entries.append(self._entry(deed, BEGUN))
        return len(self.entries)

    async def finish(self, number: int | None, deed: Deed, outcome: str) -> None:
        if number is not None:
            self.entries[number - 1] = replace(self.entries[number - 1], outcome=outcome, detail=deed.detail)
        if outcome == DONE and deed.heals is not None:
            self._counts[MANUAL, deed.heals] += 1

    async def refused(self, deed: Deed, outcome: str) -> None:
        self.entries.append(self._entry(deed, outcome))

    async def page(self, wanted: AuditFilter, limit: int, before: int | None) -> list[tuple[int, AuditEntry]]:
        numbered = [
            (number, entry)
            for number, entry in enumerate(self.entries, 1)
            if (before is None or number < before) and _matches(wanted, entry)
        ]
        return numbered[::-1][:limit]

    def _entry(self, deed: Deed, outcome: str) -> AuditEntry:
        caller = deed.caller
        return AuditEntry(
            self._clock(), caller.name, deed.action, deed.target, deed.detail, caller.role, caller.remote, outcome
        )


def _matches(wanted: AuditFilter, entry: AuditEntry) -> bool:
    return (
        (wanted.since is None or entry.at >= wanted.since)
        and (wanted.until is None or entry.at < wanted.until)
        and wanted.who in {None, entry.who}
        and wanted.action in {None, entry.action, entry.action.partition(".")[0]}
        and wanted.target in {None, entry.target}
    )


class MemoryAccounts:
    """All databases work, unless a test says otherwise."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.backups: list[Path] = []
        self.counts: Counter[tuple[str, str]] = Counter()
        self.trail = MemoryTrail(clock, self.counts)
        self.state = Storage(10**9, {"api": True, "vault": True}, ())

    def totals(self) -> Mapping[tuple[str, str], int]:
        return self.counts

    async def interventions(self, since: float) -> Mapping[tuple[str, str], int]:
        return self.counts

    async def backup(self, directory: Path) -> Manifest:
        if not directory.is_absolute() or directory in self.backups:
            raise BackendError("invalid", f"{directory} is there already")
        self.backups.append(directory)
        return Manifest("1.2.3", self._clock(), {"api.db": File("0" * 64, 4096, "0002")})

    def storage(self) -> Storage:
        return self.state
