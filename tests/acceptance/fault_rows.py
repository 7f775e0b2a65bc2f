"""Every way in which WhatsApp or the network ends a connection, as the table of faults has it, and what must follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

After = Literal["heals", "rests", "few_tries"]
"""Open again by itself; nothing without an operator; a few attempts, then nothing."""

PAIR_AGAIN: Final = "Pair the device again"
BY_ITSELF: Final = "it reconnects by itself"
CLOSED: Final = "connection_closed"


Steps = list[tuple[str, str | None]]
"""(state, cause) of transitions, in their order."""


@dataclass(frozen=True, slots=True)
class Row:
    """One row: what is injected, and what wavigil has to make of it."""

    id: str
    """Of the session that it happens to."""
    cause: str
    code: int | None
    state: str
    """In which the cause is first shown."""
    after: After
    remedy: str
    """Words of it."""
    fault: Mapping[str, Any] = field(default_factory=dict)
    """Done to the open connection, in the lab's words."""
    refusal: Mapping[str, Any] = field(default_factory=dict)
    """Of the next login, in the lab's words; the open connection is reset for it."""
    blocked: bool = False
    detail: Mapping[str, str] = field(default_factory=dict)
    """What the cause's detail must have."""

    @property
    def path(self) -> Steps:
        """(state, cause) of the transitions from the injection on; few tries go on behind the second."""
        before: Steps = [("waiting", CLOSED), ("connecting", CLOSED)] if self.refusal else []
        here: Steps = [(self.state, self.cause)]
        retried: Steps = [] if self.state == "connecting" else [("connecting", self.cause)]
        further: dict[After, Steps] = {
            "rests": [],
            "few_tries": [*retried, *here],
            "heals": [*retried, ("open", None)],
        }
        return [*before, *here, *further[self.after]]


def _ends(id: str, cause: str, status: int, kind: str, **parameters: Any) -> Row:
    return Row(id, cause, status, "waiting", "heals", BY_ITSELF, {"kind": kind, **parameters})


def _refused(id: str, cause: str, code: int, remedy: str = BY_ITSELF) -> Row:
    return Row(id, cause, code, "waiting", "heals", remedy, refusal={"reason": code, "times": 1})


def _rests(id: str, cause: str, code: int, remedy: str, fault: Mapping[str, Any] | None = None) -> Row:
    refusal = {} if fault else {"reason": code}
    return Row(id, cause, code, "halted", "rests", remedy, fault or {}, refusal)


def _blocked(id: str, cause: str, status: int, remedy: str, **attrs: str) -> Row:
    refusal = {"reason": status, "attrs": attrs}
    return Row(id, cause, status, "blocked", "rests", remedy, refusal=refusal, blocked=True, detail=attrs)


def _few(cause: str, code: int, remedy: str) -> Row:
    return Row(f"login-{code}", cause, code, "waiting", "few_tries", remedy, refusal={"reason": code})


REMOVED: Final = {"kind": "stream_error", "child": "conflict", "childAttrs": {"type": "device_removed"}}

FEW_TRIES: Final = (
    _few("bad_user_agent", 409, "Upgrade wavigil"),
    _few("token_expired", 413, "Reconnect"),
    _few("token_invalid", 414, "Reconnect"),
    _few("not_found", 415, "Check that the number"),
    _few("client_unknown", 418, "Upgrade wavigil"),
    _few("unknown_refusal", 499, "report it"),
)

ROWS: Final = (
    Row("stream-515", "restart_required", 515, "connecting", "heals", BY_ITSELF, {"kind": "stream_error", "code": 515}),
    _rests("removed-401", "device_removed", 401, PAIR_AGAIN, {"code": 401, **REMOVED}),
    _rests("removed", "device_removed", 440, PAIR_AGAIN, REMOVED),
    _rests("replaced", "connection_replaced", 440, "stop the other owner", {"kind": "replaced"}),
    _rests("downgrade", "multidevice_mismatch", 411, PAIR_AGAIN, {"kind": "downgrade"}),
    _ends("stream-503", "service_unavailable", 503, "stream_error", code=503),
    Row(
        *("unknown-child", "bad_session", 500, "waiting", "heals", "Nothing wipes it"),
        fault={"kind": "stream_error", "child": "xml-not-well-formed"},
    ),
    _ends("xmlstreamend", CLOSED, 428, "xmlstreamend"),
    _ends("close-1000", CLOSED, 428, "close", code=1000),
    _ends("close-1011", CLOSED, 428, "close", code=1011),
    _ends("fin", CLOSED, 428, "fin"),
    _ends("rst", CLOSED, 428, "reset"),
    _ends("bad-frame", "bad_frame", 500, "garbage"),
    _ends("silence", "heartbeat_lost", 408, "silence"),
    _ends("half-open", "heartbeat_lost", 408, "half_open"),
    _refused("login-400", "generic_failure", 400),
    _refused("login-500", "bad_session", 500, "Nothing wipes it"),
    _refused("login-501", "experimental", 501),
    _refused("login-503", "service_unavailable", 503),
    _rests("login-401", "logged_out", 401, PAIR_AGAIN),
    _rests("login-405", "client_outdated", 405, "client_version"),
    _rests("login-411", "multidevice_mismatch", 411, PAIR_AGAIN),
    _blocked("login-402", "temporary_ban", 402, "Stop sending and wait", code="101", expire="86400"),
    _blocked("login-403", "locked", 403, "Open WhatsApp on the phone"),
    _blocked("login-406", "banned", 406, "Ask for a review"),
    *FEW_TRIES,
)


@dataclass(frozen=True, slots=True)
class Dial:
    """A row of the connecting itself: a rule for one connection attempt, whoever makes it."""

    rule: Mapping[str, Any]
    causes: frozenset[str]
    """One of them is told: which, is a race of two deadlines where there is more than one."""
    shy: bool = False
    """Whether the next attempt has to wait for 10 s at least."""


NO_ANSWER: Final = frozenset({"connection_lost", "open_deadline"})
DIALS: Final = (
    Dial({"kind": "http", "status": 403}, frozenset({"http_forbidden"}), shy=True),
    Dial({"kind": "http", "status": 429}, frozenset({"http_rate_limited"}), shy=True),
    Dial({"kind": "http", "status": 503}, frozenset({"http_unavailable"})),
    Dial({"kind": "http", "status": 302}, frozenset({"http_refused"})),
    Dial({"kind": "reset"}, frozenset({"network_unreachable"})),
    Dial({"kind": "hang"}, NO_ANSWER),
    Dial({"kind": "hang_hello"}, NO_ANSWER),
    Dial({"kind": "garbage"}, frozenset({"protocol_error"})),
)
