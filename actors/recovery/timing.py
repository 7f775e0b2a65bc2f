"""What recovery waits for when the clock is set, or the machine sleeps: measured in the time that passes.  Pure.

All times are seconds since 1970, and that clock leaps: back or forward when it is set, forward when a machine wakes up.
What was to take 45 seconds takes 45 seconds all the same: a leap moves every time that something is waited for from.
Those that are still to come after that (of facts that were told before a leap and read after it, or read from the
ledger by a fresh actor) are taken for now.  When connections opened is left alone: it says which one is meant.
"""

from collections.abc import Callable, Iterator
from dataclasses import replace

from actors.recovery import harm
from actors.recovery.book import Book
from actors.recovery.episodes import Episode

LEAST = 1.0
"""Seconds; what is less is no leap."""
Move = Callable[[float], float]


class Leaps:
    """Of a clock, against one that is steady: it can't be set, and stands still while the machine sleeps."""

    def __init__(self, clock: float, steady: float) -> None:
        self._ahead = clock - steady

    def since(self, clock: float, steady: float) -> float:
        """Seconds by which the clock has leapt since the last time; 0 if it has not."""
        leap = clock - steady - self._ahead
        self._ahead += leap
        return leap if abs(leap) >= LEAST else 0.0


def leapt(book: Book, seconds: float) -> None:
    """The clock has leapt by so many seconds."""
    _move(book, lambda at: at + seconds)
    book.held = {session: until + seconds for session, until in book.held.items()}


def not_after(book: Book, now: float) -> None:
    """Nothing that was done, or that has begun, was so at a time that is still to come."""
    if any(at > now for at in _times(book)):
        _move(book, lambda at: min(at, now))
    book.held = {session: min(until, now + harm.HELD_S) for session, until in book.held.items()}


def asked(book: Book, session: str, at: float) -> None:
    """The order of which nothing was seen was given, or given again, at that time: later than when it was stored."""
    case = book.cases[session]
    stored = case.episode.pending_at
    book.cases[session] = replace(case, episode=replace(case.episode, pending_at=at))
    deeds = book.deeds.get(session, ())
    book.deeds[session] = tuple(replace(deed, at=at) if deed.at == stored else deed for deed in deeds)
    same = [watch.session == session and watch.at == stored for watch in book.watches]
    book.watches = tuple(replace(watch, at=at) if its else watch for watch, its in zip(book.watches, same, strict=True))


def _times(book: Book) -> Iterator[float]:
    for case in book.cases.values():
        its = case.episode
        yield its.rung_at if its.forced_from is None else max(its.rung_at, its.forced_from.at)
        yield from (at for at in (its.doubt_at, its.pending_at, its.refused_at) if at is not None)
    for deeds in book.deeds.values():
        yield from (deed.at for deed in deeds)
    yield from (watch.at for watch in book.watches)


def _move(book: Book, move: Move) -> None:
    book.cases = {id: replace(case, episode=_moved(case.episode, move)) for id, case in book.cases.items()}
    book.deeds = {id: tuple(replace(deed, at=move(deed.at)) for deed in deeds) for id, deeds in book.deeds.items()}
    book.watches = tuple(replace(watch, at=move(watch.at)) for watch in book.watches)


def _moved(episode: Episode, move: Move) -> Episode:
    rung = episode.forced_from
    return replace(
        episode,
        rung_at=move(episode.rung_at),
        doubt_at=_or_none(episode.doubt_at, move),
        pending_at=_or_none(episode.pending_at, move),
        refused_at=_or_none(episode.refused_at, move),
        forced_from=None if rung is None else replace(rung, at=move(rung.at)),
    )


def _or_none(at: float | None, move: Move) -> float | None:
    return None if at is None else move(at)
