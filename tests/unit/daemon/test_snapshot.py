"""What main shows of sessions: the latest of state and health, nothing of sessions that are no more."""

import time
from typing import Any

import pytest

from actors.health.liveness import UNPROVEN_AFTER_S
from actors.store.records import OutboxEvent, SessionState
from daemon.snapshot import GROWS_OLD, Snapshot

PHONE = "15550100189"


def event(type: str, session: str, **data: Any) -> OutboxEvent:
    return OutboxEvent(1, 1000.0, type, session, data)


def snapshot(*known: str) -> Snapshot:
    return Snapshot(lambda session: session in known)


def test_states_and_views_are_shown_together() -> None:
    shown = snapshot("a")
    shown.load({"a": SessionState("a", 1, 1, "open", 500.0, data={"me": f"{PHONE}@s.whatsapp.net", "generation": 3})})
    shown.health({"a": {"score": 90, "quality": "excellent", "checkedAt": 600.0, "lastSeen": 600.0}})
    live = shown.live("a")
    assert (live.state, live.score, live.generation, live.last_seen) == ("open", 90, 3, 600.0)
    assert live.me == "1555•••89@s.whatsapp.net"


def test_a_cause_comes_with_its_remedy_and_without_numbers() -> None:
    shown = snapshot("a")
    told = {
        "state": "blocked",
        "cause": "banned",
        "code": 406,
        "message": f"{PHONE} is banned",
        "detail": {"jid": PHONE},
    }
    shown.apply(event("session.state", "a", **told))
    live = shown.live("a")
    assert (live.state, live.code, live.status) == ("blocked", 406, "blocked")
    assert live.remedy
    assert PHONE not in f"{live}"


def test_a_session_that_waits_shows_its_next_attempt_when_it_has_told() -> None:
    shown = snapshot("a")
    shown.apply(event("session.state", "a", state="waiting", cause="connection_lost", nextAttemptAt=None))
    assert "nextAttemptAt" not in shown.live("a").detail
    shown.health({"a": {"checkedAt": 1004.0, "nextAttemptAt": 990.0}})  # of an earlier wait
    assert "nextAttemptAt" not in shown.live("a").detail
    shown.health({"a": {"checkedAt": 1005.0, "nextAttemptAt": 1016.0}})
    assert shown.live("a").detail["nextAttemptAt"] == 1016.0
    shown.apply(event("session.state", "a", state="connecting", cause="connection_lost"))
    assert "nextAttemptAt" not in shown.live("a").detail


def test_a_parked_session_is_an_error_whatever_it_was() -> None:
    shown = snapshot("a")
    shown.apply(event("session.state", "a", state="open"))
    shown.health({"a": {"parked": True, "checkedAt": 1.0}})
    assert (shown.live("a").state, shown.live("a").cause) == ("parked", "crash_loop")


def test_what_is_read_again_is_never_older_than_what_was_pushed() -> None:
    shown = snapshot("a")
    shown.health({"a": {"score": 50, "checkedAt": 20.0}})
    shown.health({"a": {"score": 90, "checkedAt": 10.0}}, stored=True)
    assert shown.live("a").score == 50
    shown.health({"a": {"score": 60, "checkedAt": 5.0}})  # a clock that was set back
    assert shown.live("a").score == 60


def test_nothing_is_kept_of_sessions_that_are_no_more() -> None:
    known = {"a"}
    shown = Snapshot(known.__contains__)
    shown.apply(event("session.state", "a", state="open"))
    known.clear()
    shown.forget("a")
    shown.apply(event("session.state", "a", state="stopped"))
    shown.health({"a": {"score": 1, "checkedAt": 1.0}})
    shown.load({"a": SessionState("a", 1, 1, "stopped", 1.0)})
    assert (shown._states, shown._views) == ({}, {})
    known.add("a")  # made again: as new
    assert (shown.live("a").state, shown.live("a").score) == ("starting", None)


def test_the_end_of_an_earlier_session_of_that_id_clears_it() -> None:
    shown = snapshot("a")
    shown.apply(event("session.state", "a", state="blocked", cause="banned"))
    shown.apply(event("session.removed", "a"))
    assert shown.live("a").state == "starting"


def test_a_connection_of_before_the_start_is_not_shown_as_one() -> None:
    shown = Snapshot(lambda _session: True, began=1000.0)
    shown.load({id: SessionState(id, 1, 1, id, 999.0) for id in ("open", "waiting", "blocked", "stopped", "pairing")})
    shown.load({"again": SessionState("again", 1, 1, "open", 1001.0)})
    states = {id: shown.live(id).state for id in ("open", "waiting", "blocked", "stopped", "pairing", "again")}
    assert states == {
        "open": "starting",
        "waiting": "starting",
        "blocked": "blocked",
        "stopped": "stopped",
        "pairing": "pairing",
        "again": "open",
    }


def test_nothing_new_is_the_same_object_and_news_another_one(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    monkeypatch.setattr(time, "time", lambda: now)
    shown = snapshot("a")
    shown.apply(event("session.state", "a", state="open"))
    first = shown.live("a")
    now += 2 * GROWS_OLD
    assert shown.live("a") is first
    now += UNPROVEN_AFTER_S
    assert (first.status, shown.live("a").status) == ("connected", "error")
    shown.health({"a": {"score": 50, "checkedAt": now}})
    assert shown.live("a").score == 50


def test_a_verdict_holds_for_the_connection_that_it_is_about() -> None:
    shown = snapshot("a")
    shown.load({"a": SessionState("a", 1, 1, "open", 500.0, data={})})
    detail = {"since": 550.0, "unusual": True, "evidence": {"canariesMissed": 3}}
    shown.health({"a": {"liveness": "deaf", "livenessDetail": detail, "checkedAt": 600.0, "lastSeen": 600.0}})
    live = shown.live("a")
    assert (live.status, live.liveness, live.liveness_detail) == ("error", "deaf", detail)
    shown.apply(OutboxEvent(2, 601.0, "session.state", "a", {"state": "open", "previous": "connecting"}))
    assert (shown.live("a").liveness, shown.live("a").liveness_detail) == (None, {})
