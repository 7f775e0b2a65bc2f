"""The sample that travels with the heartbeat."""

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.session.inputs import connector
from actors.session.inputs.event import Event
from actors.session.sample import Folder, Sample, percentile
from actors.session.state import SessionState
from actors.session.vocabulary import State

OPEN = SessionState(state=State.OPEN, opened_at=5.0)


def folded(*events: Event, at: float = 10.0) -> Sample:
    folder = Folder(at)
    for event in events:
        folder.fold(event, at)
    return folder.take(OPEN, at + 10.0)


def test_a_sample_counts_what_happened() -> None:
    sample = folded(
        connector.Opened("me"),
        *(connector.Rtt(float(ms)) for ms in range(1, 21)),
        connector.HeartbeatMissed(),
        connector.Ack("a", None, 30.0),
        connector.Ack("b", 463, 5.0),
        connector.Ack("c", 463, 5.0),
        connector.Receipt("a", "read"),
        connector.Received("x"),
        connector.Undecryptable("y"),
        connector.Closed(428, "network"),
    )
    assert (sample.since, sample.at, sample.state) == (10.0, 20.0, "open")
    assert (sample.heartbeats, sample.heartbeats_missed) == (20, 1)
    assert (sample.rtt_p50_ms, sample.rtt_p95_ms, sample.rtt_last_ms) == (10.0, 19.0, None)
    assert (sample.acks, sample.nacks, sample.ack_p95_ms) == (1, {463: 2}, 30.0)
    assert (sample.receipts, sample.received, sample.undecryptable, sample.disconnects) == (1, 1, 1, 1)
    assert sample.last_in == sample.last_out == sample.last_ack == sample.last_received == 10.0


def test_the_next_sample_counts_anew_but_remembers_when() -> None:
    folder = Folder(0.0)
    folder.fold(connector.Rtt(7.0), 1.0)
    folder.fold(connector.HeartbeatMissed(), 2.0)
    folder.take(OPEN, 10.0)
    folder.fold(connector.HeartbeatMissed(), 11.0)
    sample = folder.take(OPEN, 20.0)
    assert (sample.since, sample.heartbeats, sample.heartbeats_missed) == (10.0, 0, 1)
    assert (sample.rtt_last_ms, sample.rtt_p50_ms) == (7.0, None)
    assert sample.missed_in_a_row == 2
    assert sample.last_in == 1.0


def test_an_undecryptable_message_proves_that_the_server_speaks_and_no_more() -> None:
    sample = folded(connector.Undecryptable("m"))
    assert sample.last_in is not None
    assert sample.last_out is None
    assert sample.last_received is None


@pytest.mark.parametrize("reason", ["closed_by_us", "intentional_logout", "pairing_expired", "fenced"])
def test_what_we_wanted_is_no_disconnect(reason: str) -> None:
    assert folded(connector.Closed(0, reason)).disconnects == 0


def test_only_the_delivery_path_proves_that_a_session_hears() -> None:
    assert folded(connector.Opened("me"), connector.Rtt(5.0), connector.Ack("a", None, 5.0)).last_delivery is None
    for event in (
        connector.Received("x"),
        connector.Receipt("a", "read"),
        connector.Undecryptable("y"),
        connector.Heard(),
    ):
        sample = folded(event)
        assert (sample.last_delivery, sample.last_heartbeat) == (10.0, None)
    assert folded(connector.Rtt(5.0)).last_heartbeat == 10.0


def test_the_oldest_unanswered_message_is_known_until_it_or_a_later_one_is_answered() -> None:
    folder = Folder(0.0)
    for at, message in ((1.0, "a"), (2.0, "b"), (3.0, "c"), (9.0, "a")):  # "a" is handed over again
        folder.fold(connector.Sent(message), at)
    assert folder.take(OPEN, 10.0).unanswered_since == 1.0
    folder.fold(connector.Ack("b", None, 5.0), 11.0)
    assert folder.take(OPEN, 12.0).unanswered_since == 3.0
    folder.fold(connector.Ack("unknown", None, 5.0), 13.0)
    folder.fold(connector.Ack("c", 463, 5.0), 13.0)  # a refusal is an answer
    assert folder.take(OPEN, 14.0).unanswered_since is None


def test_with_the_connection_ends_the_wait_for_answers() -> None:
    assert folded(connector.Sent("a"), connector.Closed(428, "network")).unanswered_since is None


@given(st.integers(0, 4000))
def test_what_awaits_an_answer_is_bounded(messages: int) -> None:
    assert folded(*(connector.Sent(str(n)) for n in range(messages))).unanswered_since == (10.0 if messages else None)


@given(st.integers(0, 4000))
def test_a_sample_stays_small(messages: int) -> None:
    sample = folded(*(connector.Ack(str(n), n % 5 or None, float(n)) for n in range(messages)))
    assert sample.acks + sum(sample.nacks.values()) == messages
    assert len(pickle.dumps(sample)) < 1200
    assert pickle.loads(pickle.dumps(sample)) == sample  # noqa: S301  what we pickled ourselves


@given(st.lists(st.floats(0, 1e6), min_size=1), st.floats(0, 1))
def test_a_percentile_occurred_and_has_its_share_at_or_below(values: list[float], share: float) -> None:
    found = percentile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values)
    assert sum(v < found for v in values) <= share * len(values)


def test_nothing_has_no_percentile() -> None:
    assert percentile([], 0.5) is None
