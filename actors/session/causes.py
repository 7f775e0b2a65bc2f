"""From what a connector reports to a cause, and from causes to sentences."""

from collections.abc import Mapping
from typing import Any

from actors.session.causes_row import Row
from actors.session.causes_table import Cause
from actors.session.vocabulary import Disposition, State

__all__ = [
    "BAN_REASONS",
    "Cause",
    "Disposition",
    "Row",
    "State",
    "cause_named",
    "classify",
    "explain",
]

BAN_REASONS: Mapping[str, str] = {
    "101": "too many messages to people who do not have this number in their contacts",
    "102": "blocked by too many people",
    "103": "too many groups created with people who do not have this number in their contacts",
    "104": "the same message to too many people",
    "106": "too many messages to broadcast lists",
}
"""The texts for ``data["code"]`` of a temporary ban; the codes are WhatsApp's, named as in whatsmeow."""

_BY_NAME: Mapping[str, Cause] = {cause.value: cause for cause in Cause}
_BY_CODE: Mapping[int, Cause] = {code: cause for cause in Cause for code in cause.codes}
_BY_REASON: Mapping[str, Cause] = {
    "closed_by_us": Cause.CLOSED_BY_US,
    "intentional_logout": Cause.INTENTIONAL_LOGOUT,
    "open_deadline": Cause.OPEN_DEADLINE,
    "heartbeat": Cause.HEARTBEAT_LOST,
    "bad_frame": Cause.BAD_FRAME,
    "proxy": Cause.PROXY_FAILED,
    "vault_unavailable": Cause.VAULT_UNAVAILABLE,
    "auth_too_large": Cause.AUTH_TOO_LARGE,
    "backlog": Cause.BACKLOG,
    "fenced": Cause.FENCED,
    "pairing_expired": Cause.PAIRING_EXPIRED,
}
"""Reasons that say it all; they are the connector's own, so they go before the code."""

_HTTP = "http_"
_SERVER_ERRORS = range(500, 600)
_NETWORK_CODES = frozenset({0, 408})
"""The codes under which Baileys passes on what the operating system said."""
_BY_CONFLICT: Mapping[str, Cause] = {
    "device_removed": Cause.DEVICE_REMOVED,
    "replaced": Cause.CONNECTION_REPLACED,
}


def cause_named(name: str) -> Cause | None:
    """The cause of that name (``Cause.value``), or None."""
    return _BY_NAME.get(name)


def classify(code: int, reason: str, data: Mapping[str, Any]) -> Cause:
    """The cause of a ``closed`` event; total: whatever arrives, there is an answer.

    ``code`` is the status code, 0 if there is none; ``reason`` and ``data`` are as in the connector protocol.
    """
    if cause := _BY_REASON.get(reason):
        return cause
    if reason.startswith(_HTTP):
        return _refused_upgrade(reason.removeprefix(_HTTP))
    # Before the code: Baileys reports a removed device without a code as 440, which otherwise means replaced.
    if cause := _BY_CONFLICT.get(_conflict(data)):
        return cause
    if _errno(data) and code in _NETWORK_CODES:
        return Cause.NETWORK_UNREACHABLE
    return _BY_CODE.get(code) or _unlisted(code, reason)


def _unlisted(code: int, reason: str) -> Cause:
    """A code that the table does not have: only a login that was refused for our own fault gets few tries."""
    if reason == "login_failure" and code not in _SERVER_ERRORS:
        return Cause.UNKNOWN_REFUSAL
    if reason == "network":
        return Cause.CONNECTION_LOST
    if reason in {"error", "stream_error"} and code == 0:
        return Cause.PROTOCOL_ERROR
    return Cause.UNKNOWN


def _refused_upgrade(status: str) -> Cause:
    """What an HTTP status in place of the WebSocket means: nothing about the account."""
    if status == "429":
        return Cause.HTTP_RATE_LIMITED
    if status == "403":
        return Cause.HTTP_FORBIDDEN
    return Cause.HTTP_UNAVAILABLE if len(status) == len("503") and status.startswith("5") else Cause.HTTP_REFUSED


def _conflict(data: Mapping[str, Any]) -> str:
    """The type of a conflict: the connector's ``conflict``, or Baileys' ``type`` passed on as it is."""
    return str(data.get("conflict") or data.get("type") or "")


def _errno(data: Mapping[str, Any]) -> bool:
    """Whether the operating system named an error: ``ECONNREFUSED``, ``ENOTFOUND``, ``EAI_AGAIN``."""
    return any(str(data.get(key, "")).startswith("E") for key in ("errno", "code"))


def explain(cause: Cause, data: Mapping[str, Any]) -> str:
    """The sentence of a cause, with the reason of a temporary ban where WhatsApp gave one."""
    if cause is Cause.TEMPORARY_BAN and (why := BAN_REASONS.get(str(data.get("code", "")))):
        return f"{cause.sentence.removesuffix('.')}: {why}."
    return cause.sentence
