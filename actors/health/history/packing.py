"""Entries and roll-ups as the database holds them: msgpack maps with small numbers as keys, without what is nothing.

A quiet minute takes about 20 bytes.  A number is never given another meaning; unknown ones are ignored.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from actors.health.history.entries import MINUTE_MS, NOTHING, Content, Entry
from actors.health.history.rollups import Rollup
from actors.health.quality import Quality
from actors.health.status import Status

STATUSES = (
    Status.CONNECTED,
    Status.CONNECTING,
    Status.PAIRING,
    Status.DISCONNECTED,
    Status.BLOCKED,
    Status.ERROR,
    Status.STOPPED,
)
QUALITIES = (Quality.EXCELLENT, Quality.GOOD, Quality.POOR, Quality.CRITICAL)
"""Their places are what is stored."""
_STATUS_OF = {name: number for number, name in enumerate(STATUSES)}
_QUALITY_OF = {name: number for number, name in enumerate(QUALITIES)}
_QUALITIES_WIDTH, _NONE = 8, 7
_HEARTBEATS, _MISSED, _ACKS, _RECEIPTS, _RECEIVED, _UNDECRYPTABLE, _NACKS, _DISCONNECTS = range(1, 9)
_RTT_P50, _RTT_P95, _CAUSE, _IN_STATUS, _IN_QUALITY, _SCORES, _TRIPS, _LAST_CAUSE = range(9, 17)
_COUNTS = (_HEARTBEATS, _MISSED, _ACKS, _RECEIPTS, _RECEIVED, _UNDECRYPTABLE)


def pack_entries(minute: int, entries: Sequence[Entry]) -> bytes:
    """Entries of one minute, in their order."""
    start = before = minute * MINUTE_MS
    packed = []
    for entry in entries:
        code = _code(entry)
        more = _content(entry.content)
        if entry.cause is not None:
            more[_CAUSE] = entry.cause
        # from where the entry before ended, which is nearly always 0
        row: list[Any] = [entry.at - start, entry.at - entry.ms - before, code, entry.score]
        packed.append([*row, more] if more else row)
        before = entry.at
    return bytes(msgpack.packb(packed))


def unpack_entries(minute: int, data: bytes) -> list[Entry]:
    """The inverse."""
    start = before = minute * MINUTE_MS
    entries = []
    for offset, gap, code, score, *rest in msgpack.unpackb(data, strict_map_key=False):
        more: Mapping[int, Any] = rest[0] if rest else {}
        at = start + offset
        status, quality = divmod(code, _QUALITIES_WIDTH)
        entries.append(
            Entry(
                at,
                at - before - gap,
                STATUSES[status] if status < len(STATUSES) else None,
                QUALITIES[quality] if quality < len(QUALITIES) else None,
                score,
                more.get(_CAUSE),
                _read_content(more) if more else NOTHING,
            )
        )
        before = at
    return entries


def _code(entry: Entry) -> int:
    status = _NONE if entry.status is None else _STATUS_OF[entry.status]
    return status * _QUALITIES_WIDTH + (_NONE if entry.quality is None else _QUALITY_OF[entry.quality])


def _content(content: Content) -> dict[int, Any]:
    if not content:
        return {}
    numbers = (
        content.heartbeats,
        content.missed,
        content.acks,
        content.receipts,
        content.received,
        content.undecryptable,
    )
    more: dict[int, Any] = {key: number for key, number in zip(_COUNTS, numbers, strict=True) if number}
    if content.nacks:
        more[_NACKS] = dict(content.nacks)
    if content.disconnects:
        more[_DISCONNECTS] = dict(content.disconnects)
    if content.rtt_p50 is not None:
        more[_RTT_P50] = content.rtt_p50
        if content.rtt_p95 != content.rtt_p50:
            more[_RTT_P95] = content.rtt_p95
    return more


def _read_content(more: Mapping[int, Any]) -> Content:
    median = more.get(_RTT_P50)
    return Content(
        heartbeats=more.get(_HEARTBEATS, 0),
        missed=more.get(_MISSED, 0),
        acks=more.get(_ACKS, 0),
        receipts=more.get(_RECEIPTS, 0),
        received=more.get(_RECEIVED, 0),
        undecryptable=more.get(_UNDECRYPTABLE, 0),
        nacks=tuple(sorted(more.get(_NACKS, {}).items())),
        disconnects=tuple(sorted(more.get(_DISCONNECTS, {}).items())),
        rtt_p50=median,
        rtt_p95=more.get(_RTT_P95, median),
    )


def pack_rollup(rollup: Rollup) -> bytes:
    """A roll-up."""
    numbers = (
        rollup.heartbeats,
        rollup.missed,
        rollup.acks,
        rollup.receipts,
        rollup.received,
        rollup.undecryptable,
    )
    packed: dict[int, Any] = {key: number for key, number in zip(_COUNTS, numbers, strict=True) if number}
    for key, counts in ((_NACKS, rollup.nacks), (_DISCONNECTS, rollup.disconnects), (_TRIPS, rollup.trips)):
        if counts:
            packed[key] = dict(counts)
    if rollup.statuses:
        packed[_IN_STATUS] = {_STATUS_OF[name]: ms for name, ms in rollup.statuses.items()}
    if rollup.qualities:
        packed[_IN_QUALITY] = {_QUALITY_OF[name]: ms for name, ms in rollup.qualities.items()}
    if rollup.score_min is not None:
        low, high = rollup.score_min, rollup.score_max
        # one score all the time: its sum follows from how long it held
        packed[_SCORES] = low if low == high else [low, high, rollup.score_sum]
    if rollup.last_cause is not None:
        packed[_LAST_CAUSE] = list(rollup.last_cause)
    return bytes(msgpack.packb(packed))


def unpack_rollup(data: bytes) -> Rollup:
    """The inverse."""
    packed: Mapping[int, Any] = msgpack.unpackb(data, strict_map_key=False)
    qualities = {QUALITIES[n]: ms for n, ms in packed.get(_IN_QUALITY, {}).items() if n < len(QUALITIES)}
    scores = packed.get(_SCORES)
    low: int | None = None
    high: int | None = None
    total = 0
    if isinstance(scores, int):
        low, high, total = scores, scores, scores * sum(qualities.values())
    elif scores is not None:
        low, high, total = scores
    last = packed.get(_LAST_CAUSE)
    return Rollup(
        statuses={STATUSES[n]: ms for n, ms in packed.get(_IN_STATUS, {}).items() if n < len(STATUSES)},
        qualities=qualities,
        score_min=low,
        score_max=high,
        score_sum=total,
        trips=packed.get(_TRIPS, {}),
        heartbeats=packed.get(_HEARTBEATS, 0),
        missed=packed.get(_MISSED, 0),
        acks=packed.get(_ACKS, 0),
        receipts=packed.get(_RECEIPTS, 0),
        received=packed.get(_RECEIVED, 0),
        undecryptable=packed.get(_UNDECRYPTABLE, 0),
        nacks=packed.get(_NACKS, {}),
        disconnects=packed.get(_DISCONNECTS, {}),
        last_cause=None if last is None else (last[0], last[1]),
    )
