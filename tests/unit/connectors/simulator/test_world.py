from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.fields import Fields
from actors.connectors.rating import Rating
from actors.connectors.simulator.faults import Fault, Mode, read_fault
from actors.connectors.simulator.profile import Profile
from actors.connectors.simulator.world import Life, chance, latency, phone_of, token_of

seconds = st.floats(0, 1e6)


def fault(name: str, **parameters: object) -> Fault:
    return read_fault(Fields({"fault": name, **parameters}))


@given(st.integers(), st.text(max_size=20), st.integers(0, 10**6))
def test_chance_is_even_and_the_same_each_time(seed: int, session: str, number: int) -> None:
    first = chance(seed, session, "x", number)
    assert 0 <= first < 1
    assert first == chance(seed, session, "x", number)
    assert first != chance(seed, session, "y", number)


def test_chance_is_spread_evenly() -> None:
    draws = sorted(chance(1, "s", "x", number) for number in range(2000))
    assert all(abs(draw - position / 2000) < 0.05 for position, draw in enumerate(draws))


def test_phones_and_tokens_are_the_sessions_own() -> None:
    phones = {phone_of(1, f"s{number}") for number in range(1000)}
    assert len(phones) == 1000
    assert all(len(phone) == 15 and phone.startswith("999") for phone in phones)
    assert token_of(1, "a", 1) != token_of(1, "a", 2)
    assert token_of(1, "a", 1) != token_of(2, "a", 1)


@given(st.floats(0, 1e4), st.floats(0, 1e4), st.floats(0, 1, exclude_max=True), st.floats(0, 1e4))
def test_latency_stays_within_its_jitter(mean: float, jitter: float, share: float, added: float) -> None:
    profile = Profile(latency_ms=mean, jitter_ms=jitter)
    usual = latency(profile, Life(), 0, share) * 1000
    assert max(0, mean - jitter) - 1e-6 <= usual <= mean + jitter + 1e-6
    slow = latency(profile, Life().suffer(fault("slow", added_ms=added), 0), 0, share) * 1000
    assert slow >= usual - 1e-6
    assert slow <= mean + jitter + added + 1e-6


@given(seconds, st.floats(0.001, 1e6), seconds)
def test_refusal_lasts_as_long_as_it_says(now: float, lasting: float, later: float) -> None:
    life = Life().suffer(fault("unavailable", for_s=lasting), now)
    refused = life.answer_login(now + later) is not None
    assert refused == (now + later < now + lasting)


@given(seconds, seconds)
def test_ban_for_good_stays_until_cleared(now: float, later: float) -> None:
    life = Life().suffer(fault("banned"), now)
    close = life.answer_login(now + later)
    assert close is not None
    assert close.code == 406
    assert life.paired_anew().answer_login(now + later) == close
    assert life.answer_login(now, pairing=True) == close


@given(st.floats(0, 86_000))
def test_temporary_ban_tells_its_rest(later: float) -> None:
    close = Life().suffer(fault("temporary_ban", expire_s=86_400), 0).answer_login(later)
    assert close is not None
    assert abs(int(close.data["expire"]) - (86_400 - later)) <= 1
    assert close.data["code"] == "101"


def test_removed_device_is_refused_but_a_new_one_is_not() -> None:
    life = Life().suffer(fault("logged_out"), 0)
    assert life.answer_login(1) is not None
    assert life.answer_login(1, pairing=True) is None
    assert life.paired_anew().answer_login(1) is None


def test_modes_of_a_connection_end_with_it() -> None:
    life = Life()
    for mode in Mode:
        life = life.suffer(fault(mode.value), 0)
    assert all(life.has(mode, 1e9) for mode in Mode)
    again = life.reconnected()
    assert {mode for mode in Mode if not again.has(mode, 1e9)} == {Mode.DEAF, Mode.HALF_OPEN, Mode.OUTBOUND_STUCK}


def test_a_rating_is_of_the_number_and_outlives_device_and_connection() -> None:
    life = Life().suffer(fault("quality", rating="low"), 0)
    assert Life().rating is None
    assert life.paired_anew().reconnected().rating is Rating.LOW
    assert life.suffer(fault("quality", rating="high"), 1).rating is Rating.HIGH


def test_modes_end_when_they_say() -> None:
    life = Life().suffer(fault("nack", error=479, for_s=10), 5)
    assert (life.nack(14.9), life.nack(15)) == (479, None)
    assert life.rest(Mode.NACK, 10) == 5
    assert Life().suffer(fault("timelock"), 0).nack(1) == 463
    assert Life().suffer(fault("timelock"), 0).rest(Mode.TIMELOCK, 1) is None
