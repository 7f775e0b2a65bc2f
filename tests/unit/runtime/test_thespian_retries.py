import random
from datetime import timedelta

from hypothesis import given
from hypothesis import strategies as st
from thespian.system.transport import TransmitIntent

from actors.runtime import thespian_retries
from actors.runtime.thespian_retries import ATTEMPTS, FIRST, LONGEST, SLOT_PATIENCE

PLAIN = {name: getattr(TransmitIntent, name) for name in ("retry", "awaitingTXSlot", "timeToRetry")}


def intent(**options: object) -> TransmitIntent:
    return TransmitIntent("somebody", "something", **options)


def teardown_function() -> None:
    for name, method in PLAIN.items():
        setattr(TransmitIntent, name, method)


def setup_function() -> None:
    thespian_retries.install()


@given(st.integers(1, ATTEMPTS), st.integers())
def test_the_next_attempt_comes_within_a_second(attempt: int, seed: int) -> None:
    assert FIRST / 2 <= thespian_retries.retry_delay(attempt, random.Random(seed)) <= LONGEST


def test_two_ends_do_not_meet_again() -> None:
    assert len({thespian_retries.retry_delay(3, random.Random(seed)) for seed in range(10)}) == 10


def test_attempts_end() -> None:
    sent = intent()
    assert [sent.retry() for _ in range(ATTEMPTS + 1)] == [True] * ATTEMPTS + [False]
    assert not intent(maxPeriod=timedelta(seconds=-1)).retry()


def test_an_attempt_at_once_is_due_and_one_with_a_delay_is_not() -> None:
    sent = intent()
    sent.retry()
    assert not sent.timeToRetry()
    assert not sent.timeToRetry(socketAvail=True)
    sent.retry(immediately=True)
    assert sent.timeToRetry()
    assert not sent.timeToRetry()


def test_who_waits_for_a_connection_looks_again_soon_or_takes_a_free_one() -> None:
    sent = intent()
    sent.awaitingTXSlot()
    assert sent._retryTime.view().remainingSeconds() <= SLOT_PATIENCE
    assert not sent.timeToRetry()
    assert sent.timeToRetry(socketAvail=True)
    assert not sent.timeToRetry()
