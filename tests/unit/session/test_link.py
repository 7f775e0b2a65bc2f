"""A session's link, against a connector and a vault of a few lines."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.host.fault import FaultKind
from actors.connectors.protocol import PROTOCOL, Hello
from actors.runtime import frames
from actors.session.link import LinkTo, SessionLink
from actors.vault.client import Reservation

STATE = {"phase": "idle", "paired": True, "me": None, "openedAt": None, "qr": None, "qrExpiresAt": None}
HELLO = {"protocol": PROTOCOL, "connector": "simulator", "version": "1", "pid": 1, "capabilities": ["text"]}
CLOSED = {"ev": "closed", "session": "a", "at": 1, "code": 0, "reason": "closed_by_us", "message": "", "data": {}}


@asynccontextmanager
async def serving(path: Path, answered: Callable[[frames.Frame], bytes]) -> AsyncIterator[None]:
    """Listens there, and answers each request with these bytes."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while (request := await frames.read(reader)) is not None:
            writer.write(answered(request))
        writer.close()

    server = await asyncio.start_unix_server(serve, path)
    try:
        yield
    finally:
        server.close()


def peer(path: Path, *behind: dict[str, Any]) -> AbstractAsyncContextManager[None]:
    """Answers everything that a connector or a vault is asked first; ``behind`` comes in the same breath."""

    def answered(request: frames.Frame) -> bytes:
        answer = {**HELLO, "adopted": False, "state": STATE, "generation": 7, "replaced": 0}
        answers = b"".join(frames.encode(event) for event in behind) if request.get("role") == "session" else b""
        return frames.encode({"re": request["id"], "ok": answer}) + answers

    return serving(path, answered)


def refusing(path: Path, patience: int) -> AbstractAsyncContextManager[None]:
    """A connector that refuses so many sessions, in ever other words, and greets the next."""
    refused = itertools.count(1)

    def answered(request: frames.Frame) -> bytes:
        if (number := next(refused)) <= patience:
            said: dict[str, Any] = {"err": {"code": "limit", "message": f"no room, for the {number}. time", "data": {}}}
        else:
            said = {"ok": {**HELLO, "adopted": False, "state": STATE}}
        return frames.encode({"re": request["id"], **said})

    return serving(path, answered)


def ignore(*_: Any) -> None:
    pass


async def test_what_comes_right_behind_the_hello_is_told_after_it(tmp_path: Path) -> None:
    told: list[str] = []
    both = asyncio.Event()

    def heard(what: str) -> None:
        told.append(what)
        if len(told) == 2:
            both.set()

    def up(hello: Hello, _reserved: Reservation) -> None:
        heard(f"up, paired {hello.state is not None and hello.state.paired}")

    to = LinkTo("a", str(tmp_path / "c.sock"), str(tmp_path / "v.sock"), None)
    link = SessionLink(to, up=up, down=ignore, on_event=lambda event: heard(event.name), on_fault=ignore)
    async with peer(tmp_path / "c.sock", CLOSED), peer(tmp_path / "v.sock"):
        running = asyncio.ensure_future(link.run())
        async with asyncio.timeout(20):
            await both.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert told == ["up, paired True", "closed"]


async def test_a_connector_that_is_there_again_is_reached_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("actors.session.link.RETRY", 600.0)
    up = asyncio.Event()
    to = LinkTo("a", str(tmp_path / "c.sock"), str(tmp_path / "v.sock"), None)
    link = SessionLink(to, up=lambda _hello, _generation: up.set(), down=ignore, on_event=ignore, on_fault=ignore)
    running = asyncio.ensure_future(link.run())
    await asyncio.sleep(0)  # the first attempt: nobody is there
    async with peer(tmp_path / "c.sock"), peer(tmp_path / "v.sock"):
        while not up.is_set():  # whatever the first attempt has come to by now
            link.hurry()
            await asyncio.sleep(0.01)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_refusal_that_lasts_is_told_each_time_in_the_same_words_and_logged_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("actors.session.link.RETRY", 0.001)
    told: list[tuple[FaultKind, str]] = []
    up = asyncio.Event()
    to = LinkTo("a", str(tmp_path / "c.sock"), str(tmp_path / "v.sock"), None)
    link = SessionLink(
        to,
        up=lambda _hello, _generation: up.set(),
        down=ignore,
        on_event=ignore,
        on_fault=lambda _pid, kind, why: told.append((kind, why)),
    )
    async with refusing(tmp_path / "c.sock", 3), peer(tmp_path / "v.sock"):
        running = asyncio.ensure_future(link.run())
        async with asyncio.timeout(20):
            await up.wait()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    why = "it refuses this session's hello: limit: no room, for the 1. time"
    assert told == [(FaultKind.REFUSING, why)] * 3
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [
        "a: there is no link: limit: no room, for the 1. time"
    ]
