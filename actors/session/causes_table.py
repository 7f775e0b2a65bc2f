"""The table of causes: every way in which a connection ends, with code, sentence and remedy side by side.

Codes are WhatsApp's (``<failure reason>``, ``<stream:error code>``) as whatsmeow names them, and those that
Baileys makes up for what has none (408, 428, 440).
"""

from actors.session.causes_row import HEALS, PAIR_AGAIN, NamedRow, Row
from actors.session.vocabulary import Disposition, State


class Cause(NamedRow):
    """Why a connection ended, or why a session is not connected.  Its value is the row's name."""

    # What WhatsApp says.
    GENERIC_FAILURE = Row(
        "generic_failure", (400,), Disposition.BACK_OFF, "WhatsApp refused the login without a reason.", HEALS
    )
    LOGGED_OUT = Row(
        "logged_out", (401,), Disposition.HALT, "The device was logged out.", PAIR_AGAIN, needs_pairing=True
    )
    DEVICE_REMOVED = Row(
        "device_removed", (), Disposition.HALT, "The device was removed on the phone.", PAIR_AGAIN, needs_pairing=True
    )
    TEMPORARY_BAN = Row(
        "temporary_ban",
        (402,),
        Disposition.WAIT_UNTIL,
        "WhatsApp banned the account for a time.",
        "Stop sending and wait: one login is tried when the ban is over. Change what led to it first.",
        is_blocked=True,
    )
    LOCKED = Row(
        "locked",
        (403,),
        Disposition.BLOCK,
        "WhatsApp locked the account, or its phone is gone.",
        "Open WhatsApp on the phone and follow what it asks; then `wavigil sessions reconnect ID`.",
        is_blocked=True,
    )
    CLIENT_OUTDATED = Row(
        "client_outdated",
        (405,),
        Disposition.HALT,
        "WhatsApp no longer accepts this version of the client; all sessions are affected.",
        "Upgrade wavigil, or set connectors.baileys.client_version and reload: the sessions then try again.",
    )
    BANNED = Row(
        "banned",
        (406,),
        Disposition.BLOCK,
        "WhatsApp banned the account.",
        "Ask for a review in WhatsApp on the phone. Trying again makes it worse.",
        is_blocked=True,
    )
    BAD_USER_AGENT = Row(
        "bad_user_agent",
        (409,),
        Disposition.FEW_TRIES,
        "WhatsApp does not accept how the client describes itself.",
        "Upgrade wavigil or correct the client version; then reconnect.",
    )
    MULTIDEVICE_MISMATCH = Row(
        "multidevice_mismatch",
        (411,),
        Disposition.HALT,
        "The device's multi-device data does not match the phone's.",
        PAIR_AGAIN,
        needs_pairing=True,
    )
    TOKEN_EXPIRED = Row(
        "token_expired",
        (413,),
        Disposition.FEW_TRIES,
        "The device's access token has expired.",
        "Reconnect; if it is refused again, pair the device again.",
    )
    TOKEN_INVALID = Row(
        "token_invalid",
        (414,),
        Disposition.FEW_TRIES,
        "The device's access token is not valid.",
        "Reconnect; if it is refused again, pair the device again.",
    )
    NOT_FOUND = Row(
        "not_found",
        (415,),
        Disposition.FEW_TRIES,
        "WhatsApp does not find the account or the device.",
        "Check that the number still has WhatsApp; then reconnect or pair again.",
    )
    CLIENT_UNKNOWN = Row(
        "client_unknown",
        (418,),
        Disposition.FEW_TRIES,
        "WhatsApp does not know this client.",
        "Upgrade wavigil; then reconnect.",
    )
    UNKNOWN_REFUSAL = Row(
        "unknown_refusal",
        (),
        Disposition.FEW_TRIES,
        "WhatsApp refused the login with a code that wavigil does not know.",
        "Look the code up and report it; then reconnect.",
    )
    CONNECTION_REPLACED = Row(
        "connection_replaced",
        (440,),
        Disposition.HALT,
        "Somebody else logged in with this device's auth state.",
        "Find and stop the other owner (a second gateway, a copied auth folder); then reconnect.",
    )
    BAD_SESSION = Row(
        "bad_session",
        (500,),
        Disposition.BACK_OFF,
        "WhatsApp reported an error of the server or of the session.",
        "None at first. If it lasts, the auth state may be damaged: pair again. Nothing wipes it by itself.",
    )
    EXPERIMENTAL = Row("experimental", (501,), Disposition.BACK_OFF, "WhatsApp refused an experimental feature.", HEALS)
    SERVICE_UNAVAILABLE = Row(
        "service_unavailable", (503,), Disposition.BACK_OFF, "WhatsApp is not available at the moment.", HEALS
    )
    RESTART_REQUIRED = Row(
        "restart_required",
        (515,),
        Disposition.AT_ONCE,
        "WhatsApp asked for a new connection; normal after a pairing.",
        HEALS,
        state=State.CONNECTING,
    )

    # What happens to connections.
    CONNECTION_LOST = Row("connection_lost", (408,), Disposition.BACK_OFF, "The server did not answer any more.", HEALS)
    CONNECTION_CLOSED = Row(
        "connection_closed", (428,), Disposition.BACK_OFF, "The server or the network closed the connection.", HEALS
    )
    NETWORK_UNREACHABLE = Row(
        "network_unreachable",
        (),
        Disposition.BACK_OFF,
        "The server could not be reached.",
        "If it lasts: check network, DNS, proxy and firewall of this machine.",
    )
    PROXY_FAILED = Row(
        "proxy_failed",
        (),
        Disposition.BACK_OFF,
        "The session's proxy could not be reached, or did not let it through.",
        "If it lasts: check that proxy, its address, user and password under proxies; then `wavigil reload`.",
    )
    HTTP_RATE_LIMITED = Row(
        "http_rate_limited",
        (),
        Disposition.BACK_OFF,
        "The server refused the WebSocket: too many connections (HTTP 429).",
        "If it lasts: lower connects_per_second, or spread the sessions over more addresses.",
    )
    HTTP_FORBIDDEN = Row(
        "http_forbidden",
        (),
        Disposition.BACK_OFF,
        "The server refused the WebSocket: forbidden (HTTP 403).",
        "If it lasts: this machine's address or proxy is probably refused; the account itself is not.",
    )
    HTTP_UNAVAILABLE = Row(
        "http_unavailable",
        (),
        Disposition.BACK_OFF,
        "The server refused the WebSocket: not available (HTTP 5xx).",
        HEALS,
    )
    HTTP_REFUSED = Row(
        "http_refused",
        (),
        Disposition.BACK_OFF,
        "The server refused the WebSocket with an unexpected HTTP status.",
        "If it lasts: check connectors.baileys.websocket_url and the proxy.",
    )
    OPEN_DEADLINE = Row("open_deadline", (), Disposition.BACK_OFF, "The connection did not open in time.", HEALS)
    HEARTBEAT_LOST = Row(
        "heartbeat_lost", (), Disposition.BACK_OFF, "The server did not answer our heartbeat: half-open.", HEALS
    )
    DEAF = Row(
        "deaf",
        (),
        Disposition.BACK_OFF,
        "The connection was open, but nothing arrived any more, not even the test message of another session.",
        HEALS,
    )
    OUTBOUND_STUCK = Row(
        "outbound_stuck",
        (),
        Disposition.BACK_OFF,
        "The connection was open, but the server did not acknowledge what was sent.",
        HEALS,
    )
    BAD_FRAME = Row(
        "bad_frame", (), Disposition.BACK_OFF, "The server sent a frame that could not be decrypted.", HEALS
    )
    PROTOCOL_ERROR = Row(
        "protocol_error", (), Disposition.BACK_OFF, "The connection failed with an error in the protocol.", HEALS
    )
    CLOSED_BY_US = Row(
        "closed_by_us", (), Disposition.BACK_OFF, "The connector closed a connection that nobody held any more.", HEALS
    )
    UNKNOWN = Row("unknown", (), Disposition.BACK_OFF, "The connection ended for a reason that is not known.", HEALS)

    # What happens on our side.
    VAULT_UNAVAILABLE = Row(
        "vault_unavailable",
        (),
        Disposition.BACK_OFF,
        "The auth state could not be stored, so the connection was closed.",
        "If it lasts: check disk space, and the vault in `wavigil tree`.",
    )
    AUTH_TOO_LARGE = Row(
        "auth_too_large",
        (),
        Disposition.BACK_OFF,
        "A part of the auth state is larger than the vault takes, so the connection was closed.",
        "If it comes again: the message names the kind. Log the device out and pair it again, which begins anew.",
    )
    CONNECTOR_LOST = Row(
        "connector_lost", (), Disposition.AT_ONCE, "The connector process ended, or the link to it was lost.", HEALS
    )
    CONNECTOR_RECYCLED = Row(
        "connector_recycled",
        (),
        Disposition.AT_ONCE,
        "The session moves to a fresh connector process, since the old one used too much memory.",
        HEALS,
        state=State.CONNECTING,
    )
    CONNECTOR_FAULTY = Row(
        "connector_faulty",
        (),
        Disposition.AT_ONCE,
        "The connector process broke the connector protocol, or could not start, and was ended.",
        "It is started again by itself. If it lasts: the message says what was wrong, the log what it said last.",
    )
    PROXY_UNUSABLE = Row(
        "proxy_unusable",
        (),
        Disposition.HALT,
        "The session has a proxy that can't be used, and it never connects past it.",
        "Say under proxies where it is, or take a connector that has the capability; then `wavigil reload`.",
    )
    BACKLOG = Row(
        "backlog",
        (),
        Disposition.BACK_OFF,
        "Messages arrived faster than they could be stored, so the connection was closed; they come again.",
        "If it lasts: check disk space and `wavigil doctor`.",
    )
    FENCED = Row(
        "fenced",
        (),
        Disposition.NONE,
        "A newer actor owns this session.",
        "None: the newer one goes on.",
        state=State.CLOSING,
    )
    CRASH_LOOP = Row(
        "crash_loop",
        (),
        Disposition.NONE,
        "The session's actor crashed too often and is parked.",
        "It is tried again every 5 minutes. Report the error in the log.",
        state=State.PARKED,
    )
    PAIRING_EXPIRED = Row(
        "pairing_expired", (), Disposition.IDLE, "Nobody scanned the QR or typed the code in time.", PAIR_AGAIN
    )
    INTENTIONAL_LOGOUT = Row(
        "intentional_logout", (), Disposition.IDLE, "The operator logged the device out.", PAIR_AGAIN
    )
    OPERATOR_STOP = Row(
        "operator_stop", (), Disposition.NONE, "The operator stopped the session.", "`wavigil sessions start ID`."
    )
    OPERATOR_RECONNECT = Row(
        "operator_reconnect",
        (),
        Disposition.AT_ONCE,
        "The operator asked for a new connection.",
        HEALS,
        state=State.CONNECTING,
    )
