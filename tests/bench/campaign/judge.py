"""Compares what a campaign did with what was seen of it.  Pure: entries in, tallies out.

Noticed is a transition or a verdict with the right cause, or the supervisor's note of a process that ended.  A wrong
action is whatever happens to a session without a trouble of its own, an attempt where none was planned, more than one
loss of a connection for one trouble, a verdict that does not hold, and any loop.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from tests.bench.campaign.kinds import BY_NAME, CLOSED_WITHIN, FEW, Kind
from tests.bench.campaign.truth import Acted, Ended, Entry, Judged, Moved, Shown, Struck

HEALED_WITHIN: Final = 120.0
"""Seconds from the end of the trouble (or, if that is later, from when it was noticed) to an open session."""
LOOP: Final = 12
"""Attempts of one session within a minute that are a loop.  At once three times and then by back-off they are fewer."""
LOOP_WINDOW: Final = 60.0
ANSWERED: Final = 0.5
"""Seconds before a refusal's end until which whoever tries is refused for certain: attempts take time."""
SLACK: Final = 0.05
"""Seconds by which clocks that read milliseconds may differ."""
ILL: Final = {"deaf": "deaf", "outbound_stuck": "outbound_stuck", "half_open": "heartbeat_lost"}
"""Verdicts on open sessions, and the cause that each stands for."""
RESTS: Final = {"halted", "blocked", "parked", "stopped", "pairing"}
DEEDS: Final = {"reconnect", "restart", "failover", "slow_lane"}
"""Strategies that do something; the others say that nothing is done."""
SHOWS: Final = {"heals": "connected", "waits": "connected", "few_tries": "error", "rests": "error"}


@dataclass(slots=True)
class Tally:
    """What became of the troubles of one kind; times in seconds."""

    n: int = 0
    noticed: list[float] = field(default_factory=list)
    """From the blow until it was noticed."""
    closed: list[float] = field(default_factory=list)
    """From the blow that ended a connection until its session knew, whatever cause it took it for at first."""
    late: int = 0
    """Of either, beyond the bound."""
    right: int = 0
    """Healed in time, or exactly what was planned."""
    repairs: list[float] = field(default_factory=list)
    """Until open, from the end of the trouble or from when it was noticed, whichever is later."""
    wrong: int = 0
    problems: list[str] = field(default_factory=list)
    """A sentence for each thing that is not as it should be."""

    def complain(self, sentence: str, *, wrong: int = 0) -> None:
        """Notes a problem, and how many wrong actions it is."""
        self.wrong += wrong
        self.problems.append(sentence)


@dataclass(frozen=True, slots=True)
class Seen:
    """What was seen in one window of one session."""

    moves: Sequence[Moved] = ()
    judged: Sequence[Judged] = ()
    acted: Sequence[Acted] = ()


class Timeline:
    """All that was seen, by session and in order."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        moves: dict[str, list[Moved]] = defaultdict(list)
        judged: dict[str, list[Judged]] = defaultdict(list)
        acted: dict[str, list[Acted]] = defaultdict(list)
        self.ended: dict[int, Ended] = {}
        self.shown: dict[tuple[int, str], Shown] = {}
        self.struck: list[Struck] = []
        for entry in entries:
            match entry:
                case Moved():
                    moves[entry.session].append(entry)
                case Judged():
                    judged[entry.session].append(entry)
                case Acted() if entry.strategy in DEEDS:
                    acted[entry.session].append(entry)
                case Ended():
                    self.ended[entry.number] = entry
                case Shown():
                    self.shown[entry.number, entry.session] = entry
                case Struck():
                    self.struck.append(entry)
        # transitions keep the order in which they were stored: two may have one time
        self._moves, self._judged, self._acted = _sorted(moves), _sorted(judged), _sorted(acted)
        self.sessions = {*self._moves, *self._judged, *self._acted}

    def between(self, session: str, since: float, until: float) -> Seen:
        """What was seen of a session in a window, its ends included."""
        return Seen(
            _cut(self._moves.get(session, []), since, until),
            _cut(self._judged.get(session, []), since, until),
            _cut(self._acted.get(session, []), since, until),
        )


def judge(entries: Iterable[Entry], began: float, ended: float) -> tuple[dict[str, Tally], Tally]:
    """A tally for each kind that was played, and one of what happened to sessions without a trouble of their own."""
    line = Timeline(entries)
    tallies: dict[str, Tally] = defaultdict(Tally)
    windows: dict[str, list[tuple[float, float]]] = defaultdict(list)
    for struck in line.struck:
        for session in struck.sessions:
            windows[session].append((struck.at - SLACK, struck.until))
        kind, tally = BY_NAME[struck.kind], tallies[struck.kind]
        if kind.scope == "session":
            for session in struck.sessions:
                _of_session(struck, session, kind, line, tally)
        else:
            _of_process(struck, line, tally)
    return dict(tallies), _healthy(line, windows, began, ended)


def _of_session(struck: Struck, session: str, kind: Kind, line: Timeline, tally: Tally) -> None:
    seen = line.between(session, struck.at - SLACK, struck.until)
    name = f"{kind.name} #{struck.number} {session}"
    tally.n += 1
    _false_verdicts(seen, kind.causes, tally, name)
    noticed = _noticed(seen, kind)
    if noticed is None:
        tally.complain(f"{name}: not noticed; {_path(seen)}")
        return
    took, bound = max(0.0, noticed - struck.at), kind.notice_s
    tally.noticed.append(took)
    if kind.closes:
        bound = CLOSED_WITHIN
        took = max(0.0, min([noticed, *(move.at for move in seen.moves if _lost(move))]) - struck.at)
        tally.closed.append(took)
    if bound is not None and took > bound:
        tally.late += 1
        tally.complain(f"{name}: noticed after {took:.3f} s, not within {bound:g} s")
    if kind.refused and not any(move.cause in kind.refused for move in seen.moves):
        tried = [at for at in _attempts(seen.moves) if struck.at < at < struck.ends - ANSWERED]
        if tried:
            tally.complain(f"{name}: was refused, and not named so; {_path(seen)}", wrong=1)
    shown = line.shown.get((struck.number, session))
    expected = "blocked" if kind.state == "blocked" and kind.after == "rests" else SHOWS[kind.after]
    if shown is not None and shown.status != expected:
        tally.complain(f"{name}: HTTP showed {shown.status}, not {expected}; {_path(seen)}")
    if kind.after in {"heals", "waits"}:
        _heals(struck, kind, seen, noticed, tally, name)
    else:
        _rests(struck, kind, seen, tally, name)


def _heals(struck: Struck, kind: Kind, seen: Seen, noticed: float, tally: Tally, name: str) -> None:
    over = max(struck.ends, noticed)
    opened = [move.at for move in seen.moves if move.state == "open" and move.at >= noticed]
    if not kind.closes and not any(map(_lost, seen.moves)):
        # what ailed it ended before anything was done: it is healed if the very connection is judged well again
        opened = [verdict.at for verdict in seen.judged if verdict.at > noticed and verdict.liveness not in ILL]
    if not opened or (seen.moves and seen.moves[-1].state != "open"):
        tally.complain(f"{name}: not open again; {_path(seen)}")
    elif opened[-1] - over > HEALED_WITHIN:
        tally.complain(f"{name}: open again only {opened[-1] - over:.0f} s after its end")
    else:
        tally.right += 1
        tally.repairs.append(max(0.0, opened[-1] - over))
    losses = sum(move.previous == "open" and move.state != "open" for move in seen.moves)
    if losses > 1:
        tally.complain(f"{name}: lost its connection {losses} times; {_path(seen)}", wrong=losses - 1)
    rested = {"blocked"} if kind.after == "waits" else set[str]()
    if gave_up := [move.state for move in seen.moves if move.state in RESTS - rested]:
        tally.complain(f"{name}: came to rest; {_path(seen)}", wrong=len(gave_up))
    if kind.after == "waits":
        early = [at for at in _attempts(seen.moves) if noticed < at < struck.ends - SLACK]
        if early:
            tally.complain(f"{name}: tried before the ban was over; {_path(seen)}", wrong=len(early))
    if needless := [act.strategy for act in seen.acted if act.strategy != "reconnect"]:
        tally.complain(f"{name}: recovery acted: {', '.join(needless)}", wrong=len(needless))
    _no_loop(seen, tally, name)


def _no_loop(seen: Seen, tally: Tally, name: str) -> None:
    if loops := _loops(seen.moves):
        tally.complain(f"{name}: {loops} attempts within a minute; {_path(seen)}", wrong=1)


def _rests(struck: Struck, kind: Kind, seen: Seen, tally: Tally, name: str) -> None:
    limit = struck.until if struck.operator_at is None else struck.operator_at
    own = [move for move in seen.moves if move.at < limit]
    first = next((index for index, move in enumerate(own) if move.cause in kind.causes and _away(move)), None)
    after = own[first + 1 :] if first is not None else []
    allowed = FEW if kind.after == "few_tries" else 0
    attempts = len(_attempts(after))
    came_to_rest = bool(own) and own[-1].state == kind.state and own[-1].cause in kind.causes
    if attempts > allowed:
        tally.complain(f"{name}: {attempts} attempts, not {allowed}; {_path(seen)}", wrong=attempts - allowed)
    elif kind.after == "few_tries" and attempts < allowed:
        tally.complain(f"{name}: {attempts} attempts, not {allowed}; {_path(seen)}")
    elif not came_to_rest:
        tally.complain(f"{name}: did not come to rest as {kind.state}; {_path(seen)}")
    else:
        tally.right += 1
    since = own[first].at if first is not None else limit  # until it is refused it may well try
    if acted := [act for act in seen.acted if since < act.at < limit and kind.after == "rests"]:
        tally.complain(f"{name}: recovery acted: {acted[0].strategy}", wrong=len(acted))
    _no_loop(seen, tally, name)
    if struck.operator_at is not None and seen.moves[-1].state != "open":
        tally.complain(f"{name}: not open after the operator's help; {_path(seen)}")


def _of_process(struck: Struck, line: Timeline, tally: Tally) -> None:
    name = f"{struck.kind} #{struck.number}"
    tally.n += 1
    ended = line.ended.get(struck.number)
    if ended is None:
        tally.complain(f"{name}: its end was not noticed")
        return
    if ended.noticed is None:
        tally.complain(f"{name}: no supervisor told of its end")
    else:
        tally.noticed.append(max(0.0, ended.noticed - struck.at))
    back = [] if ended.back is None else [ended.back]
    missing = "" if back else "no other process took its place"
    for session in struck.sessions:
        seen = line.between(session, struck.at - SLACK, struck.until)
        _false_verdicts(seen, frozenset(), tally, f"{name} {session}")
        if not seen.moves:
            if BY_NAME[struck.kind].causes:
                tally.complain(f"{name}: {session} did not notice that its connection is gone", wrong=1)
            continue  # nothing of it was lost
        if seen.moves[-1].state == "open":
            back.append(seen.moves[-1].at)
        else:
            missing = f"{session} is not open again; {_path(seen)}"
        _no_loop(seen, tally, f"{name} {session}")
        if any(move.state in RESTS for move in seen.moves):
            tally.complain(f"{name}: {session} came to rest; {_path(seen)}", wrong=1)
    took = max([at - struck.at for at in back], default=0.0)
    if missing:
        tally.complain(f"{name}: {missing}")
    elif took > HEALED_WITHIN:
        tally.complain(f"{name}: well again only after {took:.0f} s")
    else:
        tally.right += 1
        tally.repairs.append(took)


def _healthy(line: Timeline, windows: Mapping[str, list[tuple[float, float]]], began: float, ended: float) -> Tally:
    tally = Tally(n=len(line.sessions))
    for session in sorted(line.sessions):
        seen = line.between(session, began, ended)
        own = windows.get(session, [])
        for move in seen.moves:
            if not move.resumed and not _covered(move.at, own) and (_lost(move) or move.state == "connecting"):
                tally.complain(f"{session}: {move.previous} -> {move.state} ({move.cause}) at {move.at:.1f}", wrong=1)
        for verdict in seen.judged:
            if verdict.liveness in ILL and not _covered(verdict.at, own):
                tally.complain(f"{session}: called {verdict.liveness} at {verdict.at:.1f}", wrong=1)
        for act in seen.acted:
            if not _covered(act.at, own):
                tally.complain(f"{session}: recovery acted: {act.strategy} at {act.at:.1f}", wrong=1)
    return tally


def _noticed(seen: Seen, kind: Kind) -> float | None:
    moves = [move.at for move in seen.moves if move.cause in kind.causes and _away(move)]
    verdicts = [verdict.at for verdict in seen.judged if ILL.get(verdict.liveness) in kind.causes]
    return min([*moves, *verdicts], default=None)


def _false_verdicts(seen: Seen, causes: frozenset[str], tally: Tally, name: str) -> None:
    for verdict in seen.judged:
        if verdict.liveness in ILL and ILL[verdict.liveness] not in causes:
            tally.complain(f"{name}: called {verdict.liveness}", wrong=1)


def _away(move: Moved) -> bool:
    return move.state != "open"


def _lost(move: Moved) -> bool:
    return move.previous == "open" and move.state != "open"


def _attempts(moves: Iterable[Moved]) -> list[float]:
    return [move.at for move in moves if move.state == "connecting" and move.previous != "connecting"]


def _loops(moves: Iterable[Moved]) -> int:
    """The most attempts within a minute, if these are a loop; else 0."""
    times = _attempts(moves)
    most = max((bisect_right(times, at + LOOP_WINDOW) - index for index, at in enumerate(times)), default=0)
    return most if most > LOOP else 0


def _covered(at: float, windows: Iterable[tuple[float, float]]) -> bool:
    return any(since <= at <= until for since, until in windows)


def _path(seen: Seen) -> str:
    return " -> ".join(f"{move.state}({move.cause})" for move in seen.moves) or "no transition"


def _sorted(found: dict) -> dict:  # type: ignore[type-arg]
    return {session: sorted(entries, key=lambda entry: entry.at) for session, entries in found.items()}


def _cut(entries: list, since: float, until: float) -> list:  # type: ignore[type-arg]
    times = [entry.at for entry in entries]
    return entries[bisect_left(times, since) : bisect_right(times, until)]
