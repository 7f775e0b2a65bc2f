"""The commands of both kinds of link.  Arguments are checked here; what is wrong raises BadField."""

import asyncio
import re
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable
from typing import Any

from actors.connectors.fields import BadField, Fields
from actors.connectors.protocol import Admission, ErrorCode, Phase, Stats
from actors.connectors.proxytarget import ProxyTarget
from actors.connectors.simulator.delivery import hand_in
from actors.connectors.simulator.faults import read_fault
from actors.connectors.simulator.mailbox import Letter
from actors.connectors.simulator.profile import read_phone
from actors.connectors.simulator.session import Session
from actors.connectors.simulator.shared import Options, Shared
from actors.connectors.simulator.stats import LagProbe, cpu_ms, rss_bytes
from actors.runtime.frames import Frame
from actors.runtime.rpc import RemoteError

EVERYBODY = "*"
MAX_TEXT = 65_536
"""Characters of a text."""
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_RECIPIENT = re.compile(
    r"\+?(?P<phone>\d{5,15})|(?P<user>\d{5,20})@(?:s\.whatsapp\.net|lid)|(?P<group>\d{5,20}(?:-\d{5,20})?)@g\.us",
    re.ASCII,
)


async def session_command(session: Session, request: Frame) -> Any:
    """Answers one request of a session's link.  Raises RemoteError, BadField."""
    command = _SESSION_COMMANDS.get(request["cmd"])
    if command is None:
        raise _unknown(request)
    return await command(session, Fields(request))


async def host_command(shared: Shared, lag: LagProbe, request: Frame) -> Any:
    """Answers one request of the host's link.  Raises RemoteError, BadField."""
    if request["cmd"] == "stats":
        phases = Counter(str(session.phase) for session in shared.sessions.values())
        counts = {**{str(phase): 0 for phase in Phase}, **phases, **shared.counts}
        return Stats(rss_bytes(), cpu_ms(), len(shared.sessions), lag.take(), counts).to_wire()
    command = _HOST_COMMANDS.get(request["cmd"])
    if command is None:
        raise _unknown(request)
    return await command(shared, Fields(request))


async def drill_command(shared: Shared, request: Frame) -> Any:
    """Answers one request of a drill's link.  Raises RemoteError, BadField."""
    command = _WORLD_COMMANDS.get(request["cmd"])
    if command is None:
        raise _unknown(request)
    return await command(shared, Fields(request))


def _unknown(request: Frame) -> RemoteError:
    return RemoteError(ErrorCode.UNKNOWN_COMMAND, f"not a command of this link: {request['cmd']!r}")


async def _open(session: Session, request: Fields) -> dict[str, Any]:
    session.open(ProxyTarget.read(request))
    return {}


async def _close(session: Session, _: Fields) -> dict[str, Any]:
    session.close()
    return {}


async def _logout(session: Session, _: Fields) -> dict[str, Any]:
    await session.logout()
    return {}


async def _reset_auth(session: Session, _: Fields) -> dict[str, Any]:
    await session.reset_auth()
    return {}


async def _pairing_code(session: Session, wire: Fields) -> dict[str, Any]:
    phone = read_phone(wire)
    code, expires_at = session.pairing.ask_code(phone)
    return {"code": code, "expiresAt": expires_at}


async def _status(session: Session, _: Fields) -> dict[str, Any]:
    return session.state.to_wire()


async def _send(shared: Shared, wire: Fields) -> dict[str, Any]:
    session, message_id, text = _known(shared, wire), wire.text("messageId"), wire.text("text")
    if _MESSAGE_ID.fullmatch(message_id) is None:
        raise BadField("messageId", "expected 1 to 64 letters, digits, dots, dashes or underscores")
    if not text:
        raise BadField("text", "expected a text that is not empty")
    if len(text) > MAX_TEXT:
        raise RemoteError(ErrorCode.LIMIT, f"the text is longer than {MAX_TEXT} characters")
    recipient = _RECIPIENT.fullmatch(wire.text("to"))
    if recipient is None:
        raise RemoteError(ErrorCode.INVALID_RECIPIENT, "expected a phone number, or the JID of a user or a group")
    peer = next(part for part in recipient.groups() if part is not None)
    return await session.open_connection().sends.send(message_id, peer, text)


async def _ping(_shared: Shared, _wire: Fields) -> dict[str, Any]:
    return {}


async def _stored(shared: Shared, wire: Fields) -> dict[str, Any]:
    shared.kept.stored(wire.integer("upto", least=0))
    return {}


async def _admission(shared: Shared, wire: Fields) -> dict[str, Any]:
    shared.gate.change(Admission.read(wire))
    return {}


async def _admit(shared: Shared, wire: Fields) -> dict[str, Any]:
    session = _known(shared, wire)
    at, by = wire.number("at") / 1000, wire.number("by") / 1000
    await asyncio.sleep(max(0.0, at - shared.loop.time()))
    if session.connection is None:
        raise RemoteError(ErrorCode.NOT_QUEUED, "there is no connection")
    session.connection.admit(by)
    return {}


async def _options(shared: Shared, wire: Fields) -> dict[str, Any]:
    shared.change(Options.read(Fields(wire.get("options"), "options")))
    return {}


async def _fault(shared: Shared, wire: Fields) -> dict[str, Any]:
    fault = read_fault(wire, ("id", "cmd", "session"))
    sessions = _chosen(shared, wire)
    at = shared.now_ms()
    for session in sessions:
        session.strike(fault)
    return {"sessions": len(sessions), "at": at}


async def _clear(shared: Shared, wire: Fields) -> dict[str, Any]:
    sessions = _chosen(shared, wire)
    for session in sessions:
        session.clear()
    return {"sessions": len(sessions)}


async def _scan(shared: Shared, wire: Fields) -> dict[str, Any]:
    session = _known(shared, wire)
    phone = read_phone(wire) if "phone" in wire else session.phone
    session.pairing.scan(phone, wire.text_or_none("qr"))
    return {}


async def _enter_code(shared: Shared, wire: Fields) -> dict[str, Any]:
    _known(shared, wire).pairing.enter_code(wire.text("code"))
    return {}


async def _deliver(shared: Shared, wire: Fields) -> dict[str, Any]:
    sender = read_phone(wire, "from")
    letter = Letter(wire.text("messageId"), sender, wire.text_or_none("text"), shared.now_ms())
    hand_in(_known(shared, wire), shared, letter)
    return {}


def _known(shared: Shared, wire: Fields) -> Session:
    session = shared.sessions.get(wire.text("session"))
    if session is None or not session.vault.generation:
        raise RemoteError(ErrorCode.UNKNOWN_SESSION, f"no such session: {wire.text('session')!r}")
    return session


def _chosen(shared: Shared, wire: Fields) -> tuple[Session, ...]:
    sessions: Iterable[Session] = (
        shared.sessions.values() if wire.text("session") == EVERYBODY else (_known(shared, wire),)
    )
    return tuple(sessions)


_SESSION_COMMANDS: dict[str, Callable[[Session, Fields], Awaitable[Any]]] = {
    "open": _open,
    "close": _close,
    "logout": _logout,
    "reset_auth": _reset_auth,
    "pairing_code": _pairing_code,
    "status": _status,
}
_WORLD_COMMANDS: dict[str, Callable[[Shared, Fields], Awaitable[Any]]] = {
    "fault": _fault,
    "clear": _clear,
    "scan": _scan,
    "enter_code": _enter_code,
    "deliver": _deliver,
}
"""What the world does to sessions, and people with their phones."""
_HOST_COMMANDS: dict[str, Callable[[Shared, Fields], Awaitable[Any]]] = {
    "send": _send,
    "ping": _ping,
    "stored": _stored,
    "admission": _admission,
    "admit": _admit,
    "options": _options,
    **_WORLD_COMMANDS,
}
