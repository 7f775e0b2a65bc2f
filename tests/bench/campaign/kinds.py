"""The kinds of trouble that a campaign makes: every row of the table of faults, what is open and not well, and kills.

For each: how it is done to a simulated session and to a real one, what must be noticed within which time, and what
has to follow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from tests.acceptance.fault_rows import ROWS, Row

After = Literal["heals", "rests", "few_tries", "waits"]
"""Open again by itself; nothing without an operator; a few attempts and no more; one attempt when it is over."""
Scope = Literal["session", "actor", "shard", "service"]
"""What is struck: a connection, a session's actor, a process that a whole shard depends on, a service."""

CLOSED_WITHIN: Final = 0.1
"""Seconds in which the end of a connection is noticed."""
ALL_AT_ONCE_WITHIN: Final = 5.0
"""Seconds in which it is noticed by all if it is all connections that end."""
HALF_OPEN_WITHIN: Final = 20.0
STUCK_WITHIN: Final = 60.0
DEAF_WITHIN: Final = 600.0
FEW: Final = 3
"""Attempts after a refusal that may be permanent."""
REFUSED_FOR: Final = 4.0
"""Seconds for which a simulated server refuses what it will accept again."""
BAN: Final = 8
"""Seconds of a ban that ends in time to be looked at."""


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of trouble."""

    name: str
    causes: frozenset[str]
    """Of the transition or verdict that names it rightly; empty where the end of a process is what is noticed."""
    refused: frozenset[str] = frozenset()
    """Those of which one must be named if it is tried while it lasts; empty where that says nothing new."""
    after: After = "heals"
    scope: Scope = "session"
    state: str = "waiting"
    """In which it rests, where it does."""
    closes: bool = False
    """Whether the blow ends the connection, which is noticed at once; its cause may come with a later attempt."""
    notice_s: float | None = None
    """Bound on the time until it is noticed, of what does not end the connection."""
    lasts_s: float = 0.0
    """How long the world keeps refusing."""
    pairs: bool = False
    """Whether only a new pairing brings it back."""
    simulated: Mapping[str, Any] | None = None
    """The fault in the simulator's words; None: not there."""
    lab: Mapping[str, Any] | None = None
    """The fault on the lab's open connection."""
    refusal: Mapping[str, Any] = field(default_factory=dict)
    """What the lab answers the next logins with."""
    policy: Mapping[str, Any] = field(default_factory=dict)
    """Of the lab's account, meanwhile."""
    sends: bool = False
    """It shows only when something is sent."""
    listens: bool = False
    """It shows only where something usually arrives."""
    node: str = ""
    """Kind, or id, of the node of the tree that is killed."""


_NETWORK: Final = {"xmlstreamend", "close", "fin", "reset"}
_HALF_OPEN: Final = {"silence", "half_open"}
_REMOVED: Final = {"conflict": "device_removed"}


def _simulated(row: Row) -> dict[str, Any]:
    """A row in the simulator's words: what the client reports, and what logins are answered with from then on."""
    kind = str(row.fault.get("kind", ""))
    if kind in _HALF_OPEN:
        return {"fault": "half_open"}
    if kind in _NETWORK:
        return {"fault": "drop"}
    close: dict[str, Any] = {"fault": "close", "code": row.code or 0, "reason": "stream_error", "message": row.id}
    if kind == "garbage":
        close["reason"] = "bad_frame"
    elif row.refusal:
        lasts = REFUSED_FOR if row.after == "heals" else None
        close |= {"reason": "login_failure", "data": dict(row.detail), "for_s": lasts}
    elif row.cause == "device_removed":
        close |= {"data": _REMOVED, "for_s": None}
    return close


def _of_row(row: Row) -> Kind:
    half_open = row.cause == "heartbeat_lost"
    needs_pairing = row.cause in {"device_removed", "logged_out", "multidevice_mismatch"}
    return Kind(
        row.id,
        frozenset({row.cause}),
        after=row.after,
        state=row.state if row.after == "rests" else "halted",
        closes=not half_open,
        notice_s=HALF_OPEN_WITHIN if half_open else None,
        lasts_s=REFUSED_FOR if row.refusal and row.after == "heals" else 0.0,
        pairs=needs_pairing,
        simulated=_simulated(row),
        lab=row.fault or {"kind": "reset"},
        refusal=row.refusal,
    )


def _refused(name: str, cause: str, **fault: Any) -> Kind:
    """A trouble of the connecting itself, which a simulated session can have for itself."""
    lasts = {} if fault["fault"] == "close" and not fault.get("for_s") else {"for_s": REFUSED_FOR}
    lasts_s = REFUSED_FOR if lasts else 0.0
    # where it is let in again before it tries, all that it meets is the end of its connection
    causes = frozenset({cause, "connection_closed"}) if lasts else frozenset({cause})
    refused = frozenset({cause}) if lasts else frozenset[str]()
    return Kind(name, causes, refused, closes=True, lasts_s=lasts_s, simulated={**fault, **lasts})


DIALS: Final = (
    _refused("dial-refused", "network_unreachable", fault="network"),
    _refused("dial-429", "http_rate_limited", fault="rate_limited_http", status=429),
    _refused("dial-403", "http_forbidden", fault="rate_limited_http", status=403),
    _refused("dial-503", "http_unavailable", fault="rate_limited_http", status=503),
    _refused("dial-302", "http_refused", fault="close", code=302, reason="http_302"),
    _refused("dial-garbage", "protocol_error", fault="close", code=0, reason="error"),
)

OPEN_AND_NOT_WELL: Final = (
    Kind(
        *("deaf", frozenset({"deaf"})),
        notice_s=DEAF_WITHIN,
        simulated={"fault": "deaf", "for_s": None},
        lab={"kind": "deaf"},
        listens=True,
    ),
    Kind(
        *("outbound-stuck", frozenset({"outbound_stuck"})),
        notice_s=STUCK_WITHIN,
        simulated={"fault": "outbound_stuck", "for_s": None},
        policy={"dropAck": True},
        sends=True,
    ),
)

BANS: Final = (
    Kind(
        *("ban-that-ends", frozenset({"temporary_ban"})),
        after="waits",
        closes=True,
        state="blocked",
        lasts_s=float(BAN),
        simulated={"fault": "temporary_ban", "expire_s": BAN, "ban_code": "104"},
        lab={"kind": "reset"},
        refusal={"reason": 402, "attrs": {"code": "104", "expire": str(BAN)}, "times": 1},
    ),
)

KILLS: Final = (
    Kind("kill-session-actor", frozenset(), scope="actor", node="session"),
    Kind("kill-connector", frozenset({"connector_lost"}), scope="shard", node="connector-process"),
    Kind("kill-host", frozenset({"connector_lost"}), scope="shard", node="connector-host"),
    Kind("kill-shard", frozenset(), scope="shard", node="shard"),
    Kind("kill-recovery", frozenset(), scope="service", node="recovery"),
    Kind("kill-health", frozenset(), scope="service", node="health"),
    Kind("kill-vault", frozenset(), scope="service", node="vault"),
)

KINDS: Final = (*map(_of_row, ROWS), *DIALS, *BANS, *OPEN_AND_NOT_WELL, *KILLS)
OUTAGE: Final = Kind(
    "server-outage", frozenset({"connection_closed", "network_unreachable"}), notice_s=ALL_AT_ONCE_WITHIN
)
"""All connections end, and nobody is let in for some time; how long is up to the campaign."""
BY_NAME: Final = {kind.name: kind for kind in (*KINDS, OUTAGE)}
