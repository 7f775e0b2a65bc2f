"""Who is silent is hung, and a pause blames nobody."""

from hypothesis import given
from hypothesis import strategies as st

from actors.runtime.liveness import Beats, Silence, heard, hung, look

periods = st.floats(0.05, 300.0)


@st.composite
def beats(draw: st.DrawFn) -> Beats:
    period = draw(periods)
    return Beats(period, period * draw(st.floats(2.0, 20.0)))


@given(beats(), st.floats(0.0, 1.0), st.floats(0.0, 1e6))
def test_who_says_nothing_is_hung_soon_after_the_timeout(beats: Beats, jitter: float, start: float) -> None:
    silence, now = Silence(start), start
    while not hung(silence, beats.timeout):
        now += beats.look * (1 + jitter)  # a look may come late by a whole one
        silence = look(silence, now, beats)
        assert now - start <= beats.timeout + 2 * beats.look + 1e-6 * now
    assert now - start > beats.timeout * (1 - 1e-9) - 1e-6 * now


@given(beats(), st.lists(st.floats(0.0, 86_400.0), max_size=40))
def test_no_pause_and_no_number_of_pauses_blames_who_beats(beats: Beats, pauses: list[float]) -> None:
    """Watcher and watched are stopped together; in between, the watched one beats as it should."""
    silence, now = Silence(0.0), 0.0
    for pause in pauses:
        since_beat = 0.0
        while since_beat + beats.look <= beats.period:  # the longest silence that a healthy process has
            since_beat += beats.look
            now += beats.look
            silence = look(silence, now, beats)
            assert not hung(silence, beats.timeout)
        now += pause
        silence = look(silence, now, beats)  # the watcher wakes first
        assert not hung(silence, beats.timeout)
        silence = heard(silence, now)


@given(beats(), st.floats(0.0, 1e9), st.floats(0.0, 1e9))
def test_a_pause_of_any_length_adds_at_most_a_quarter_of_the_timeout(beats: Beats, at: float, pause: float) -> None:
    silence = look(Silence(at), at + pause, beats)
    assert silence.lasted <= beats.longest <= beats.timeout / 4 + 1e-9


@given(beats(), st.lists(st.floats(0.0, 5.0), min_size=1, max_size=50))
def test_a_beat_ends_the_silence_and_looks_only_lengthen_it(beats: Beats, steps: list[float]) -> None:
    silence, now = Silence(0.0), 0.0
    for step in steps:
        now += step
        later = look(silence, now, beats)
        assert later.lasted >= silence.lasted
        assert later.looked == now
        silence = later
    assert heard(silence, now) == Silence(now)


@given(beats(), st.floats(1.0, 1e6), st.floats(0.0, 1.0))
def test_a_clock_that_stands_still_or_goes_back_adds_nothing(beats: Beats, now: float, back: float) -> None:
    assert look(Silence(now, 1.0), now - back, beats).lasted == 1.0
    assert heard(Silence(now, 1.0), now - back) == Silence(now)
