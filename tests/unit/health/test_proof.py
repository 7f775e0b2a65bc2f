"""Whether a connection that opened works: by what proves it, or by nothing that speaks against it in a long time."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.health.liveness import judge
from actors.health.proof import LONG_PATIENCE_S, Needed, Patience, Proof, prove
from actors.health.signals import Signals, fold
from actors.session.causes import Cause
from actors.session.change import Change
from actors.session.sample import Sample
from actors.session.vocabulary import State

T0 = 1_795_000_000.0
PATIENCE = Patience()


def reopened(cause: Cause | None = Cause.CONNECTION_CLOSED) -> Signals:
    """Open since T0, after a trouble of that cause."""
    signals = sampled(fold(Signals(), Change(T0 - 900, State.OPEN, State.CONNECTING), T0), T0 - 100, heartbeats=1)
    signals = fold(signals, Change(T0 - 2, State.CONNECTING, State.CLOSING, cause), T0)
    return fold(signals, Change(T0, State.OPEN, State.CONNECTING), T0)


def sampled(signals: Signals, at: float, heartbeats: int = 0, missed: int = 0, **times: float) -> Signals:
    sample = Sample(
        since=at - 10,
        at=at,
        state="open",
        heartbeats=heartbeats,
        heartbeats_missed=missed,
        missed_in_a_row=missed,
        **times,  # type: ignore[arg-type]
    )
    return fold(signals, sample, at)


def found(signals: Signals, now: float, fault: str | None = None) -> Proof | None:
    return prove(signals, T0, judge(signals, now), now, PATIENCE, fault)


def test_an_opening_alone_proves_nothing() -> None:
    assert found(reopened(), T0 + 60) is None
    assert found(sampled(reopened(), T0 + 60, last_in=T0, last_out=T0), T0 + 60) is None


def test_a_heartbeat_of_the_new_connection_proves_it() -> None:
    assert found(sampled(reopened(), T0 + 12, 1, last_heartbeat=T0 - 5), T0 + 12) is None
    proof = found(sampled(reopened(), T0 + 12, 1, last_heartbeat=T0 + 10, last_in=T0 + 10, last_out=T0 + 10), T0 + 12)
    assert proof == Proof(T0, True, Needed.HEARTBEAT, T0 + 10, T0 + 10)
    assert proof.to_event()["openedAt"] == T0
    acknowledged = found(sampled(reopened(), T0 + 5, last_ack=T0 + 3), T0 + 5)
    assert acknowledged is not None
    assert acknowledged.proven


def test_what_had_been_wrong_has_to_work_again() -> None:
    beats = sampled(reopened(Cause.DEAF), T0 + 12, 1, last_heartbeat=T0 + 10, last_delivery=T0 + 1)
    assert found(beats, T0 + 100) is None, "what a login brings by itself is no proof"
    heard = found(sampled(beats, T0 + 50, 1, last_heartbeat=T0 + 50, last_delivery=T0 + 40), T0 + 50)
    assert heard is not None
    assert (heard.proven, heard.needed) == (True, Needed.DELIVERY)

    # it moved to another process in between, which proves nothing about its ears
    moved = sampled(reopened(Cause.CONNECTOR_RECYCLED), T0 + 12, 1, last_heartbeat=T0 + 10, last_delivery=T0 + 1)
    assert found(moved, T0 + 12) is not None
    assert found(moved, T0 + 12, "deaf") is None
    stuck = sampled(reopened(Cause.OUTBOUND_STUCK), T0 + 12, 1, last_heartbeat=T0 + 10, last_delivery=T0 + 10)
    assert found(stuck, T0 + 100) is None
    acknowledged = found(sampled(stuck, T0 + 20, last_ack=T0 + 15), T0 + 20)
    assert acknowledged is not None
    assert (acknowledged.proven, acknowledged.needed) == (True, Needed.ACKNOWLEDGEMENT)


def test_who_has_nothing_to_hear_is_well_when_nothing_speaks_against_it() -> None:
    for cause in (Cause.DEAF, Cause.OUTBOUND_STUCK):
        now = T0 + LONG_PATIENCE_S + 1
        quiet = sampled(reopened(cause), now - 1, 1, last_heartbeat=now - 1, last_in=now - 1, last_out=now - 1)
        assert found(quiet, now - 2) is None
        proof = found(quiet, now)
        assert proof is not None
        assert proof.proven
        fault = sampled(reopened(cause), now - 1, missed=2, last_heartbeat=T0 + 1)
        bad = found(fault, now)
        assert bad is not None
        assert not bad.proven


def test_missing_heartbeats_are_told_and_only_of_who_has_any() -> None:
    now = T0 + PATIENCE.heartbeat_s + 1
    silent = found(sampled(reopened(), now - 1, last_in=T0 + 50, last_out=T0), now)
    assert silent is not None
    assert not silent.proven
    without = fold(Signals(), Change(T0, State.OPEN, State.CONNECTING), T0)
    proof = found(sampled(without, now - 1), now)
    assert proof is not None
    assert proof.proven
    # an actor that does not report says nothing about the connection
    assert found(sampled(reopened(), T0 + 5, last_in=T0), now) is None
    assert found(reopened(), now + 1e6) is None


@given(
    st.sampled_from([None, Cause.DEAF, Cause.OUTBOUND_STUCK, Cause.CONNECTION_LOST]),
    st.floats(0, 1000),
    st.lists(st.floats(-50, 1000), min_size=3, max_size=3),
)
def test_more_evidence_never_takes_a_proof_away(cause: Cause | None, after: float, ages: list[float]) -> None:
    now = T0 + after
    beat, delivered, ack = (min(now, T0 + age) for age in ages)
    signals = sampled(
        reopened(cause), now, 1, last_heartbeat=beat, last_delivery=delivered, last_ack=ack, last_in=now, last_out=now
    )
    proof = found(signals, now)
    more = found(replace(signals, last_heartbeat=now, last_delivery=now, last_ack=now), now)
    if proof is not None and proof.proven:
        assert more is not None
        assert more.proven


def test_patience_follows_the_heartbeats() -> None:
    assert Patience.after(10.0, 10.0) == Patience(90.0, 40.0)
    assert Patience.after(120.0, 60.0) == Patience(420.0, 190.0)


def test_of_a_closed_session_there_is_nothing_to_prove() -> None:
    closed = fold(reopened(), Change(T0 + 5, State.WAITING, State.OPEN, Cause.CONNECTION_LOST), T0 + 5)
    assert found(closed, T0 + 500) is None
