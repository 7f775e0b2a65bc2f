"""Episodes, folded from transitions."""

import random

from hypothesis import given
from hypothesis import strategies as st

from actors.events import EventType
from actors.recovery.episodes import Episode, Note, Outcome, fold
from actors.session import effects as fx
from actors.session import inputs as ev
from actors.session.causes import Cause
from actors.session.change import Change, read_change
from actors.session.machine import step
from actors.session.state import SessionState
from actors.session.vocabulary import State

STARTED, ATTEMPT = EventType.RECOVERY_STARTED, EventType.RECOVERY_ATTEMPT
SUCCEEDED, STOPPED = EventType.RECOVERY_SUCCEEDED, EventType.RECOVERY_STOPPED


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
    assert episode is None
    assert [(n.type, n.delay_s) for n in notes] == [(STARTED, None), (ATTEMPT, 1.0), (ATTEMPT, 3.0), (SUCCEEDED, None)]
    ended = notes[-1].episode
    assert (ended.cause, ended.last_cause, ended.failures, ended.attempts) == (closed, lost, 2, 2)
    assert (ended.seconds, ended.outcome) == (6.0, Outcome.HEALED)


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


ENDS = [
    ev.Closed(428, "network"),
    ev.Closed(503, "stream_error"),
    ev.Closed(515, "stream_error"),
    ev.Closed(403, "login_failure"),
    ev.Closed(414, "login_failure"),
    ev.LinkDown(),
]


@given(st.lists(st.sampled_from([*ENDS, ev.Opened("me"), ev.Reconnect("r"), ev.Stop("r"), ev.Start("r")]), max_size=40))
def test_what_a_session_reports_makes_whole_episodes(story: list[ev.Event]) -> None:
    state, now, rng = SessionState(seed="e"), 1000.0, random.Random(3)
    episode: Episode | None = None
    notes: list[Note] = []
    events: list[ev.Event] = [ev.Resumed(None, True), ev.LinkUp(False, "idle", True)]
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
                queue.append(ev.LinkUp(False, "idle", True))
            elif state.timer and state.state in {State.WAITING, State.STARTING} and not queue:
                queue.append(ev.TimerDue(state.timer.token))
        if state.state is State.OPEN:
            assert episode is None
    inside = False
    for note in notes:
        assert inside != (note.type is STARTED)
        inside = note.type in {STARTED, ATTEMPT}
    assert inside == (episode is not None)


def test_a_change_is_read_as_far_as_it_is_known() -> None:
    assert read_change(1.0, {"state": "open", "previous": "dreaming"}) is None
    assert read_change(1.0, {}) is None
    change = read_change(1.0, {"state": "waiting", "previous": "open", "cause": "gremlins", "resumed": True})
    assert change == Change(1.0, State.WAITING, State.OPEN, Cause.UNKNOWN, resumed=True)
