"""A connector that does one thing wrong on purpose: ``python -m tests.contract.wrong``.

What it does is in the start line's ``options``: ``deed`` for all, or ``deeds`` by the name of the host.  Up to that
deed it is a connector like any other, whose sessions are paired and open when they are told to.  With ``once``, the
name of a directory, it does wrong only the first time that it finds no file with its host's name in there.  With
``diary``, the name of a file, it notes there what its host tells it: a line of JSON each.
"""

import asyncio
import json
import os
import struct
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import msgpack

FLOOD = 200_000
MICROSECONDS = 1_795_370_094_000_000
"""A time as somebody tells it who takes another unit."""
STATE = {"phase": "idle", "paired": True, "me": None, "openedAt": None, "qr": None, "qrExpiresAt": None}


def frame(value: Any) -> bytes:
    body: bytes = msgpack.packb(value)
    return struct.pack(">I", len(body)) + body


def event(name: str, **fields: Any) -> bytes:
    return frame({"ev": name, "session": "s", "at": 1, **fields})


def message(n: int) -> bytes:
    values = {"messageId": f"M{n}", "from": "1@s.whatsapp.net", "timestamp": 1, "text": "x" * 1000}
    return event("message", n=n, **values)


HOST_LINK = {
    "oversize": b"\xff\xff\xff\xff",
    "long": struct.pack(">I", 513 * 1024),
    "no-msgpack": b"\0\0\0\1\xc1",
    "a-million-lists": struct.pack(">I", 500_000) + b"\xdd" + struct.pack(">I", 499_995) + b"\x90" * 499_995,
    "nothing-known": frame({"what": 1}),
    "unknown-answer": frame({"re": 10**6, "ok": {}}),
    "wrong-field": event("phase", phase="flying"),
    "many-names": b"".join(frame({"ev": "phase", "session": f"n{n}", "at": 1, "phase": "open"}) for n in range(9000))
    + b"\xff\xff\xff\xff",
    "gap": message(1) + message(3),
    "microseconds": event(
        "message", n=1, **{"messageId": "M", "from": "1@g.us", "timestamp": MICROSECONDS, "text": None}
    ),
    "no-number": event("receipt", messageId="M", type="delivered"),
    "window": b"".join(message(n) for n in range(1, 400)),
    "pairs": event("phase", phase="pairing"),  # which is right, and takes for ever
    "flood": event("phase", phase="idle") * FLOOD,
    "unknown-flood": event("news") * FLOOD,
}
"""What is written on the host's link right after the answer to hello."""
ANSWERS: dict[str, dict[str, dict[str, Any]]] = {
    "nack-data": {"send": {"err": {"code": "nack", "message": "", "data": "463"}}},
    "pairing-answer": {"pairing_code": {"ok": {}}},
    "pairing-none": {"pairing_code": {"ok": None}},
    "pairing-null": {"pairing_code": {"ok": {"code": "ABCD1234", "expiresAt": None}}},
    "pairing-microseconds": {"pairing_code": {"ok": {"code": "ABCD1234", "expiresAt": MICROSECONDS}}},
    "pairing-data": {"pairing_code": {"err": {"code": "not_pairing", "message": "", "data": 1}}},
}
"""What a command is answered with."""
SESSION_LINK = {
    "session-oversize": b"\xff\xff\xff\xff",
    "session-garbage": b"GET / HTTP/1.1\r\n\r\n",
    "session-wrong-field": event("rtt", ms="soon"),
    "session-wrong-rating": event("quality", rating="splendid"),
    "session-microseconds": event("timelock", active=True, until=MICROSECONDS),
    "session-cap-microseconds": event("message_cap", used=1, total=2, capped=True, until=float(MICROSECONDS * 1000)),
    "session-qr-microseconds": event("qr", qr="x", expiresAt=MICROSECONDS),
    "session-at-microseconds": event("heard", at=MICROSECONDS),
    "session-huge-number": event("ack", messageId="M", error=2**64 - 1, ms=1.0),
    "session-no-rating": event("quality", rating=None),
    "session-flood": event("rtt", ms=1.0) * FLOOD,
    "session-quality-flood": event("quality", rating="low") * FLOOD,
}
"""What is written on a session's link right after it was opened."""


class Wrong:
    host: asyncio.StreamWriter
    """Of the host's link."""

    def __init__(self, start: dict[str, Any]) -> None:
        self.start = start
        options = start["options"]
        self.deed = self.chosen(options)
        if (once := options.get("once")) is not None:
            done = Path(once) / start["host"]
            if done.exists():
                self.deed = "good"
            done.touch()
        self.identity = {"protocol": 1, "connector": start["connector"], "version": "0", "pid": os.getpid()}

    def chosen(self, options: dict[str, Any]) -> str:
        deed: str = options.get("deeds", {}).get(self.start["host"]) or options.get("deed", "good")
        return deed

    async def run(self) -> None:
        if self.deed == "dies":
            sys.exit(3)
        if self.deed == "mute":
            await asyncio.Event().wait()
        if self.deed == "endless":
            while True:
                os.write(1, b"x" * 65536)
        ready = {"ready": True, **self.identity}
        if self.deed == "newer":
            ready["protocol"] = 2
        elif self.deed == "other":
            ready["connector"] = "other"
        elif self.deed == "half-a-pair":
            ready["version"] = "\ud800"
        if self.deed != "absent":
            await asyncio.start_unix_server(self.link, self.start["socket"])
        print("hello" if self.deed == "gibberish" else json.dumps(ready), flush=True)  # noqa: T201
        if self.deed == "noisy":
            for _ in range(5000):
                os.write(1, b"x" * 100 + b"\n")
                os.write(2, b"y" * 100 + b"\n")
        if self.deed == "nested-stderr":
            os.write(2, b"[" * 20_000 + b"\n" + b"[" * 20_000)
        await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
        os._exit(0)

    async def link(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        role, name = None, "s"
        async for request in requests(reader):
            if request["cmd"] == "hello":
                role, name = request["role"], request.get("session", "s")
                if role == "host":
                    self.host = writer
                if not self.hello(request, writer):
                    continue
            elif self.deed == "hangs" and role == "host":
                continue  # also what it is asked each heartbeat
            else:
                answer = ANSWERS.get(self.deed, {}).get(request["cmd"], {"ok": {}})
                writer.write(frame({"re": request["id"], **answer}))
            if request["cmd"] == "options" and "once" not in self.start["options"]:
                self.deed = self.chosen(request["options"])
            if role == "host" and "diary" in self.start["options"]:
                self.note(request)
            if request["cmd"] == "open":
                session = {"session": name, "at": 1}
                if self.deed == "nack-data":  # it is given no messages for what is not open
                    self.host.write(frame({"ev": "phase", **session, "phase": "open"}))
                writer.write(frame({"ev": "connecting", **session}))
                writer.write(frame({"ev": "open", **session, "me": None, "version": "0", "loginMs": 1}))
                writer.write(SESSION_LINK.get(self.deed, b""))
        os._exit(0) if role == "host" else writer.close()

    def note(self, request: dict[str, Any]) -> None:
        with Path(self.start["options"]["diary"]).open("a") as diary:
            diary.write(json.dumps({"pid": os.getpid(), **request}) + "\n")

    def hello(self, request: dict[str, Any], writer: asyncio.StreamWriter) -> bool:
        """Whether it was answered."""
        host = request["role"] == "host"
        answer = {**self.identity, "capabilities": ["text", "stored"]}
        if not host:
            answer |= {"adopted": False, "state": STATE}
        if host and self.deed == "early":
            writer.write(event("phase", phase="idle"))
        elif host and self.deed == "silent":
            return False
        elif host and self.deed == "refuses":
            writer.write(frame({"re": request["id"], "err": {"code": "unsupported_protocol", "message": "no"}}))
            return False
        elif host and self.deed == "hangs-up":
            writer.close()
            return False
        elif host and self.deed == "newer-hello":
            answer["protocol"] = 2
        elif not host and self.deed == "session-refuses":
            writer.write(frame({"re": request["id"], "err": {"code": "limit", "message": "no room"}}))
            return False
        elif not host and self.deed == "session-bad-hello":
            del answer["version"]
        elif not host and self.deed == "session-early":
            writer.write(event("rtt", ms=1.0))
        elif not host and self.deed == "session-wrong-state":
            answer["state"] = {**STATE, "quality": {"rating": "splendid", "at": 1}}
        writer.write(frame({"re": request["id"], "ok": answer}))
        if host:
            writer.write(HOST_LINK.get(self.deed, b""))
        return True


async def requests(reader: asyncio.StreamReader) -> AsyncIterator[dict[str, Any]]:
    while True:
        try:
            (length,) = struct.unpack(">I", await reader.readexactly(4))
            yield msgpack.unpackb(await reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError):
            return


if __name__ == "__main__":
    asyncio.run(Wrong(json.loads(sys.stdin.readline())).run())
