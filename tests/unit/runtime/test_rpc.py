"""Links over real Unix sockets: answers, errors, deadlines, ends, and peers that behave badly."""

import asyncio
import gc
import logging
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from actors.runtime import frames, rpc
from actors.runtime.frames import Frame
from actors.runtime.limits import Breach, Limits
from actors.runtime.rpc import EventHandler, Handler, Link, LinkClosed, RemoteError

PATIENCE = 10.0


async def streams(end: socket.socket) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_unix_connection(sock=end)


@asynccontextmanager
async def pair(on_request: Handler | None = None, on_event: EventHandler | None = None) -> AsyncIterator[Any]:
    """A link, and one whose handlers are given."""
    near, far = socket.socketpair()
    ours, theirs = Link(*await streams(near)), Link(*await streams(far), on_request, on_event)
    try:
        yield ours, theirs
    finally:
        await asyncio.gather(ours.close(), theirs.close())


@asynccontextmanager
async def raw_peer(on_request: Handler | None = None, on_event: EventHandler | None = None) -> AsyncIterator[Any]:
    """A link, and the bare streams of its peer."""
    near, far = socket.socketpair()
    link = Link(*await streams(near), on_request, on_event)
    reader, writer = await streams(far)
    try:
        yield link, reader, writer
    finally:
        writer.transport.abort()
        await link.close()


async def ends(link: Link) -> None:
    async with asyncio.timeout(PATIENCE):
        await link.closed.wait()


async def test_many_requests_at_once_get_their_own_answers() -> None:
    async def double(_link: Link, frame: Frame) -> Any:
        await asyncio.sleep(0.01 if frame["n"] % 2 else 0)  # answers overtake each other
        return frame["n"] * 2

    async with pair(double) as (ours, _):
        answers = await asyncio.gather(*(ours.request("double", n=n) for n in range(200)))
    assert answers == [n * 2 for n in range(200)]


async def test_a_link_is_behind_until_all_that_came_is_read() -> None:
    seen = asyncio.Event()
    near, far = socket.socketpair()
    link = Link(*await streams(near), on_event=lambda *_: seen.set())
    with far:
        assert not link.behind()
        far.send(frames.encode({"ev": "tick", "n": 1}))
        assert link.behind()
        async with asyncio.timeout(PATIENCE):
            await seen.wait()
        assert not link.behind()
        far.send(frames.encode({"ev": "tick", "n": 2}))
        link.abort()
        assert not link.behind()


async def test_events_arrive_in_order() -> None:
    seen: list[int] = []
    async with pair(on_event=lambda _link, frame: seen.append(frame["n"])) as (ours, theirs):
        for n in range(1000):
            ours.event("tick", n=n)
        await ours.close()
        await ends(theirs)
    assert seen == list(range(1000))


FAILURES = {
    "refused": (RemoteError("not_open", "later", {"code": 3}), ("not_open", "later", {"code": 3})),
    "bad request": (KeyError("session"), ("bad_request", "KeyError: 'session'", {})),
    "an error of the handler": (OSError("disk"), ("internal", None, {})),
    "a failed assertion": (AssertionError(), ("internal", None, {})),
}


@pytest.mark.parametrize("name", FAILURES)
async def test_a_request_that_fails_is_answered_at_once(name: str) -> None:
    failure, (code, message, data) = FAILURES[name]

    async def fail(_link: Link, _frame: Frame) -> Any:
        raise failure

    async with pair(fail) as (ours, theirs):
        with pytest.raises(RemoteError) as raised:
            await ours.request("x", PATIENCE)
        assert (raised.value.code, raised.value.data) == (code, data)
        assert message in {None, raised.value.message}
        assert not theirs.closed.is_set()


@pytest.mark.parametrize("answer", [object(), "x" * (frames.MAX_FRAME + 1)], ids=["no plain data", "too long"])
async def test_an_answer_that_no_frame_can_hold_is_an_internal_error(answer: Any) -> None:
    async def give(_link: Link, _frame: Frame) -> Any:
        return answer

    async with pair(give) as (ours, _):
        with pytest.raises(RemoteError, match="internal"):
            await ours.request("x", PATIENCE)


async def test_a_request_that_no_frame_can_hold_is_invalid_and_harms_nothing() -> None:
    async def echo(_link: Link, frame: Frame) -> Any:
        return frame["text"]

    async with pair(echo) as (ours, _):
        with pytest.raises(RemoteError, match="invalid"):
            await ours.request("x", text="\ud800")
        assert await ours.request("x", text="fine") == "fine"
        assert not ours._pending


async def test_without_a_handler_requests_are_refused() -> None:
    async with pair() as (ours, _):
        with pytest.raises(RemoteError, match="unknown_command"):
            await ours.request("x")


async def test_a_deadline_forgets_the_request_and_ignores_the_late_answer() -> None:
    async with raw_peer() as (link, reader, writer):
        with pytest.raises(TimeoutError):
            await link.request("slow", 0.01)
        asked = await frames.read(reader)
        assert asked is not None
        assert not link._pending
        writer.write(frames.encode({"re": asked["id"], "ok": "late"}))
        second = asyncio.ensure_future(link.request("quick", PATIENCE))
        again = await frames.read(reader)
        assert again is not None
        writer.write(frames.encode({"re": again["id"], "ok": "in time"}))
        assert await second == "in time"


async def test_a_cancellation_that_comes_with_the_answer_is_not_lost() -> None:
    async with raw_peer() as (link, reader, _):
        asking = asyncio.create_task(link.request("ask"))
        message = await frames.read(reader)
        assert message is not None
        assert link._answered({"re": message["id"], "ok": 1})
        asking.cancel()  # before the task has run again
        await asyncio.wait([asking])
        assert asking.cancelled()


@pytest.mark.parametrize("how", ["peer closes", "peer aborts", "we close", "we abort"])
async def test_the_end_of_the_link_ends_its_requests(how: str) -> None:
    async with raw_peer() as (link, reader, writer):
        waiting = asyncio.ensure_future(link.request("x", PATIENCE))
        assert await frames.read(reader) is not None
        if how == "peer closes":
            writer.close()
        elif how == "peer aborts":
            writer.transport.abort()
        elif how == "we close":
            await link.close()
        else:
            link.abort()
        with pytest.raises(LinkClosed):
            await waiting
        await ends(link)
        with pytest.raises(LinkClosed):
            await link.request("y")


GARBAGE = {
    "not a frame": b"GET / HTTP/1.1\r\n\r\n",
    "not msgpack": b"\x00\x00\x00\x01\xc1",
    "not a map": b"\x00\x00\x00\x01\x01",
    "nothing known": frames.encode({"what": 1}),
    "an error that is none": frames.encode({"re": 1, "err": "text"}),
    "details that are none": frames.encode({"re": 1, "err": {"code": "nack", "message": "", "data": "463"}}),
    "details in a list": frames.encode({"re": 1, "err": {"code": "nack", "message": "", "data": []}}),
}


@pytest.mark.parametrize("name", GARBAGE)
async def test_garbage_ends_the_link_and_nothing_else(name: str, caplog: pytest.LogCaptureFixture) -> None:
    async with raw_peer() as (link, reader, writer):
        waiting = asyncio.ensure_future(link.request("x", PATIENCE))
        assert await frames.read(reader) is not None
        writer.write(GARBAGE[name])
        with pytest.raises(LinkClosed):
            await waiting
        await ends(link)
    assert "broke the protocol" in caplog.text


async def test_answers_that_come_too_late_are_ignored() -> None:
    async with raw_peer() as (link, reader, writer):
        with pytest.raises(TimeoutError):
            await link.request("slow", 0.01)
        late = await frames.read(reader)
        assert late is not None
        waiting = asyncio.ensure_future(link.request("x", PATIENCE))
        asked = await frames.read(reader)
        assert asked is not None
        for number, answer in ((late["id"], 1), (asked["id"], 2), (asked["id"], 3)):
            writer.write(frames.encode({"re": number, "ok": answer}))
        assert await waiting == 2
        assert link.breach is None


@pytest.mark.parametrize("number", [2, 0, -1, 10**30, None, "1", True, [], {}], ids=repr)
async def test_an_answer_to_what_was_never_asked_ends_the_link(number: Any) -> None:
    async with raw_peer() as (link, reader, writer):
        waiting = asyncio.ensure_future(link.request("x", PATIENCE))
        assert await frames.read(reader) is not None
        try:
            writer.write(frames.encode({"re": number, "ok": 1}))
        except frames.FrameError:  # no frame can hold it
            writer.write(b"\0\0\0\1\xc1")
        with pytest.raises(LinkClosed):
            await waiting
        await ends(link)
        assert link.breach is not None
        assert link.breach[0] is Breach.MALFORMED


async def test_a_flood_ends_the_link_and_answers_do_not_count() -> None:
    limits = Limits(rate=1.0, burst=50)
    near, far = socket.socketpair()
    seen: list[Frame] = []
    flooded = Link(*await streams(near), on_event=lambda _, frame: seen.append(frame), limits=limits)

    async def answer(_link: Link, frame: Frame) -> Any:
        return frame["n"]

    peer = Link(*await streams(far), answer)
    for n in range(200):
        assert await flooded.request("x", PATIENCE, n=n) == n
    for n in range(100):
        peer.event("e", n=n)
    await ends(flooded)
    assert flooded.breach is not None
    assert flooded.breach[0] is Breach.FLOOD
    assert [frame["n"] for frame in seen] == list(range(50))
    await asyncio.gather(flooded.close(), peer.close())


async def test_a_long_frame_ends_the_link_before_it_is_read() -> None:
    near, far = socket.socketpair()
    link = Link(*await streams(near), limits=Limits(frame=1000))
    _, writer = await streams(far)
    writer.write(frames.encode({"ev": "e", "x": "a" * 900}))
    writer.write((1001).to_bytes(4, "big"))  # and nothing of it
    await ends(link)
    assert link.breach is not None
    assert "1001 bytes" in link.breach[1]
    writer.transport.abort()


async def test_a_link_knows_the_process_at_the_other_end(tmp_path: Path) -> None:
    async def accept(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.abort()

    server = await rpc.serve(str(tmp_path / "s"), accept)
    link = await Link.connect(str(tmp_path / "s"))
    assert link.peer == os.getpid()
    await ends(link)
    await link.close()
    server.close()


async def test_an_event_handler_that_fails_ends_the_link_with_a_log_entry(caplog: pytest.LogCaptureFixture) -> None:
    def fail(_link: Link, _frame: Frame) -> None:
        raise RuntimeError("the handler")

    async with pair(on_event=fail) as (ours, theirs):
        ours.event("x")
        await ends(theirs)
        await ends(ours)
    assert "RuntimeError: the handler" in caplog.text


async def test_a_peer_that_does_not_read_is_cut(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    async with raw_peer() as (link, _reader, _writer):
        sent = 0
        while not link.closed.is_set() and sent < 4 * rpc.WRITE_LIMIT:
            link.event("news", body=b"\0" * 500_000)
            sent += 500_000
            await asyncio.sleep(0)
        await ends(link)
        assert sent < 2 * rpc.WRITE_LIMIT
        assert link.breach is not None
        assert link.breach[0] is Breach.NOT_READING
    assert "does not read" in caplog.text


async def test_a_flood_of_requests_is_refused_as_busy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "RUNNING_LIMIT", 10)
    release = asyncio.Event()

    async def wait(_link: Link, _frame: Frame) -> Any:
        await release.wait()
        return "done"

    async with pair(wait) as (ours, theirs):
        asked = [asyncio.ensure_future(ours.request("x", PATIENCE)) for _ in range(25)]
        done, waiting = await asyncio.wait(asked[10:], timeout=PATIENCE)
        assert not waiting
        assert all(isinstance(error := task.exception(), RemoteError) and error.code == "busy" for task in done)
        assert len(theirs._tasks) == 10
        release.set()
        assert await asyncio.gather(*asked[:10]) == ["done"] * 10
        assert await ours.request("x", PATIENCE) == "done"


async def test_a_link_that_nobody_holds_stays_open() -> None:
    near, far = socket.socketpair()
    seen: list[int] = []
    Link(*await streams(near), on_event=lambda _link, frame: seen.append(frame["n"]))
    reader, writer = await streams(far)
    gc.collect()
    writer.write(frames.encode({"ev": "x", "n": 1}))
    writer.write_eof()
    async with asyncio.timeout(PATIENCE):
        assert await reader.read() == b""  # the link saw our end, and ended
    assert seen == [1]
    writer.close()


async def test_a_handler_may_close_its_own_link() -> None:
    async def leave(link: Link, _frame: Frame) -> Any:
        await link.close()

    async with pair(leave) as (ours, theirs):
        with pytest.raises(LinkClosed):
            await ours.request("x", PATIENCE)
        await ends(theirs)
        async with asyncio.timeout(PATIENCE):
            await asyncio.gather(*theirs._tasks)


async def test_closing_does_not_wait_for_a_peer_that_never_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rpc, "FLUSH_PATIENCE", 0.05)
    async with raw_peer() as (link, _reader, _writer):
        for _ in range(10):
            link.event("x", body=b"\0" * 300_000)
        async with asyncio.timeout(PATIENCE):
            await link.close()
        assert link._writer.transport.is_closing()
        assert link._writer.transport.get_write_buffer_size() == 0


async def test_a_socket_is_private_from_its_first_moment_and_replaces_a_dead_one(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    dead = socket.socket(socket.AF_UNIX)
    dead.bind(str(path))
    dead.close()
    before = os.umask(0o022)

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Link(reader, writer).closed.wait()

    try:
        server = await rpc.serve(str(path), accept)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(before)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    link = await Link.connect(str(path))
    with pytest.raises(RemoteError, match="unknown_command"):
        await link.request("x", PATIENCE)
    await link.close()
    server.close()
    await server.wait_closed()


async def test_nobody_listening_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        await Link.connect(str(tmp_path / "s.sock"))
