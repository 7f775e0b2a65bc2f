"""Entering in the audit log what a route changes or reveals, before it does, and afterwards how it went."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from actors.masking import mask_text
from daemon.api import models
from daemon.api.auth import Identity
from daemon.api.call import Call, Handler, Reply
from daemon.api.problems import ProblemError, Reason, from_backend
from daemon.audit.deeds import BEGUN, DONE, Caller, Deed, healing
from daemon.backend import Backend, BackendError

UNKNOWN = "?"
"""Target of an entry whose session does not exist: what the path names instead may be a phone number."""
ALL = "-"
"""Target of what concerns no single session."""


@dataclass(frozen=True, slots=True)
class Audited:
    """How a route is entered in the audit log."""

    action: str
    detail: tuple[str, ...] = ()
    """Fields of the body or the query that are entered, phone numbers masked; never a secret."""


async def audited(spec: Audited, call: Call[Any, Any], remote: str | None, handler: Handler) -> Reply:
    """Runs a handler; its entry is stored before.

    Raises:
        ProblemError: of the handler; or the entry can't be stored, and then nothing was done.
    """
    trail = call.backend.accounts.trail
    deed = deed_of(spec, call, remote)
    try:
        number = await trail.begin(deed)
    except BackendError as error:
        raise from_backend(error) from error
    outcome = BEGUN
    try:
        reply = await handler(call)
        outcome = DONE
        noted = dict(reply.noted)
        if isinstance(reply.body, models.Operation):
            noted["operation"] = reply.body.operation_id
        deed = replace(deed, detail={**deed.detail, **noted})
    except ProblemError as error:
        outcome = error.reason.slug
        raise
    except BackendError as error:
        problem = from_backend(error)
        outcome = problem.reason.slug
        raise problem from error
    except Exception:
        outcome = Reason.INTERNAL.slug
        raise
    finally:
        await trail.finish(number, deed, outcome)
    return reply


def deed_of(spec: Audited, call: Call[Any, Any], remote: str | None) -> Deed:
    """What the call is about to do."""
    detail: dict[str, Any] = {}
    for name in spec.detail:
        value = getattr(call.body, name, getattr(call.query, name, None))
        if value is not None:
            detail[name] = _masked(value)
    target = target_of(call.path, call.backend)
    if target == ALL:
        target = getattr(call.body, "id", None) or _named(call)  # of a session that is to be made, or is meant
    paired_before = target in call.backend.records() and call.backend.live(target).me is not None
    heals = healing(spec.action, detail, paired_before=paired_before)
    return Deed(caller_of(call.identity, remote), spec.action, target, detail, heals)


def target_of(path: Mapping[str, str], backend: Backend) -> str:
    """The session that a path names."""
    if "sessionId" not in path:
        return ALL
    return path["sessionId"] if path["sessionId"] in backend.records() else UNKNOWN


def _named(call: Call[Any, Any]) -> str:
    named = getattr(call.body, "session_id", None)
    if named is None:
        return ALL
    return named if named in call.backend.records() else UNKNOWN


def caller_of(identity: Identity, remote: str | None) -> Caller:
    """Who asks, as the audit log names it."""
    return Caller(identity.name, identity.role.label, remote)


def _masked(value: Any) -> Any:
    if isinstance(value, str):
        return mask_text(value)
    if isinstance(value, Mapping):
        return {mask_text(name): _masked(item) for name, item in value.items()}
    return value
