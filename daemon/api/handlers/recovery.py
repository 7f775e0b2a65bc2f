"""Recovery: what was done about trouble, and what operators steer of it."""

import re
import time

from actors.recovery.pauses import Audience, Pause
from actors.store.episode_queries import EpisodeFilter
from daemon.api import models, models_recovery, render_recovery, requests
from daemon.api.call import Call, Reply
from daemon.api.fields import NUMBER_PATTERN
from daemon.api.problems import ProblemError, Reason
from daemon.api.requests_recovery import EpisodesQuery, ExplainQuery, ForceCreate, PauseCreate, RecoverySummaryQuery
from daemon.backend import Backend


async def episodes(call: Call[EpisodesQuery, requests.NoBody]) -> Reply:
    """A page of episodes."""
    query = call.query
    wanted = EpisodeFilter(query.session, query.cause, query.outcome, query.open, query.since, query.until)
    before = None
    if query.cursor is not None:
        at, _, id = query.cursor.partition("-")
        before = (float(at), int(id))
    found = await call.backend.recovery.episodes(wanted, query.limit + 1, before)
    page = found[: query.limit]
    return Reply(
        models_recovery.RecoveryEpisodePage(
            episodes=[render_recovery.episode(one) for one in page],
            next_cursor=f"{page[-1].started_at!r}-{page[-1].id}" if len(found) > len(page) else None,
        )
    )


async def one_episode(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """One episode with what was done."""
    found, actions = await call.backend.recovery.episode(_number(call.path["episodeId"]))
    return Reply(
        models_recovery.RecoveryEpisodeDetail(
            episode=render_recovery.episode(found), actions=[render_recovery.action(one) for one in actions]
        )
    )


async def summary(call: Call[RecoverySummaryQuery, requests.NoBody]) -> Reply:
    """Sums over a window of time."""
    since, recovery = time.time() - call.query.window, call.backend.recovery
    return Reply(render_recovery.summary(since, await recovery.summary(since), recovery.paused()))


async def explain(call: Call[ExplainQuery, requests.NoBody]) -> Reply:
    """What recovery would do about a session, and why."""
    return Reply(render_recovery.explanation(await call.backend.recovery.explain(call.session.id, call.query.at)))


async def force(call: Call[requests.NoQuery, ForceCreate]) -> Reply:
    """Have a strategy applied now."""
    session = call.session.id
    operation = await call.backend.recovery.force(session, call.who, call.body.strategy)
    return Reply(models.Operation(operation_id=operation, session_id=session), 202)


async def pauses(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """Those in effect."""
    audience = _audience(call.backend)
    found = [_pause(audience, pause) for pause in call.backend.recovery.pauses()]
    return Reply(models_recovery.RecoveryPauses(pauses=found))


async def one_pause(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """One that is in effect."""
    wanted = _number(call.path["pauseId"])
    for pause in call.backend.recovery.pauses():
        if pause.id == wanted:
            return Reply(_pause(_audience(call.backend), pause))
    raise ProblemError(Reason.UNKNOWN_PAUSE, "No pause in effect has the id in the path.")


async def pause(call: Call[requests.NoQuery, PauseCreate]) -> Reply:
    """Pause recovery of a session, of those with labels, or of all."""
    body = call.body
    until = body.until if body.length is None else time.time() + body.length
    made = await call.backend.recovery.pause(call.who, body.session_id, body.labels or {}, until, body.reason)
    shown = _pause(_audience(call.backend), made)
    headers = {"Location": f"/api/recovery/pauses/{made.id}"}
    return Reply(shown, 201, headers=headers, noted={"pause": made.id, "sessions": shown.sessions})


async def resume(call: Call[requests.NoQuery, requests.NoBody]) -> Reply:
    """End a pause before its time."""
    number = _number(call.path["pauseId"])
    await call.backend.recovery.resume(number, call.who)
    return Reply(status=204, noted={"pause": number})


def _number(text: str) -> int:
    """An id of the path; what is none is the id of nothing."""
    return int(text) if re.fullmatch(NUMBER_PATTERN, text, re.ASCII) else 0


def _audience(backend: Backend) -> Audience:
    return Audience({id: record.labels for id, record in backend.records().items()})


def _pause(audience: Audience, pause: Pause) -> models_recovery.RecoveryPause:
    return models_recovery.RecoveryPause(
        id=pause.id,
        session_id=pause.session,
        labels=dict(pause.labels),
        all=pause.session is None and not pause.labels,
        at=pause.at,
        until=pause.until,
        who=pause.who,
        reason=pause.reason,
        sessions=len(audience.of(pause)),
    )
