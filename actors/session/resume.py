"""What a session leaves behind for the actor after it, as JSON-able values for the shard's database."""

import sys
from collections.abc import Mapping
from typing import Any

from actors.session.causes import Cause, cause_named
from actors.session.state import Saved, Trouble, Verdict
from actors.session.vocabulary import State

VERSION = 1
_SCALARS = (str, int, float, bool, type(None))
_STATES = frozenset(state.value for state in State)
_VERDICTS = frozenset({State.BLOCKED, State.HALTED})


class BadSavedState(ValueError):
    """What the database holds is not a saved state; the message names the field."""


def dump(saved: Saved) -> dict[str, Any]:
    """A saved state as values that JSON and msgpack can hold."""
    verdict = saved.verdict
    return {
        "version": VERSION,
        "state": saved.state.value,
        "since": saved.since,
        "trouble": _dump_trouble(saved.trouble) if saved.trouble else None,
        "verdict": verdict
        and {
            "state": verdict.state.value,
            "trouble": _dump_trouble(verdict.trouble),
            "until": verdict.until,
        },
        "attempt": saved.attempt,
        "refusals": saved.refusals,
        "restarts": list(saved.restarts),
        "staleAuth": saved.stale_auth,
        "me": saved.me,
        "downSince": saved.down_since,
        "replaced": saved.replaced,
    }


def load(raw: Any) -> Saved:
    """The saved state that ``dump`` made; keys that this version does not know are passed over.

    Raises BadSavedState: unknown version, a field of a wrong kind, a cause or state that does not exist, an
    auth state marked as thrown out without a verdict.
    """
    fields = _mapping(raw, "saved state")
    if fields.get("version") != VERSION:
        raise BadSavedState(f"version: expected {VERSION}, got {fields.get('version')!r}")
    trouble, verdict = fields.get("trouble"), fields.get("verdict")
    saved = Saved(
        state=_state(fields.get("state"), "state"),
        since=_number(fields.get("since"), "since"),
        trouble=None if trouble is None else _load_trouble(trouble, "trouble"),
        verdict=None if verdict is None else _load_verdict(verdict),
        attempt=_count(fields.get("attempt", 0), "attempt"),
        refusals=_count(fields.get("refusals", 0), "refusals"),
        restarts=_numbers(fields.get("restarts", []), "restarts"),
        stale_auth=_flag(fields.get("staleAuth", False), "staleAuth"),
        me=_optional_text(fields.get("me"), "me"),
        down_since=_optional_number(fields.get("downSince"), "downSince"),
        replaced=_count(fields.get("replaced", 0), "replaced"),
    )
    if saved.stale_auth and saved.verdict is None:
        raise BadSavedState("staleAuth: an auth state that was thrown out needs a verdict")
    if saved.state in _VERDICTS and saved.verdict is None:
        raise BadSavedState(f"verdict: state {saved.state.value} needs one")
    return saved


def _dump_trouble(trouble: Trouble) -> dict[str, Any]:
    return {
        "cause": trouble.cause.value,
        "code": trouble.code,
        "reason": trouble.reason,
        "message": trouble.message,
        "data": {str(k): v if isinstance(v, _SCALARS) else str(v) for k, v in trouble.data.items()},
    }


def _load_trouble(raw: Any, name: str) -> Trouble:
    fields = _mapping(raw, name)
    code = fields.get("code", 0)
    if not isinstance(code, int) or isinstance(code, bool):
        raise BadSavedState(f"{name}.code: expected a whole number, got {code!r}")
    return Trouble(
        cause=_cause(fields.get("cause"), f"{name}.cause"),
        code=code,
        reason=_optional_text(fields.get("reason"), f"{name}.reason") or "",
        message=_optional_text(fields.get("message"), f"{name}.message") or "",
        data=dict(_mapping(fields.get("data", {}), f"{name}.data")),
    )


def _load_verdict(raw: Any) -> Verdict:
    fields = _mapping(raw, "verdict")
    state = _state(fields.get("state"), "verdict.state")
    if state not in _VERDICTS:
        raise BadSavedState(f"verdict.state: expected blocked or halted, got {state.value}")
    return Verdict(
        state=state,
        trouble=_load_trouble(fields.get("trouble"), "verdict.trouble"),
        until=_optional_number(fields.get("until"), "verdict.until"),
    )


def _mapping(value: Any, name: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping) or not all(isinstance(key, str) for key in value):
        raise BadSavedState(f"{name}: expected a map with text keys, got {type(value).__name__}")
    return value


def _state(value: Any, name: str) -> State:
    if not isinstance(value, str) or value not in _STATES:
        raise BadSavedState(f"{name}: no such state: {value!r}")
    return State(value)


def _cause(value: Any, name: str) -> Cause:
    cause = cause_named(value) if isinstance(value, str) else None
    if cause is None:
        raise BadSavedState(f"{name}: no such cause: {value!r}")
    return cause


def _number(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= sys.float_info.max:
        raise BadSavedState(f"{name}: expected a finite number, got {value!r}")
    return float(value)


def _optional_number(value: Any, name: str) -> float | None:
    return None if value is None else _number(value, name)


def _numbers(value: Any, name: str) -> tuple[float, ...]:
    if not isinstance(value, list | tuple):
        raise BadSavedState(f"{name}: expected a list, got {type(value).__name__}")
    return tuple(_number(item, name) for item in value)


def _count(value: Any, name: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise BadSavedState(f"{name}: expected a count, got {value!r}")
    return value


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise BadSavedState(f"{name}: expected true or false, got {value!r}")
    return value


def _optional_text(value: Any, name: str) -> str | None:
    if value is not None and not isinstance(value, str):
        raise BadSavedState(f"{name}: expected text, got {type(value).__name__}")
    return value
