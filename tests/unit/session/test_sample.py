"""The sample that travels with the heartbeat."""

import pickle
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors import protocol
from actors.connectors.link_events import Quality
from actors.connectors.protocol import Hello, Phase
from actors.connectors.rating import QUALITY, Rated, Rating
from actors.session.inputs import connector, host
from actors.session.inputs.event import Event
from actors.session.sample import Folder, Sample, percentile
from actors.session.state import SessionState
from actors.session.translate import link_up, translate
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


def link(*, rates: bool, rated: connector.PlatformQuality | None = None, adopted: bool = True) -> host.LinkUp:
    return host.LinkUp(adopted, "open" if adopted else "idle", True, rates=rates, rated=rated)


LOW, HIGH = connector.PlatformQuality(Rating.LOW, 3.0), connector.PlatformQuality(Rating.HIGH, 5.0)


def test_a_rating_stands_until_it_is_told_anew_or_the_account_may_be_another() -> None:
    up = link(rates=True)
    assert folded(up).platform is None
    assert folded(up, LOW).platform == LOW
    assert folded(up, LOW, HIGH).platform == HIGH
    lost = (connector.Closed(428, "network"), host.LinkDown(), link(rates=True, adopted=False))
    assert folded(up, LOW, *lost).platform == LOW
    assert folded(up, LOW, connector.Paired("other")).platform is None


def test_a_fresh_session_actor_knows_the_rating_from_the_connectors_state() -> None:
    assert folded(link(rates=True, rated=LOW)).platform == LOW
    assert folded(link(rates=True), LOW, link(rates=True, rated=HIGH)).platform == HIGH


def test_who_does_not_say_that_it_tells_ratings_tells_none() -> None:
    assert folded(link(rates=False), LOW).platform is None
    assert folded(link(rates=False, rated=LOW)).platform is None
    assert folded(link(rates=True), LOW, link(rates=False)).platform is None  # it moved to another connector


@pytest.mark.parametrize(("told", "at"), [(1e9, 10.0), (1e16, 10.0), (-1e16, 0.0), (3.0, 3.0)])
def test_no_rating_is_of_a_time_that_nobody_can_show(told: float, at: float) -> None:
    rated = connector.PlatformQuality(Rating.HIGH, told)
    assert folded(link(rates=True), rated).platform == connector.PlatformQuality(Rating.HIGH, at)
    assert folded(link(rates=True, rated=rated)).platform == connector.PlatformQuality(Rating.HIGH, at)


def test_a_rating_is_the_same_in_the_hello_and_as_an_event() -> None:
    state = protocol.State(Phase.OPEN, paired=True, quality=Rated(Rating.LOW, 3000))
    hello = Hello("external", "1", 1, ("text", QUALITY), adopted=True, state=state)
    found = link_up(hello)
    assert (found.rates, found.rated) == (True, LOW)
    assert translate(Quality(session="a", at=3000, rating=Rating.LOW)) == LOW
    assert not link_up(replace(hello, capabilities=("text",))).rates


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
