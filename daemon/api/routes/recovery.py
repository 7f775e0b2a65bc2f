"""What is done about trouble: its history, and what operators steer of it."""

from typing import Any

from daemon.api import models, models_recovery
from daemon.api.audited import Audited
from daemon.api.auth import Role
from daemon.api.handlers import recovery
from daemon.api.problems import Reason
from daemon.api.requests import NoBody, NoQuery
from daemon.api.requests_recovery import EpisodesQuery, ExplainQuery, ForceCreate, PauseCreate, RecoverySummaryQuery
from daemon.api.route import Answer, Route
from daemon.api.routes.common import ACT

EPISODES = "/api/recovery/episodes"
PAUSES = "/api/recovery/pauses"
READ = (Reason.UNAVAILABLE, Reason.STORAGE_FULL)

ROUTES: tuple[Route[Any, Any], ...] = (
    Route(
        "GET",
        EPISODES,
        "listRecoveryEpisodes",
        "recovery",
        Role.VIEWER,
        "Episodes of trouble",
        EpisodesQuery,
        NoBody,
        (Answer(200, "A page, newest first", models_recovery.RecoveryEpisodePage),),
        READ,
        recovery.episodes,
    ),
    Route(
        "GET",
        f"{EPISODES}/{{episodeId}}",
        "getRecoveryEpisode",
        "recovery",
        Role.VIEWER,
        "An episode with what was done about it",
        NoQuery,
        NoBody,
        (Answer(200, "The episode and its actions, oldest first", models_recovery.RecoveryEpisodeDetail),),
        (*READ, Reason.UNKNOWN_EPISODE),
        recovery.one_episode,
    ),
    Route(
        "GET",
        "/api/recovery/summary",
        "getRecoverySummary",
        "recovery",
        Role.VIEWER,
        "How well trouble was noticed and healed",
        RecoverySummaryQuery,
        NoBody,
        (Answer(200, "Sums, as a whole, by cause and by strategy", models_recovery.RecoverySummary),),
        READ,
        recovery.summary,
    ),
    Route(
        "GET",
        PAUSES,
        "listRecoveryPauses",
        "recovery",
        Role.VIEWER,
        "Pauses of recovery in effect",
        NoQuery,
        NoBody,
        (Answer(200, "Oldest first", models_recovery.RecoveryPauses),),
        (),
        recovery.pauses,
    ),
    Route(
        "POST",
        PAUSES,
        "pauseRecovery",
        "recovery",
        Role.OPERATOR,
        "Pause recovery",
        NoQuery,
        PauseCreate,
        (Answer(201, "It is stored and in effect; Location leads to it", models_recovery.RecoveryPause),),
        (Reason.UNKNOWN_SESSION, Reason.LIMIT),
        recovery.pause,
        "Of one session, of those with labels, or of all. Open connections stay open; a session whose connection ends "
        "waits for the end of the pause. Pauses may overlap: the last one to end counts. They hold over restarts.",
        audited=Audited("recovery.pause", ("labels", "all", "until", "length", "reason")),
    ),
    Route(
        "GET",
        f"{PAUSES}/{{pauseId}}",
        "getRecoveryPause",
        "recovery",
        Role.VIEWER,
        "One pause of recovery",
        NoQuery,
        NoBody,
        (Answer(200, "It is in effect", models_recovery.RecoveryPause),),
        (Reason.UNKNOWN_PAUSE,),
        recovery.one_pause,
    ),
    Route(
        "DELETE",
        f"{PAUSES}/{{pauseId}}",
        "resumeRecovery",
        "recovery",
        Role.OPERATOR,
        "End a pause of recovery",
        NoQuery,
        NoBody,
        (Answer(204, "It is over; sessions that waited for it connect, within the bounds of admission"),),
        (Reason.UNKNOWN_PAUSE,),
        recovery.resume,
        audited=Audited("recovery.resume"),
    ),
    Route(
        "GET",
        "/api/recovery/{sessionId}/explain",
        "explainRecovery",
        "recovery",
        Role.VIEWER,
        "What would be done about a session, and why",
        ExplainQuery,
        NoBody,
        (Answer(200, "The decision, and what it rests on", models_recovery.RecoveryExplanation),),
        READ,
        recovery.explain,
        "Now, or at a time in the past: then what was recorded is replayed through the same decisions.",
    ),
    Route(
        "POST",
        "/api/recovery/{sessionId}/force",
        "forceRecovery",
        "recovery",
        Role.OPERATOR,
        "Force a strategy of recovery",
        NoQuery,
        ForceCreate,
        (Answer(202, "It is under way", models.Operation),),
        ACT,
        recovery.force,
        "Whatever recovery would do by itself, and outside of its budgets. Refused while recovery of the session is "
        "paused.",
        audited=Audited("recovery.force", ("strategy",)),
    ),
)
