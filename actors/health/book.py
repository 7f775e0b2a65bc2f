"""What the health actor keeps of every session, without clock or I/O: signals, totals, and the view shown last."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC
from typing import Any

from actors.events import EventType
from actors.health.canaries import Canaries
from actors.health.canary import Peer, Policy, Seat
from actors.health.history.recall import Recalled
from actors.health.history.recorder import Recorder, Seen
from actors.health.listening import Listening
from actors.health.liveness import Liveness, Verdict, judge
from actors.health.proof import Patience, is_lasting, prove
from actors.health.quality import Bands, Quality, quality
from actors.health.signals import Signals, fold, remember
from actors.health.status import Status
from actors.health.view import Scoring, Totals, view
from actors.session.change import Change, is_failure, read_change
from actors.session.sample import Sample
from actors.session.vocabulary import State
from actors.store.records import LEFT, NewEvent, OutboxEvent, SessionState

MATERIAL = ("status", "quality", "score")
"""A change of one of these is an event."""
SHOWN = (*MATERIAL, "lastLiveness")
"""A change of one of these is shown at once."""
NEWS_AFTER_S = 45.0
"""Seconds after its start until a fresh actor has heard of each session; what was known before holds until then."""


class Book:
    """Folds news and tells which views changed."""

    def __init__(
        self,
        scoring: Scoring,
        bands: Bands,
        margin: int,
        patience: Patience | None = None,
        listening: Listening | None = None,
    ) -> None:
        self._scoring = scoring
        self._bands = bands
        self._margin = margin
        self._signals: dict[str, Signals] = {}
        self._totals: dict[str, Totals] = {}
        self._parked: dict[int, frozenset[str]] = {}
        self._shown: dict[str, dict[str, Any]] = {}
        self._fresh: set[str] = set()
        self._turns: list[NewEvent] = []
        self.history = Recorder()
        self._restored: set[str] = set()
        self._began: float | None = None
        self._patience = patience or Patience()
        self._unproven: dict[str, float] = {}
        """Sessions whose connection has yet to prove itself -> when it opened."""
        self._disproved: set[str] = set()
        """Those of them of which it was told that there is no proof."""
        self._faults: dict[str, str] = {}
        """Sessions that were deaf or stuck, and have not proved that this is over -> which."""
        self._verdicts: dict[str, Verdict | None] = {}
        self.listening = listening or Listening(Canaries(Policy(), str), UTC)

    def restore(self, views: Mapping[str, Mapping[str, Any]]) -> None:
        """The views that an earlier actor stored: totals and quality go on from them."""
        for session, stored in views.items():
            self._shown[session] = dict(stored)
            self._restored.add(session)
            self._totals[session] = Totals(dict(stored.get("counts", {})))
            self.listening.canaries.counts[session].update(stored.get("canaries", {}))
            self._recall(session, stored)

    def _recall(self, session: str, stored: Mapping[str, Any]) -> None:
        """A fault of this very connection is not over because the actor is another one."""
        last = stored.get("lastLiveness")
        if last is not None and is_lasting(last):
            self._faults[session] = last
        detail = stored.get("livenessDetail")
        if stored.get("liveness") == Liveness.DEAF and detail:
            missed = int(detail["evidence"]["canariesMissed"])
            self.listening.canaries.recall(session, missed, detail["since"])

    def states(self, states: Mapping[str, SessionState], now: float) -> None:
        """The stored states of a shard."""
        self.history.looked(now)
        for session, stored in states.items():
            if stored.data.get(LEFT):
                self.history.kept.add(session)
                continue
            data = {**stored.data, "state": stored.state, "cause": stored.cause, "resumed": True}
            self._change(session, read_change(stored.since, data), now)
            self._logged_in(session, data, now)

    def event(self, event: OutboxEvent, now: float) -> None:
        """A transition of a shard's outbox, or the end of a session."""
        self.history.looked(now)
        if event.type == "session.removed" and event.session is not None:
            kept = event.data.get("kept") is True
            self.forget(event.session, kept=kept)
            self.history.remove(event.session, kept=kept)
        if event.type == "session.state" and event.session is not None:
            self._change(event.session, read_change(event.at, event.data), now)
            self._logged_in(event.session, event.data, now)
        if event.type == "session.canary" and event.session is not None:
            self.listening.arrived(event.session, str(event.data.get("messageId")), event.at)

    def remember(self, session: str, recalled: Recalled) -> None:
        """What was counted of a session before this actor was started; told once."""
        if session in self._signals:
            self._signals[session] = remember(self._signals[session], recalled.minutes, recalled.hours)

    def forget(self, session: str, *, kept: bool = False) -> None:
        """The session is no more; ``kept``: it may come back, and then has its old rhythm."""
        for known in (self._signals, self._totals, self._shown, self._verdicts):
            known.pop(session, None)
        if kept:
            self.listening.left(session)
        else:
            self.listening.forget(session)
        self._fresh.discard(session)
        self.history.forget(session)
        self._unproven.pop(session, None)
        self._disproved.discard(session)
        self._faults.pop(session, None)

    def sessions(self) -> set[str]:
        """The sessions of which something is known."""
        return set(self._signals)

    def expected(self) -> set[str]:
        """The sessions whose rhythm is of use: those, and the ones that are away and may come back."""
        return self._signals.keys() | self.history.kept

    def strangers(self) -> set[str]:
        """Sessions whose stored view was restored, but of which nothing else is known."""
        return self._shown.keys() - self._signals.keys()

    def _change(self, session: str, change: Change | None, now: float) -> None:
        if change is not None:
            before = self._signals.get(session)
            last = self._shown.get(session, {}).get("lastLiveness")
            self.listening.changed(session, before, change, last, now)
            self._signals[session] = fold(before or Signals(), change, now)
            self._fresh.add(session)
            if change.cause is not None and is_failure(change):
                self.history.failed(session, str(change.cause), change.at, now)
            if change.state is not State.OPEN or change.previous is not State.OPEN:
                self._disproved.discard(session)
            if change.state is not State.OPEN:
                self._unproven.pop(session, None)
            elif change.previous is not State.OPEN:
                self._unproven[session] = change.at

    def _logged_in(self, session: str, data: Mapping[str, Any], now: float) -> None:
        connector = str((data.get("versions") or {}).get("connector", "")).partition(" ")[0]
        self.listening.logged_in(session, data.get("me"), connector, now)

    def report(self, shard: int, samples: Mapping[str, Sequence[Sample]], parked: tuple[str, ...], now: float) -> None:
        """The folded samples of a shard."""
        self.history.looked(now)
        for session, sample in ((session, sample) for session, taken in samples.items() for sample in taken):
            before = self._signals.get(session)
            if before is None:
                continue  # it was removed, or its first transition is still to be read
            after = fold(before, sample, now)
            if after is not before:
                self._signals[session] = after
                self.listening.placed(session, shard, now)
                self.listening.sampled(session, sample)
                self._totals[session] = self._totals.get(session, Totals()).plus(sample)
                self._fresh.add(session)
                self.history.sampled(session, sample, now)
        self._fresh |= self._parked.get(shard, frozenset()) ^ frozenset(parked)
        self._parked[shard] = frozenset(parked)

    def changed(self, now: float, *, everybody: bool) -> dict[str, dict[str, Any]]:
        """The views that are new, of those with news or of everybody (evidence grows old by itself)."""
        self.history.looked(now)
        parked = frozenset().union(*self._parked.values()) if self._parked else frozenset()
        news: dict[str, dict[str, Any]] = {}
        for session in list(self._signals) if everybody else list(self._fresh & self._signals.keys()):
            signals = self._signals[session]
            if session not in parked and self._awaits_news(session, signals, now):
                continue
            verdict = self._verdicts[session] = judge(signals, now, self.listening.inbound(session, signals, now))
            totals = self._totals.get(session, Totals())
            computed = view(signals, totals, session in parked, now, self._scoring, verdict)
            before = self._shown.get(session, {})
            if verdict is not None and is_lasting(verdict.liveness):
                self._faults[session] = str(verdict.liveness)
            if session in self._unproven:
                self._prove(session, verdict, now)
            elif verdict is not None and not is_lasting(verdict.liveness):
                self._faults.pop(session, None)
            computed["canaries"] = dict(self.listening.canaries.counts[session])
            computed["rhythmSince"] = self.listening.rhythm_since(session)
            computed["lastLiveness"] = self._turn(session, verdict, before.get("lastLiveness"), now)
            computed["quality"] = self._quality(computed["score"], before.get("quality"))
            if session in self._fresh or any(computed[key] != before.get(key) for key in SHOWN):
                computed["material"] = any(computed[key] != before.get(key) for key in MATERIAL)
                news[session] = self._shown[session] = computed
                self.history.observed(session, _seen(computed, signals), now)
        self._fresh.clear()
        return news

    def _awaits_news(self, session: str, signals: Signals, now: float) -> bool:
        """A fresh actor has not heard of a connection that an earlier one judged: that is no sign of its death."""
        if session not in self._restored:
            return False
        self._began = now if self._began is None else self._began
        quiet = signals.state is State.OPEN and signals.since < self._began and signals.sampled_at is None
        if quiet and 0 <= now - self._began < NEWS_AFTER_S:
            return True
        self._restored.discard(session)
        return False

    def _turn(self, session: str, verdict: Verdict | None, before: str | None, now: float) -> str | None:
        """Notes a liveness other than the last; while the session is not open the last one stays."""
        if verdict is None:
            return before
        if verdict.liveness != before:
            data = {
                "liveness": str(verdict.liveness),
                "previous": before,
                "since": verdict.since,
                "openedAt": self._signals[session].since,
                "evidence": dict(verdict.evidence),
            }
            self._turns.append(NewEvent(now, EventType.HEALTH_LIVENESS, session, data))
        return str(verdict.liveness)

    def _prove(self, session: str, verdict: Verdict | None, now: float) -> None:
        """Notes, for each opening, whether the connection works: once each that it does not, and that it does."""
        fault = self._faults.get(session)
        proof = prove(self._signals[session], self._unproven[session], verdict, now, self._patience, fault)
        if proof is None or (not proof.proven and session in self._disproved):
            return
        self._turns.append(NewEvent(now, EventType.HEALTH_PROOF, session, proof.to_event()))
        if proof.proven:
            del self._unproven[session]
            self._faults.pop(session, None)
            self._disproved.discard(session)
        else:
            self._disproved.add(session)

    def turns(self) -> list[NewEvent]:
        """The changes of liveness, and the proofs, since the last call."""
        turns, self._turns = self._turns, []
        return turns

    def peers(self) -> dict[str, Peer]:
        """The open sessions as canaries see them, judged as of the last time."""
        return self.listening.peers(self._signals, self._verdicts)

    def seats(self) -> Iterator[Seat]:
        """Who has a place among those that write to each other."""
        return self.listening.seats(self._signals)

    def _quality(self, score: int | None, before: str | None) -> str | None:
        if score is None:
            return None
        known = Quality(before) if before in set(Quality) else None
        return str(quality(score, known, self._bands, self._margin))


def _seen(view: Mapping[str, Any], signals: Signals) -> Seen:
    status = Status(view["status"])
    quality = None if view["quality"] is None else Quality(view["quality"])
    healthy = status is Status.CONNECTED or signals.cause is None
    return Seen(status, quality, view["score"], None if healthy else str(signals.cause))
