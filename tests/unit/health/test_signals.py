"""What health knows: windows that forget, evidence that is never older than what was seen."""

from hypothesis import given
from hypothesis import strategies as st

from actors.health.signals import DAY, FIVE_MINUTES, HOUR, Signals, fold, rtt, window
from actors.session.causes import Cause
from actors.session.change import Change
from actors.session.inputs.connector import MessageCap
from actors.session.sample import Sample
from actors.session.vocabulary import State

T0 = 1_700_000_000.0


def sample(at: float, **given: object) -> Sample:
    return Sample(since=at - 10.0, at=at, state="open", **given)  # type: ignore[arg-type]  # any field of it


def change(at: float, state: State, previous: State, cause: Cause | None = None) -> Change:
    return Change(at, state, previous, cause)


def test_counts_leave_each_window_in_its_time() -> None:
    s = fold(Signals(), sample(T0, acks=3, nacks={463: 1}, undecryptable=2), T0)
    assert window(s, FIVE_MINUTES, T0).acks == 3
    assert window(s, FIVE_MINUTES, T0 + 361).acks == 0
    assert window(s, HOUR, T0 + 361).nacks == {463: 1}
    assert window(s, HOUR, T0 + HOUR + 61).undecryptable == 0
    assert window(s, DAY, T0 + HOUR + 61).undecryptable == 2
    assert window(s, DAY, T0 + DAY + HOUR + 1).undecryptable == 0


def test_what_one_account_may_do_says_nothing_of_the_next() -> None:
    s = fold(Signals(), sample(T0, new_chats=MessageCap(10, 10, capped=True)), T0)
    kept = fold(s, change(T0 + 1, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED), T0 + 1)
    assert kept.new_chats is not None
    assert fold(s, change(T0 + 1, State.PAIRING, State.OPEN, Cause.LOGGED_OUT), T0 + 1).new_chats is None


def test_a_disconnect_counts_once_whatever_is_done_about_it() -> None:
    s = Signals()
    story = [
        change(1, State.CONNECTING, State.STARTING),
        change(2, State.OPEN, State.CONNECTING),
        change(3, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED),
        change(4, State.CONNECTING, State.WAITING, Cause.CONNECTION_CLOSED),
        change(5, State.WAITING, State.CONNECTING, Cause.OPEN_DEADLINE),
        change(6, State.CONNECTING, State.WAITING, Cause.OPEN_DEADLINE),
        change(7, State.OPEN, State.CONNECTING),
        change(8, State.CONNECTING, State.OPEN, Cause.RESTART_REQUIRED),
        change(9, State.OPEN, State.CONNECTING),
        change(10, State.CLOSING, State.OPEN, Cause.RESTART_REQUIRED),
        change(11, State.STOPPED, State.CLOSING, Cause.OPERATOR_STOP),
        change(12, State.CONNECTING, State.STOPPED, Cause.OPERATOR_STOP),
        change(13, State.BLOCKED, State.CONNECTING, Cause.LOCKED),
        change(14, State.CONNECTING, State.BLOCKED, Cause.LOCKED),
    ]
    for news in story:
        s = fold(s, news, news.at)
    assert window(s, FIVE_MINUTES, 20.0).disconnects == {
        Cause.CONNECTION_CLOSED: 1,
        Cause.OPEN_DEADLINE: 1,
        Cause.LOCKED: 1,
    }
    assert s.last_failure == 13


def test_a_state_that_goes_on_after_a_restart_is_no_new_failure() -> None:
    resumed = Change(5.0, State.BLOCKED, State.STARTING, Cause.LOCKED, resumed=True)
    s = fold(Signals(), resumed, 5.0)
    assert s.state is State.BLOCKED
    assert window(s, DAY, 5.0).failures == 0


def test_down_since_counts_over_all_attempts() -> None:
    s = fold(Signals(), change(1, State.OPEN, State.CONNECTING), 1.0)
    assert s.down_since is None
    for at, state, before in ((5, State.WAITING, State.OPEN), (9, State.CONNECTING, State.WAITING)):
        s = fold(s, change(at, state, before, Cause.CONNECTION_LOST), float(at))
        assert s.down_since == 5


def test_opening_is_proof_in_both_directions_and_begins_new_round_trip_times() -> None:
    s = fold(Signals(), sample(T0, rtt_p50_ms=900.0, rtt_p95_ms=900.0, heartbeats=1), T0)
    s = fold(s, change(T0 + 1, State.OPEN, State.CONNECTING), T0 + 1)
    assert s.last_in == s.last_out == T0 + 1
    assert rtt(s, T0 + 1) is None


def test_a_sample_that_comes_twice_counts_once() -> None:
    s = fold(Signals(), sample(T0, acks=1), T0)
    assert fold(s, sample(T0, acks=1), T0 + 1) == s


def test_after_the_clock_was_set_back_samples_count_and_nothing_is_fresh_for_an_hour() -> None:
    s = fold(Signals(), sample(T0, acks=1, last_in=T0, heartbeats=1, rtt_p50_ms=9.0, rtt_p95_ms=9.0), T0)
    earlier = T0 - HOUR
    s = fold(s, Sample(since=T0, at=earlier, state="open", acks=1, last_in=earlier), earlier)
    assert (s.sampled_at, s.last_in, s.trips) == (earlier, earlier, ())
    s = fold(s, sample(earlier + 10, acks=1), earlier + 10)
    assert s.sampled_at == earlier + 10
    assert fold(s, sample(earlier, acks=1), earlier + 11) is s  # that one is only late


def test_round_trip_times_are_those_of_the_last_five_minutes() -> None:
    s = Signals()
    for n in range(40):
        at = T0 + 10 * n
        s = fold(s, sample(at, heartbeats=1, rtt_p50_ms=float(n), rtt_p95_ms=float(n)), at)
    assert rtt(s, T0 + 390) == (39.0, 24.0, 38.0)
    assert len(s.trips) <= 31
    assert rtt(s, T0 + 390 + FIVE_MINUTES) is None


steps = st.lists(
    st.tuples(
        st.floats(0.1, 4000),
        st.integers(0, 5),
        st.integers(0, 5),
        st.sampled_from([None, Cause.CONNECTION_CLOSED, Cause.BAD_SESSION]),
    ),
    max_size=60,
)


@given(steps)
def test_windows_see_what_is_in_them_and_stay_small(story: list[tuple[float, int, int, Cause | None]]) -> None:
    s, now, acks, failures = Signals(), T0, [], []
    for gap, good, bad, cause in story:
        now += gap
        s = fold(s, sample(now, acks=good, undecryptable=bad), now)
        acks.append((now, good))
        if cause:
            s = fold(s, change(now, State.WAITING, State.OPEN, cause), now)
            failures.append(now)
    assert len(s.minutes) <= 61
    assert len(s.hours) <= 25
    for seconds, grain in ((FIVE_MINUTES, 60.0), (HOUR, 60.0), (DAY, 3600.0)):
        found = window(s, seconds, now)
        assert sum(n for at, n in acks if at > now - seconds) <= found.acks
        assert found.acks <= sum(n for at, n in acks if at >= now - seconds - grain)
        assert sum(at > now - seconds for at in failures) <= found.failures
    assert window(s, FIVE_MINUTES, now).acks <= window(s, HOUR, now).acks <= window(s, DAY, now).acks
