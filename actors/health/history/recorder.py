"""Writes down what the health actor sees, minute by minute, until the minute is over.  No clock, no I/O.

The time of a status is that of the actor's own looks: while nobody looked (the actor was down, the machine paused, the
clock was set) there is no entry, and the history has a gap.
"""

from dataclasses import dataclass

from actors.health.history.entries import MINUTE_MS, NOTHING, Content, Entry, append, counted
from actors.health.quality import Quality
from actors.health.status import Status
from actors.session.sample import Sample

UNWATCHED_S = 60.0
"""Seconds without a look after which it is not known how sessions were: the actor looks each 10 s."""
Minutes = dict[int, dict[str, list[Entry]]]
"""Minute since 1970 -> session -> what was observed in it."""


@dataclass(frozen=True, slots=True)
class Seen:
    """How a session is."""

    status: Status
    quality: Quality | None = None
    score: int | None = None
    cause: str | None = None
    """The last trouble; None while it is connected."""


class Recorder:
    """The minutes that are not yet written."""

    def __init__(self) -> None:
        self._seen: dict[str, Seen] = {}
        self._marks: dict[str, int] = {}
        """Until when each session's time is accounted for."""
        self._looked: int | None = None
        self._minutes: Minutes = {}
        self._removed: set[str] = set()
        self.kept: set[str] = set()
        """Sessions that are away and may come back: what is written of them stays."""

    def looked(self, now: float) -> None:
        """The actor is at work at ``now``, in seconds since 1970; before anything of that time is told."""
        at = round(now * 1000)
        before, self._looked = self._looked, at
        if before is None or 0 <= at - before <= UNWATCHED_S * 1000:
            return
        for session, mark in self._marks.items():
            if at > before:
                self._account(session, before)
            self._marks[session] = at if at > before else min(mark, at)

    def observed(self, session: str, seen: Seen, now: float) -> None:
        """A session is like this from ``now`` on."""
        at = round(now * 1000)
        before = self._seen.get(session)
        if before is None:
            self._marks[session] = at
        elif before != seen:
            self._account(session, at)
        self._seen[session] = seen
        self.kept.discard(session)

    def sampled(self, session: str, sample: Sample, now: float) -> None:
        """What happened to a session since the sample before, told in order and once."""
        self._count(session, counted(sample), min(sample.at, now))

    def failed(self, session: str, cause: str, at: float, now: float) -> None:
        """A connection ended by a failure."""
        self._count(session, Content(disconnects=((cause, 1),)), min(at, now))

    def forget(self, session: str) -> None:
        """The session is not watched any more."""
        self._seen.pop(session, None)
        self._marks.pop(session, None)
        for minute in self._minutes.values():
            minute.pop(session, None)

    def remove(self, session: str, *, kept: bool) -> None:
        """The session is no more, or it is ``kept`` for its return."""
        self.forget(session)
        if kept:
            self.kept.add(session)
        else:
            self._removed.add(session)

    def removed(self) -> set[str]:
        """The sessions whose history is to be deleted; told once."""
        removed, self._removed = self._removed, set()
        return removed

    def removed_still(self, sessions: set[str]) -> None:
        """It could not be deleted yet."""
        self._removed |= sessions

    def close(self, before: int, now: float) -> Minutes:
        """Takes out the minutes before this one; the time of all sessions is accounted for first."""
        self.looked(now)
        until = min(before * MINUTE_MS, round(now * 1000))
        for session in self._seen:
            self._account(session, until)
        return {minute: self._minutes.pop(minute) for minute in sorted(self._minutes) if minute < before}

    def _count(self, session: str, content: Content, at: float) -> None:
        if session in self._seen and content != NOTHING:
            end = round(at * 1000)
            if end < self._marks[session]:
                # of a time that is accounted for: how it was then is written already
                self._append(session, Entry(end, content=content))
            else:
                self._account(session, end)
                self._put(session, end, 0, content)

    def _account(self, session: str, until: int) -> None:
        """The session was until then as it was seen last, a minute at a time."""
        mark = self._marks[session]
        while mark < until:
            end = min(until, (mark // MINUTE_MS + 1) * MINUTE_MS)
            self._put(session, end, end - mark, NOTHING)
            mark = end
        self._marks[session] = mark

    def _put(self, session: str, at: int, ms: int, content: Content) -> None:
        seen = self._seen[session]
        self._append(session, Entry(at, ms, seen.status, seen.quality, seen.score, seen.cause, content))

    def _append(self, session: str, entry: Entry) -> None:
        append(self._minutes.setdefault(entry.minute, {}).setdefault(session, []), entry)
