"""The health book: what it tells, once, and what it forgets."""

from collections.abc import Mapping
from typing import Any

from actors.connectors.rating import Rating
from actors.events import EventType
from actors.health.book import Book
from actors.health.quality import bands
from actors.health.score import Ageing
from actors.health.view import Scoring
from actors.health.weights import Weights
from actors.session.inputs.connector import PlatformQuality
from actors.session.sample import Sample
from actors.store.records import OutboxEvent, SessionState

T0 = 1_700_000_000.0


def book() -> Book:
    return Book(Scoring(Weights(40.0, 15.0, 20.0, 15.0, 10.0), Ageing.after(60.0)), bands(80, 60, 30), 3)


def event(seq: int, session: str, state: str, previous: str, **data: Any) -> OutboxEvent:
    return OutboxEvent(seq, T0 + seq, "session.state", session, {"state": state, "previous": previous, **data})


def opened(session: str = "a") -> Book:
    known = book()
    known.event(event(1, session, "connecting", "starting"), T0 + 1)
    known.event(event(2, session, "open", "connecting"), T0 + 2)
    return known


def sample(at: float, **given: Any) -> Sample:
    return Sample(since=at - 10, at=at, state="open", **given)


def material(views: Mapping[str, Mapping[str, Any]]) -> dict[str, bool]:
    return {session: view["material"] for session, view in views.items()}


def test_news_is_told_once() -> None:
    known = opened()
    first = known.changed(T0 + 2, everybody=False)
    assert material(first) == {"a": True}
    assert first["a"]["status"] == "connected"
    assert known.changed(T0 + 2, everybody=False) == {}
    assert known.changed(T0 + 2, everybody=True) == {}


def test_a_sample_is_counted_once() -> None:
    known = opened()
    taken = sample(T0 + 10, acks=3, nacks={463: 1}, heartbeats=2)
    for _ in range(3):
        known.report(0, {"a": [taken]}, (), T0 + 10)
    counts = known.changed(T0 + 10, everybody=False)["a"]["counts"]
    assert (counts["sent"], counts["acknowledged"], counts["failed"]) == (4, 3, 1)


def test_totals_go_on_after_a_restart() -> None:
    known = opened()
    known.report(0, {"a": [sample(T0 + 10, acks=3)]}, (), T0 + 10)
    stored = known.changed(T0 + 10, everybody=True)
    again = book()
    again.restore(stored)
    again.states({"a": SessionState("a", 1, 2, "open", T0 + 2, data={"previous": "connecting"})}, T0 + 20)
    again.report(0, {"a": [sample(T0 + 20, acks=2)]}, (), T0 + 20)
    assert again.changed(T0 + 20, everybody=False)["a"]["counts"]["acknowledged"] == 5


def test_a_fresh_actor_takes_nobody_for_dead_of_whom_it_has_not_heard() -> None:
    known = opened()
    known.report(0, {"a": [sample(T0 + 10, heartbeats=1, last_in=T0 + 10, last_out=T0 + 10)]}, (), T0 + 10)
    stored = known.changed(T0 + 10, everybody=True)
    later = T0 + 7200
    again = book()
    again.restore(stored)
    again.states({"a": SessionState("a", 1, 2, "open", T0 + 2, data={"previous": "connecting"})}, later)
    assert again.changed(later, everybody=True) == {}
    assert again.turns() == []
    again.report(0, {"a": [sample(later + 9, heartbeats=1, last_in=later, last_out=later)]}, (), later + 10)
    assert again.changed(later + 10, everybody=False)["a"]["status"] == "connected"

    silent = book()
    silent.restore(stored)
    silent.states({"a": SessionState("a", 1, 2, "open", T0 + 2, data={"previous": "connecting"})}, later)
    assert silent.changed(later, everybody=True) == {}
    assert silent.changed(later + 46, everybody=True)["a"]["status"] == "error"


def test_old_evidence_lowers_the_score_without_news() -> None:
    known = opened()
    before = known.changed(T0 + 2, everybody=True)["a"]["score"]
    after = known.changed(T0 + 3600, everybody=True)["a"]["score"]
    assert after < before


def test_the_rating_of_a_number_is_shown_and_counts_as_long_as_its_connector_tells_it() -> None:
    known = opened()
    known.report(0, {"a": [sample(T0 + 10, platform=PlatformQuality(Rating.LOW, T0 + 9))]}, (), T0 + 10)
    rated = known.changed(T0 + 10, everybody=False)["a"]
    assert rated["platformQuality"] == {"rating": "low", "at": T0 + 9}
    assert (rated["components"]["platform"]["points"], rated["components"]["platform"]["evidenceAgeSeconds"]) == (0, 1)
    known.report(0, {"a": [sample(T0 + 20)]}, (), T0 + 20)  # on another connector
    moved = known.changed(T0 + 20, everybody=False)["a"]
    assert moved["platformQuality"] is None
    assert "platform" not in moved["components"]
    assert moved["score"] > rated["score"]


def test_parked_sessions_are_in_error_until_they_are_not() -> None:
    known = opened()
    known.changed(T0 + 2, everybody=True)
    known.report(0, {}, ("a",), T0 + 3)
    parked = known.changed(T0 + 3, everybody=False)["a"]
    assert (parked["status"], parked["score"], parked["parked"]) == ("error", 0, True)
    known.report(1, {}, (), T0 + 4)  # another shard says nothing about it
    assert known.changed(T0 + 4, everybody=False) == {}
    known.report(0, {}, (), T0 + 5)
    assert known.changed(T0 + 5, everybody=False)["a"]["status"] == "connected"


def test_a_removed_session_is_forgotten_for_good() -> None:
    known = opened()
    known.changed(T0 + 2, everybody=True)
    known.event(OutboxEvent(3, T0 + 3, "session.removed", "a", {}), T0 + 3)
    known.report(0, {"a": [sample(T0 + 10, acks=1)]}, (), T0 + 10)  # its last sample comes late
    assert known.changed(T0 + 10, everybody=True) == {}
    assert known.sessions() == set()


def test_a_session_that_is_kept_comes_back_with_its_rhythm() -> None:
    for kept in (True, False):
        known = opened()
        since = known.listening.rhythm_since("a")
        known.event(OutboxEvent(3, T0 + 3, "session.removed", "a", {"kept": kept}), T0 + 3)
        assert known.sessions() == set()
        assert known.expected() == ({"a"} if kept else set())
        known.event(event(900, "a", "open", "connecting"), T0 + 900)
        assert (known.listening.rhythm_since("a") == since) is kept


def test_time_in_which_nobody_looked_is_not_connected_when_its_end_is_told_first() -> None:
    known = opened()
    known.changed(T0 + 2, everybody=True)
    later = T0 + 2 + 1800
    lost = {"state": "waiting", "previous": "open", "cause": "connection_lost"}
    known.event(OutboxEvent(3, later, "session.state", "a", lost), later)
    known.changed(later, everybody=False)
    minutes = known.history.close(int(later // 60) + 1, later + 60)
    watched = sum(entry.ms for found in minutes.values() for entry in found.get("a", []))
    assert watched < 120_000


def test_a_restart_heals_nobody_who_is_deaf() -> None:
    deaf = {
        "liveness": "deaf",
        "lastLiveness": "deaf",
        "livenessDetail": {"since": T0 + 2, "unusual": False, "evidence": {"canariesMissed": 4}},
    }
    for opened_at, found in ((T0 + 2, "deaf"), (T0 + 1000, "alive")):
        known = book()
        known.restore({"a": deaf})
        state = SessionState("a", 1, 2, "open", opened_at, data={"previous": "connecting"})
        known.states({"a": state}, T0 + 1001)
        beat = sample(T0 + 1010, heartbeats=1, last_in=T0 + 1010, last_out=T0 + 1010)
        known.report(0, {"a": [beat]}, (), T0 + 1010)
        assert known.changed(T0 + 1010, everybody=True)["a"]["liveness"] == found
        assert bool([turn for turn in known.turns() if turn.type is EventType.HEALTH_LIVENESS]) is (found == "alive")


def test_a_stored_view_of_nobody_is_a_stranger() -> None:
    known = opened()
    known.restore({"b": {"score": 5, "counts": {}}})
    assert known.strangers() == {"b"}
    known.forget("b")
    assert known.strangers() == set()


def test_a_change_of_liveness_is_an_event_of_its_own() -> None:
    known = opened()
    known.changed(T0 + 2, everybody=False)
    (first,) = known.turns()
    assert (first.type, first.session, first.data["liveness"], first.data["previous"]) == (
        EventType.HEALTH_LIVENESS,
        "a",
        "alive",
        None,
    )
    stuck = sample(T0 + 50, last_in=T0 + 50, last_out=T0 + 50, unanswered_since=T0 + 10)
    known.report(0, {"a": [stuck]}, (), T0 + 51)
    seen = known.changed(T0 + 51, everybody=False)["a"]
    assert (seen["liveness"], seen["status"]) == ("outbound_stuck", "error")
    assert seen["livenessDetail"]["since"] == T0 + 10
    (turn,) = known.turns()
    assert (turn.data["liveness"], turn.data["previous"], turn.data["since"]) == (
        "outbound_stuck",
        "alive",
        T0 + 10,
    )
    assert turn.data["evidence"]["unacknowledgedSeconds"] == 41.0
    known.changed(T0 + 52, everybody=True)
    assert known.turns() == []


def test_what_is_closed_has_no_liveness_and_keeps_its_last_over_restarts() -> None:
    known = opened()
    known.report(0, {"a": [sample(T0 + 50, last_in=T0 + 50, unanswered_since=T0 + 10)]}, (), T0 + 51)
    known.changed(T0 + 51, everybody=False)
    known.event(event(60, "a", "waiting", "open", cause="outbound_stuck"), T0 + 60)
    closed = known.changed(T0 + 60, everybody=False)
    assert (closed["a"]["liveness"], closed["a"]["lastLiveness"]) == (None, "outbound_stuck")
    again = book()
    again.restore(closed)
    again.event(event(70, "a", "open", "connecting"), T0 + 70)
    again.changed(T0 + 70, everybody=False)
    (turn,) = again.turns()
    assert (turn.data["liveness"], turn.data["previous"]) == ("alive", "outbound_stuck")


def test_proof_that_comes_late_is_told_after_that_there_was_none() -> None:
    known = opened()
    told: list[bool] = []
    for at, beat in ((50, None), (100, None), (130, None), (160, T0 + 155), (190, T0 + 185)):
        known.report(0, {"a": [sample(T0 + at, heartbeats=1, last_heartbeat=beat)]}, (), T0 + at)
        known.changed(T0 + at, everybody=True)
        told += [turn.data["proven"] for turn in known.turns() if turn.type is EventType.HEALTH_PROOF]
    assert told == [False, True]
