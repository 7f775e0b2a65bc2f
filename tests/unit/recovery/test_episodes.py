"""Episodes, folded from transitions."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.events import EventType
from actors.recovery.episodes import LOOP_EVERY, Episode, Note, Outcome, climbed, fold, judged, ordered, proved
from actors.recovery.strategies import Strategy, ladder
from actors.session import effects as fx
from actors.session.causes import Cause
from actors.session.change import Change, read_change
from actors.session.inputs import clock, connector, host, operators
from actors.session.inputs.event import Event
from actors.session.machine import step
from actors.session.state import SessionState
from actors.session.vocabulary import Disposition, State

STARTED, ATTEMPT = EventType.RECOVERY_STARTED, EventType.RECOVERY_ATTEMPT
SUCCEEDED, STOPPED = EventType.RECOVERY_SUCCEEDED, EventType.RECOVERY_STOPPED
LOOP = EventType.RECOVERY_LOOP


def told(*changes: tuple[float, State, State, Cause | None]) -> tuple[Episode | None, list[Note]]:
    episode: Episode | None = None
    notes: list[Note] = []
    for at, previous, state, cause in changes:
        episode, more = fold(episode, Change(at, state, previous, cause))
        notes += more
    return episode, notes


def test_trouble_that_heals() -> None:
    lost, closed = Cause.CONNECTION_LOST, Cause.CONNECTION_CLOSED
    episode, notes = told(
        (0.0, State.CONNECTING, State.OPEN, None),
        (10.0, State.OPEN, State.WAITING, closed),
        (11.0, State.WAITING, State.CONNECTING, closed),
        (12.0, State.CONNECTING, State.WAITING, lost),
        (15.0, State.WAITING, State.CONNECTING, lost),
        (16.0, State.CONNECTING, State.OPEN, None),
    )
    assert [(n.type, n.delay_s) for n in notes] == [(STARTED, None), (ATTEMPT, 1.0), (ATTEMPT, 3.0)]
    assert episode is not None, "that it is open proves nothing"
    assert proved(episode, 3.0, True, 26.0) == (episode, ()), "the proof of another connection"
    healed, proof = proved(episode, 16.0, True, 26.0)
    assert healed is None
    ended = proof[0].episode
    assert [n.type for n in proof] == [SUCCEEDED]
    assert (ended.cause, ended.last_cause, ended.failures, ended.attempts) == (closed, lost, 2, 2)
    assert (ended.seconds, ended.outcome) == (6.0, Outcome.HEALED)
    assert (ended.detected_at, ended.healed_at, ended.ended_at) == (10.0, 16.0, 26.0)


def test_a_verdict_begins_and_ends_an_episode_at_once() -> None:
    episode, notes = told((5.0, State.OPEN, State.BLOCKED, Cause.LOCKED))
    assert episode is None
    assert [n.type for n in notes] == [STARTED, STOPPED]
    assert notes[-1].episode.outcome is Outcome.HALTED


def test_few_tries_that_are_used_up_end_it() -> None:
    cause = Cause.TOKEN_INVALID
    story = [(0.0, State.CONNECTING, State.WAITING, cause)]
    for n in (1.0, 2.0, 3.0):
        story += [
            (n, State.WAITING, State.CONNECTING, cause),
            (n + 0.5, State.CONNECTING, State.WAITING if n < 3 else State.HALTED, cause),
        ]
    _, notes = told(*story)
    assert [n.type for n in notes] == [STARTED, ATTEMPT, ATTEMPT, ATTEMPT, STOPPED]


def test_a_temporary_ban_goes_on_until_it_is_over() -> None:
    ban = Change(5.0, State.BLOCKED, State.CONNECTING, Cause.TEMPORARY_BAN, until=65.0)
    episode, notes = fold(None, ban)
    assert [n.type for n in notes] == [STARTED]
    episode, notes = fold(episode, Change(65.0, State.CONNECTING, State.BLOCKED, Cause.TEMPORARY_BAN))
    assert [(n.type, n.delay_s) for n in notes] == [(ATTEMPT, 60.0)]
    episode, notes = fold(episode, Change(66.0, State.OPEN, State.CONNECTING))
    episode, notes = proved(episode, 66.0, True, 76.0)
    assert episode is None
    assert [n.type for n in notes] == [SUCCEEDED]


def test_the_operator_and_the_protocol_make_no_episodes() -> None:
    for change in (
        (1.0, State.OPEN, State.CONNECTING, Cause.RESTART_REQUIRED),
        (1.0, State.CLOSING, State.CONNECTING, Cause.OPERATOR_RECONNECT),
        (1.0, State.CLOSING, State.STOPPED, Cause.OPERATOR_STOP),
        (1.0, State.BLOCKED, State.CONNECTING, Cause.LOCKED),
    ):
        assert told(change) == (None, [])


def test_a_stop_ends_an_episode() -> None:
    _, notes = told(
        (0.0, State.OPEN, State.WAITING, Cause.CONNECTION_LOST),
        (1.0, State.WAITING, State.STOPPED, Cause.OPERATOR_STOP),
    )
    assert notes[-1].episode.outcome is Outcome.OPERATOR


def test_what_is_noticed_by_silence_began_when_the_server_was_last_heard_of() -> None:
    half_open = Change(30.0, State.WAITING, State.OPEN, Cause.HEARTBEAT_LOST, heard_at=12.0)
    episode, _ = fold(None, half_open)
    assert episode is not None
    assert (episode.began_at, episode.detected_at) == (12.0, 30.0)
    for other in (
        Change(30.0, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED, heard_at=12.0),
        Change(30.0, State.WAITING, State.CONNECTING, Cause.CONNECTION_LOST, heard_at=12.0),
        Change(30.0, State.WAITING, State.OPEN, Cause.HEARTBEAT_LOST),
    ):
        episode, _ = fold(None, other)
        assert episode is not None
        assert (episode.began_at, episode.detected_at) == (30.0, 30.0)


def test_a_deaf_session_begins_an_episode_that_its_next_connection_ends_by_proof() -> None:
    episode, notes = judged(None, "deaf", since=100.0, at=400.0, opened_at=50.0)
    assert episode is not None
    assert [n.type for n in notes] == [STARTED]
    assert (episode.began_at, episode.detected_at, episode.cause) == (100.0, 400.0, Cause.DEAF)
    episode = ordered(episode, Strategy.RECONNECT, 401.0)
    for at, previous, state in ((402.0, State.OPEN, State.CLOSING), (403.0, State.CLOSING, State.CONNECTING)):
        episode, notes = fold(episode, Change(at, state, previous, Cause.DEAF if state is State.CONNECTING else None))
    assert [n.type for n in notes] == [ATTEMPT]
    episode, _ = fold(episode, Change(404.0, State.OPEN, State.CONNECTING))
    assert episode is not None
    assert episode.doubt is None
    assert judged(episode, "alive", 404.0, 405.0, 404.0) == (episode, ()), "to open is no proof"
    again, _ = judged(episode, "deaf", 404.0, 900.0, 404.0)
    assert again is not None
    assert (again.doubt, again.failures) == ("deaf", 2)
    assert proved(again, 404.0, True, 901.0) == (again, ()), "what is judged now weighs more"
    healed, notes = proved(episode, 404.0, True, 1000.0)
    assert healed is None
    assert notes[0].episode.seconds == 304.0


def test_a_doubt_that_goes_by_itself_ends_the_episode() -> None:
    episode, _ = judged(None, "outbound_stuck", since=10.0, at=40.0, opened_at=0.0)
    healed, notes = judged(episode, "alive", since=0.0, at=45.0, opened_at=0.0)
    assert healed is None
    assert (notes[0].type, notes[0].episode.healed_at) == (SUCCEEDED, 45.0)


def test_what_does_not_heal_is_told_again_and_again() -> None:
    story = [(0.0, State.OPEN, State.WAITING, Cause.NETWORK_UNREACHABLE)]
    for n in range(1, 4 * LOOP_EVERY + 1):
        story += [
            (float(n), State.WAITING, State.CONNECTING, Cause.NETWORK_UNREACHABLE),
            (n + 0.5, State.CONNECTING, State.WAITING, Cause.NETWORK_UNREACHABLE),
        ]
    _, notes = told(*story)
    assert [n.episode.attempts for n in notes if n.type is LOOP] == [5, 10, 15, 20]


def test_who_planned_the_attempts_is_known() -> None:
    episode, _ = fold(None, Change(0.0, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED))
    for n, by in enumerate(("recovery", "session", "session"), start=1):
        episode, notes = fold(episode, Change(n + 0.0, State.CONNECTING, State.WAITING, planned_by=by))
        assert notes[0].planned_by == by
        episode, _ = fold(episode, Change(n + 0.5, State.WAITING, State.CONNECTING, Cause.CONNECTION_CLOSED))
    assert episode is not None
    assert episode.planned == {"recovery": 1, "session": 2}


@given(st.sampled_from(Cause), st.sampled_from(Strategy))
def test_nobody_climbs_down(cause: Cause, strategy: Strategy) -> None:
    episode, _ = fold(None, Change(0.0, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED))
    assert episode is not None
    episode = climbed(episode, strategy, 1.0)
    after, _ = fold(episode, Change(2.0, State.WAITING, State.CONNECTING, cause))
    assert after is not None
    assert after.strategy.order >= strategy.order
    lower = [s for s in Strategy if s.order < strategy.order]
    for one in lower:
        with pytest.raises(ValueError, match="below"):
            climbed(episode, one, 3.0)


def test_every_cause_has_a_ladder_that_goes_up() -> None:
    for cause in Cause:
        rungs = ladder(cause)
        assert [r.order for r in rungs] == sorted({r.order for r in rungs})
        retried = rungs[0] is Strategy.RECONNECT
        assert retried != (cause.disposition.is_verdict or cause.disposition in {Disposition.IDLE, Disposition.NONE})
        # what is retried never ends silently: the slow lane goes on, or an operator is told to act
        assert not retried or rungs[-1] in {Strategy.SLOW_LANE, Strategy.STOP}


ENDS = [
    connector.Closed(428, "network"),
    connector.Closed(503, "stream_error"),
    connector.Closed(515, "stream_error"),
    connector.Closed(403, "login_failure"),
    connector.Closed(414, "login_failure"),
    host.LinkDown(),
]


@given(
    st.lists(
        st.sampled_from(
            [*ENDS, connector.Opened("me"), operators.Reconnect("r"), operators.Stop("r"), operators.Start("r")]
        ),
        max_size=40,
    )
)
def test_what_a_session_reports_makes_whole_episodes(story: list[Event]) -> None:
    state, now, rng = SessionState(seed="e"), 1000.0, random.Random(3)
    episode: Episode | None = None
    notes: list[Note] = []
    events: list[Event] = [host.Resumed(None, True), host.LinkUp(False, "idle", True)]
    for event in [*events, *story]:
        queue = [event]
        while queue:
            now += rng.random()
            state, effects = step(state, queue.pop(0), now)
            for effect in effects:
                if isinstance(effect, fx.ReportTransition):
                    wire = {
                        "state": effect.state,
                        "previous": effect.previous,
                        "cause": effect.cause,
                        "until": effect.until,
                    }
                    change = read_change(now, wire)
                    assert change is not None
                    episode, more = fold(episode, change)
                    notes += more
            if not state.link and not queue:
                queue.append(host.LinkUp(False, "idle", True))
            elif state.timer and state.state in {State.WAITING, State.STARTING} and not queue:
                queue.append(clock.TimerDue(state.timer.token))
        if state.state is State.OPEN and episode is not None:
            assert episode.open
            if rng.random() < 0.5:
                episode, more = proved(episode, episode.opened_at or 0.0, True, now)
                assert episode is None
                notes += more
    inside = False
    for note in notes:
        assert inside != (note.type is STARTED)
        inside = note.type in {STARTED, ATTEMPT, LOOP}
    assert inside == (episode is not None)


def test_a_change_is_read_as_far_as_it_is_known() -> None:
    assert read_change(1.0, {"state": "open", "previous": "dreaming"}) is None
    assert read_change(1.0, {}) is None
    change = read_change(1.0, {"state": "waiting", "previous": "open", "cause": "gremlins", "resumed": True})
    assert change == Change(1.0, State.WAITING, State.OPEN, Cause.UNKNOWN, resumed=True)


def test_what_a_pause_held_up_says_so() -> None:
    lost = Change(10.0, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED, held=True)
    episode, _ = fold(None, lost)
    assert episode is not None
    assert episode.held
    episode, _ = fold(episode, Change(90.0, State.CONNECTING, State.WAITING))
    assert episode is not None
    assert episode.held
    other, _ = fold(None, Change(10.0, State.WAITING, State.OPEN, Cause.CONNECTION_CLOSED))
    assert other is not None
    later, _ = fold(other, Change(12.0, State.WAITING, State.WAITING, Cause.CONNECTION_CLOSED, resumed=True, held=True))
    assert later is not None
    assert (later.held, later.failures) == (True, 1)
