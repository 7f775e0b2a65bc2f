"""Episodes and sums of recovery as answers of the API.  Pure."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence

from actors.recovery.episodes import Outcome
from actors.recovery.explain import Explanation
from actors.recovery.plans import remedy
from actors.recovery.spread import Spread, joined
from actors.session.causes import Disposition, cause_named
from actors.store.episode_queries import HELD, Sums
from actors.store.records import Action, Episode
from daemon.api import models_recovery as models
from daemon.recovery_port import RecoverySums


def episode(found: Episode) -> models.RecoveryEpisode:
    """One episode."""
    last = str(found.data.get("lastCause") or found.cause)
    known = cause_named(last)
    return models.RecoveryEpisode(
        id=found.id,
        session_id=found.session,
        cause=found.cause,
        last_cause=last,
        message=known.sentence if known else None,
        remedy=(remedy(known, found.attempts) or None) if known else None,
        strategy=found.strategy,
        attempts=found.attempts,
        failures=int(found.data.get("failures", 1)),
        started_at=found.started_at,
        detected_at=found.detected_at,
        healed_at=found.healed_at,
        ended_at=found.ended_at,
        outcome=found.outcome,
        detect_seconds=_between(found.started_at, found.detected_at),
        recover_seconds=_between(found.started_at, found.healed_at),
        held=found.data.get(HELD) is True,
    )


def _between(began: float, ended: float | None) -> float | None:
    return None if ended is None else round(max(0.0, ended - began), 3)


def action(done: Action) -> models.RecoveryAction:
    """One thing that was done."""
    return models.RecoveryAction(
        id=done.id,
        at=done.at,
        cause=done.cause,
        strategy=done.strategy,
        why=dict(done.why),
        outcome=done.outcome,
        ended_at=done.ended_at,
    )


def explanation(found: Explanation) -> models.RecoveryExplanation:
    """A decision with what it rests on."""
    until = found.paused_until
    view = {
        **found.to_view(),
        "paused": until is not None and until > found.at,
        "pausedUntil": until if until is not None and math.isfinite(until) else None,
    }
    return models.RecoveryExplanation.model_validate(view)


def summary(since: float, sums: RecoverySums, paused: int) -> models.RecoverySummary:
    """Sums as a whole, by cause and by strategy."""
    return models.RecoverySummary(
        since=since,
        total=_group(sums.ended),
        by_cause=_groups(sums.ended, lambda part: part.cause),
        by_strategy=_groups(sums.ended, lambda part: part.strategy),
        open=sums.open,
        open_loops=sums.open_loops,
        paused_sessions=paused,
    )


def _groups(parts: Iterable[Sums], key: Callable[[Sums], str]) -> dict[str, models.RecoveryGroup]:
    groups: dict[str, list[Sums]] = {}
    for part in parts:
        groups.setdefault(key(part), []).append(part)
    return {name: _group(kin) for name, kin in sorted(groups.items())}


def _group(parts: Sequence[Sums]) -> models.RecoveryGroup:
    outcomes: Counter[str] = Counter()
    for part in parts:
        outcomes[part.outcome] += part.episodes
    tried = [part for part in parts if _can_heal(part.cause)]
    healed = sum(part.episodes for part in tried if part.outcome == Outcome.HEALED)
    judged = healed + sum(part.episodes for part in tried if part.outcome == Outcome.HALTED)
    return models.RecoveryGroup(
        episodes=outcomes.total(),
        outcomes={name: number for name, number in sorted(outcomes.items()) if number},
        success_rate=round(healed / judged, 4) if judged else None,
        attempts=sum(part.attempts for part in parts),
        loops=sum(part.loops for part in parts),
        time_to_detect=_times(joined(part.detect for part in parts)),
        time_to_recover=_times(joined(part.recover for part in parts)),
    )


def _can_heal(cause: str) -> bool:
    known = cause_named(cause)
    return known is None or known.disposition not in {Disposition.HALT, Disposition.BLOCK}


def _times(spread: Spread) -> models.RecoveryTimes:
    return models.RecoveryTimes(
        count=spread.count,
        mean_seconds=_rounded(spread.mean),
        p50_seconds=_rounded(spread.quantile(0.5)),
        p95_seconds=_rounded(spread.quantile(0.95)),
    )


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 3)
