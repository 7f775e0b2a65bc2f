"""How the Baileys connector process is started: its command, its environment, its start line."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from actors.connectors.protocol import Admission, StartLine

NAME: Final = "baileys"
"""The connector's name in the protocol."""

MAIN: Final = Path(__file__).parent / "bridge" / "main.mjs"
"""The program that Node.js runs."""

INSTALLED: Final = MAIN.parent / "node_modules" / ".package-lock.json"
"""What npm writes anew with each installation."""

HEAP_LIMIT: Final = 512 * 2**20
"""Bytes of JavaScript heap.  Measured: 32 open sessions stay under 200 MB of resident memory in all."""

NEW_SPACE: Final = 2 * 2**20
"""Bytes of half of V8's young generation.  A wave of logins fills both halves, and V8 never gives them back.

V8's own bound is 16 MiB; it takes powers of two.  At 100 messages a second over 20 sessions a message cost the
processes 4.5 ms of processor time with 2 MiB and 5.1 ms with 4 MiB, within the same minutes; with 1 MiB it had been a
quarter more.
"""

ALLOCATOR: Final = {"MALLOC_ARENA_MAX": "2", "MALLOC_TRIM_THRESHOLD_": str(128 * 2**10)}
"""Settings of the C library (mallopt(3)): few threads allocate much, and what is large is given back when it is freed.

The threshold is the one that glibc begins with.  Set, it does not grow with each large piece that is freed, such as the
source code of a module; nor does that from which on a piece is mapped for itself.
"""

_KEPT: Final = ("PATH", "HOME", "LANG", "TZ")


def command(node: str | Path) -> list[str]:
    """The command line; ``node`` is a Node.js of version 20 or newer."""
    return [str(node), "--no-warnings", str(MAIN)]  # warnings are logged as JSON instead


def environment(heap_limit: int = HEAP_LIMIT, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """All that the process gets of the environment: what no secret is in, and the bounds of its memory; in bytes."""
    kept = {name: inherited[name] for name in _KEPT if name in inherited}
    bounds = f"--max-old-space-size={heap_limit // 2**20} --max-semi-space-size={NEW_SPACE // 2**20}"
    return {**kept, **ALLOCATOR, "NODE_OPTIONS": bounds}


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """The connector's options; durations in milliseconds."""

    heartbeat_ms: int = 10_000
    heartbeat_timeout_ms: int = 8_000
    open_deadline_ms: int = 45_000
    ack_timeout_ms: int = 60_000
    standing_ms: int = 900_000
    """How often it asks what WhatsApp lets the account do."""
    pairing_timeout_ms: int = 300_000
    """From the first QR to the end of the attempt, if the server does not end it earlier."""
    websocket_url: str = "wss://web.whatsapp.com/ws/chat"
    noise_root_key: str | None = None
    """Public key of the certificate root in hex, for a server of one's own; None: WhatsApp's."""
    client_version: tuple[int, int, int] | None = None
    """Version of WhatsApp Web that the client says it is; None: the one that came with Baileys."""

    def to_wire(self) -> dict[str, Any]:
        """``options`` of the start line."""
        return {
            "heartbeatMs": self.heartbeat_ms,
            "heartbeatTimeoutMs": self.heartbeat_timeout_ms,
            "openDeadlineMs": self.open_deadline_ms,
            "ackTimeoutMs": self.ack_timeout_ms,
            "pairingTimeoutMs": self.pairing_timeout_ms,
            "standingMs": self.standing_ms,
            "websocketUrl": self.websocket_url,
            "noiseRootKey": self.noise_root_key,
            "clientVersion": None if self.client_version is None else list(self.client_version),
        }


def config_line(options: Options, *, socket: str, vault: str, host: str, admission: Admission) -> StartLine:
    """The line for the process's standard input; ``socket`` and ``vault`` are paths of at most 107 bytes."""
    return StartLine(NAME, socket, vault, host, options.to_wire(), admission)
