"""Pauses of recovery: whom they cover, and until when.  Pure."""

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Pause:
    """While it lasts, the sessions that it covers are not connected by wavigil itself.  Times: seconds since 1970."""

    id: int
    at: float
    """When it began."""
    who: str
    """Name of a token."""
    session: str | None = None
    """The one session that it covers."""
    labels: Mapping[str, str] = field(default_factory=dict)
    """Without a session: those with all of these labels; without any label all sessions, those to come included."""
    until: float | None = None
    """When it ends by itself; None: when somebody ends it."""
    reason: str = ""
    ended_at: float | None = None
    """When somebody ended it before its time."""
    ended_by: str | None = None

    def covers(self, session: str, labels: Mapping[str, str]) -> bool:
        """Whether a session with these labels is meant."""
        if self.session is not None:
            return self.session == session
        return all(labels.get(name) == value for name, value in self.labels.items())

    def over(self, now: float) -> bool:
        """Whether it has ended.  One from a later time, as after a clock was set back, has not."""
        return self.ended_at is not None or (self.until is not None and self.until <= now)

    def lasted(self, at: float) -> bool:
        """Whether it was in effect at a time of the past."""
        ends = [end for end in (self.until, self.ended_at) if end is not None]
        return self.at <= at < min(ends, default=math.inf)


def covering(pauses: Iterable[Pause], session: str, labels: Mapping[str, str], now: float) -> tuple[Pause, ...]:
    """The pauses that a session is under now."""
    return tuple(pause for pause in pauses if not pause.over(now) and pause.covers(session, labels))


def paused_until(pauses: Iterable[Pause], session: str, labels: Mapping[str, str], now: float) -> float | None:
    """When the last of them ends: infinity if somebody has to end it; None for a session that is under none."""
    return max(map(_end, covering(pauses, session, labels, now)), default=None)


def in_force(told: Mapping[str, Mapping[str, float]], shards: Mapping[str, str]) -> dict[str, float]:
    """Session -> until when its recovery is paused, of what each shard has ``told``.

    Only the shard where a session stands (``shards``: session -> shard) speaks for it: the one that it has left is
    never heard again when it was its last.
    """
    return {id: until for shard, its in told.items() for id, until in its.items() if shards.get(id) == shard}


class Audience:
    """Whom pauses mean, of many sessions (labels by id): labels are looked up, where ``covers`` asks each session."""

    def __init__(self, sessions: Mapping[str, Mapping[str, str]]) -> None:
        self._all = frozenset(sessions)
        self._with: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
        for session, labels in sessions.items():
            for label in labels.items():
                self._with[label].add(session)

    def of(self, pause: Pause) -> AbstractSet[str]:
        """The sessions that it covers."""
        if pause.session is not None:
            return self._all & {pause.session}
        if not pause.labels:
            return self._all
        found = sorted((self._with.get(label, set()) for label in pause.labels.items()), key=len)
        return found[0].intersection(*found[1:])


def ends(pauses: Iterable[Pause], sessions: Mapping[str, Mapping[str, str]], now: float) -> dict[str, float]:
    """``paused_until`` of all sessions (labels by id) that are under a pause: a thousand of each take milliseconds."""
    last: dict[tuple[str | None, frozenset[tuple[str, str]]], Pause] = {}
    for pause in pauses:
        if not pause.over(now):
            same = pause.session, frozenset(pause.labels.items())
            if same not in last or _end(pause) > _end(last[same]):
                last[same] = pause
    found: dict[str, float] = {}
    audience = Audience(sessions if last else {})
    for pause in last.values():
        for session in audience.of(pause):
            found[session] = max(found.get(session, -math.inf), _end(pause))
    return found


def _end(pause: Pause) -> float:
    return math.inf if pause.until is None else pause.until
