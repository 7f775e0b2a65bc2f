"""Families of sessions, from the snapshot that the backend holds.

There is no database, no actor and no instrument to keep in step.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

from daemon.backend import SessionLive, SessionRecord
from daemon.metrics.table import Metric
from daemon.metrics.table import sessions as table
from daemon.metrics.text import family, number, prefix
from daemon.sendcounts import WAITING

MILLISECONDS = 1000.0


def _rating(told: Mapping[str, Any] | None) -> float | None:
    return None if told is None else table.PLATFORM_RATINGS.get(told["rating"])


_STANDING: Mapping[Metric, Callable[[SessionLive], float | None]] = {
    table.SESSION_UNDECRYPTABLE: lambda live: live.undecryptable_share,
    table.SESSION_TIMELOCKED: lambda live: int(live.timelocked),
    table.SESSION_NEW_CHATS_USED: lambda live: (live.new_chats or {}).get("used"),
    table.SESSION_NEW_CHATS_QUOTA: lambda live: (live.new_chats or {}).get("total"),
    table.SESSION_PLATFORM_QUALITY: lambda live: _rating(live.platform_quality),
}
"""What WhatsApp lets the account do and makes of its number, and how much of what arrives can be read."""


@dataclass(frozen=True, slots=True)
class _Prefixes:
    """The beginnings of all lines of one session."""

    connector: str
    up: str
    status: tuple[tuple[str, str], ...]
    score: str
    attempts: str
    disconnects: str
    messages: tuple[tuple[str, str], ...]
    sends: tuple[tuple[str, str], ...]
    waiting: str
    standing: Mapping[Metric, str]
    canaries: tuple[tuple[str, str], ...]
    rhythm: str
    round_trip: tuple[tuple[str, str], ...]
    last_seen: str

    @classmethod
    def of(cls, session: str, connector: str) -> Self:
        return cls(
            connector=connector,
            up=prefix(table.SESSION_UP, (session, connector)),
            status=tuple(
                (status, prefix(table.SESSION_STATUS, (session, status))) for status in table.SESSION_STATUSES
            ),
            score=prefix(table.SESSION_HEALTH_SCORE, (session,)),
            attempts=prefix(table.SESSION_RECONNECT_ATTEMPTS, (session,)),
            disconnects=prefix(table.SESSION_DISCONNECTS, (session,)),
            messages=tuple(
                (result, prefix(table.SESSION_MESSAGES, (session, result))) for result in table.MESSAGE_RESULTS
            ),
            sends=tuple((outcome, prefix(table.SESSION_SENDS, (session, outcome))) for outcome in table.SEND_OUTCOMES),
            waiting=prefix(table.SESSION_SENDS_WAITING, (session,)),
            standing={metric: prefix(metric, (session,)) for metric in _STANDING},
            canaries=tuple(
                (outcome, prefix(table.SESSION_CANARIES, (session, outcome))) for outcome in table.CANARY_OUTCOMES
            ),
            rhythm=prefix(table.SESSION_RHYTHM_AGE, (session,)),
            round_trip=tuple(
                (key, prefix(table.SESSION_ROUND_TRIP, (session, quantile))) for key, quantile in table.QUANTILES
            ),
            last_seen=prefix(table.SESSION_LAST_SEEN, (session,)),
        )


class SessionFamilies:
    """Renders the families; remembers the label prefixes of the sessions that exist."""

    def __init__(self) -> None:
        self._prefixes: dict[str, _Prefixes] = {}

    def render(self, records: Mapping[str, SessionRecord], live: Callable[[str], SessionLive]) -> str:
        """All families in the text format, in the order of the table."""
        pairs = [(self._prefixes_of(record), live(record.id)) for record in records.values()]
        now = time.time()
        if len(self._prefixes) > len(records):
            self._prefixes = {session: self._prefixes[session] for session in records}
        return "".join(
            (
                family(table.SESSIONS, _totals(pairs)),
                family(table.SESSIONS_LIVENESS, _by_liveness(pairs)),
                family(table.SESSION_UP, [f"{p.up}{int(s.status == 'connected')}" for p, s in pairs]),
                family(
                    table.SESSION_STATUS,
                    [f"{line}{int(s.status == status)}" for p, s in pairs for status, line in p.status],
                ),
                family(
                    table.SESSION_HEALTH_SCORE,
                    [f"{p.score}{s.score}" for p, s in pairs if s.score is not None],
                ),
                family(
                    table.SESSION_RECONNECT_ATTEMPTS,
                    [f"{p.attempts}{s.reconnect_attempts}" for p, s in pairs],
                ),
                family(
                    table.SESSION_DISCONNECTS,
                    [f"{p.disconnects}{s.counts.get('disconnects', 0)}" for p, s in pairs],
                ),
                family(
                    table.SESSION_MESSAGES,
                    [f"{line}{s.counts.get(result, 0)}" for p, s in pairs for result, line in p.messages],
                ),
                family(
                    table.SESSION_SENDS,
                    [f"{line}{s.sends.get(outcome, 0)}" for p, s in pairs for outcome, line in p.sends],
                ),
                family(
                    table.SESSION_SENDS_WAITING,
                    [f"{p.waiting}{s.sends.get(WAITING, 0)}" for p, s in pairs],
                ),
                *(
                    family(
                        metric,
                        [f"{p.standing[metric]}{number(value)}" for p, s in pairs if (value := read(s)) is not None],
                    )
                    for metric, read in _STANDING.items()
                ),
                family(
                    table.SESSION_CANARIES,
                    [
                        f"{line}{s.canaries.get(outcome, 0)}"
                        for p, s in pairs
                        if s.canaries.get("sent")
                        for outcome, line in p.canaries
                    ],
                ),
                family(
                    table.SESSION_RHYTHM_AGE,
                    [f"{p.rhythm}{number(now - s.rhythm_since)}" for p, s in pairs if s.rhythm_since is not None],
                ),
                family(
                    table.SESSION_ROUND_TRIP,
                    [
                        f"{line}{number(s.rtt_ms[key] / MILLISECONDS)}"
                        for p, s in pairs
                        for key, line in p.round_trip
                        if key in s.rtt_ms
                    ],
                ),
                family(
                    table.SESSION_LAST_SEEN,
                    [f"{p.last_seen}{number(s.last_seen)}" for p, s in pairs if s.last_seen is not None],
                ),
            )
        )

    def _prefixes_of(self, record: SessionRecord) -> _Prefixes:
        prefixes = self._prefixes.get(record.id)
        if prefixes is None or prefixes.connector != record.connector:
            prefixes = self._prefixes[record.id] = _Prefixes.of(record.id, record.connector)
        return prefixes


def _totals(pairs: list[tuple[_Prefixes, SessionLive]]) -> list[str]:
    totals = Counter((live.status, prefixes.connector) for prefixes, live in pairs)
    connectors = sorted({prefixes.connector for prefixes, _ in pairs})
    return [
        f"{prefix(table.SESSIONS, (status, connector))}{totals[status, connector]}"
        for connector in connectors
        for status in table.SESSION_STATUSES
    ]


def _by_liveness(pairs: list[tuple[_Prefixes, SessionLive]]) -> list[str]:
    if not pairs:
        return []
    totals = Counter(live.liveness for _, live in pairs)
    return [f"{prefix(table.SESSIONS_LIVENESS, (liveness,))}{totals[liveness]}" for liveness in table.SESSION_LIVENESS]
