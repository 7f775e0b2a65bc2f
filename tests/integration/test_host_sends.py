"""A shard's sends and news on real databases and over a real link: order, retries, what is given up."""

import asyncio
import sqlite3
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from actors.connectors.host import handover, heritage
from actors.connectors.host.canaries import Canaries
from actors.connectors.host.confirm import Confirmer
from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.host.heritage import Heritage
from actors.connectors.host.hints import Hints
from actors.connectors.host.journal import Journal
from actors.connectors.host.news import News
from actors.connectors.host.resends import MOST, Resends
from actors.connectors.host.sends import Sends
from actors.connectors.host.upkeep import Upkeep
from actors.connectors.link_events import InboundMessage, Receipt, Undecryptable, Wanted
from actors.connectors.protocol import STORED, WINDOW, Hello
from actors.messages.services import CanaryAnswer
from actors.runtime import rpc
from actors.runtime.frames import Frame
from actors.runtime.rpc import Link, RemoteError
from actors.settings import Settings, settings_from
from actors.store import api_queries, outbox, shard_queries
from actors.store import inbound as inbound_seen
from actors.store.engine import Database, open_reader, open_writer
from actors.store.migrate import upgrade
from actors.store.records import SendProgress, SessionState, StoredSession
from actors.store.tables import Kind
from config.schema import Config
from tests.fixtures_daemon import until

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

TO = "15550100009@s.whatsapp.net"


class Peer:
    """A connector's end: remembers what it was given and answers as the test says."""

    def __init__(self) -> None:
        self.got: list[tuple[str, str, str]] = []
        self.answers: list[RemoteError | None] = []
        self.stored: list[int] = []
        self.told: list[tuple[str, str, str | None]] = []
        self.hold = asyncio.Event()
        self.hold.set()

    async def request(self, _link: Link, frame: Frame) -> Any:
        if frame["cmd"] == "stored":
            self.stored.append(frame["upto"])
            return {}
        if frame["cmd"] == "text":
            await self.hold.wait()
            self.told.append((frame["session"], frame["messageId"], frame["text"]))
            return {}
        self.got.append((frame["session"], frame["messageId"], frame["text"]))
        await self.hold.wait()
        answer = self.answers.pop(0) if self.answers else None
        if answer is not None:
            raise answer
        return {"at": 1, "ms": 1}

    @property
    def texts(self) -> list[str]:
        """What it was given, in order, repeats included."""
        return [text for _, _, text in self.got]


class Shard:
    """What a host has for its sends, without the actor around it; ``restart`` is a host that was killed."""

    def __init__(self, folder: Path, peer: Peer) -> None:
        self.folder = folder
        self.number = 0
        self.peer = peer
        self.api: Database
        self.sends: Sends
        self.news: News
        self.upkeep: Upkeep
        self.canaries: Canaries
        self.answers: list[CanaryAnswer] = []
        self.database: Database
        self._tasks: set[asyncio.Task[Any]] = set()
        self._link: Link | None = None
        self._reader: Database
        self._server: asyncio.Server

    def spawn(self, coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = asyncio.get_running_loop().create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def open(self) -> None:
        for kind, name in ((Kind.API, "api"), (Kind.SHARD, "shard-0")):
            upgrade(self.folder / f"{name}.db", kind)
        self.api = await open_writer(self.folder / "api.db")
        self._server = await rpc.serve(str(self.folder / "peer.sock"), self._accept)
        async with self.api.begin() as conn:
            await api_queries.store_placement(conn, {"a": ("simulator", 0), "b": ("simulator", 0)})
        await self.start()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Link(reader, writer, self.peer.request).closed.wait()

    async def start(self, **refusing: str) -> None:
        self._link = await Link.connect(str(self.folder / "peer.sock"))
        self.database = await open_writer(self.folder / f"shard-{self.number}.db")
        self._reader = await open_reader(self.folder / "api.db")
        hints = Hints(lambda _name, _upto: None)
        journal = Journal(self.database, hints.grown)
        self.spawn(journal.run())
        self.sends = Sends(self.number, journal, self._reader, lambda _: self._link, 5.0, self.spawn)
        resends = Resends(journal, self._reader, lambda _: self._link, lambda it, name: self.spawn(it))
        self.canaries = Canaries(settings(self.folder), lambda _: self._link, self.answers.append)
        inherited = Heritage(self.number, settings(self.folder), journal, self._reader)
        self.news = News(journal, self.sends, hints, resends, self.canaries, inherited)
        self.spawn(self.news.run())
        self.upkeep = Upkeep(self.number, self.database, journal, self._reader, hints, settings(self.folder))
        await self.sends.restore(refusing)

    def greet(self, *capabilities: str) -> Confirmer:
        """The connector says hello."""
        assert self._link is not None
        confirmer = Confirmer(self._link, Hello("peer", "1", 1, capabilities))
        self.spawn(confirmer.run())
        return confirmer

    async def kill(self) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        assert self._link is not None
        self._link.abort()
        await self.database.close()
        await self._reader.close()

    async def close(self) -> None:
        await self.kill()
        await self.api.close()
        self._server.close()

    async def accept(self, session: str, *ids: str) -> None:
        async with self.api.begin() as conn:
            for id in ids:
                await api_queries.add_send(conn, session, id, TO, f"{session}:{id}", time.time())

    async def state(self, session: str, id: str) -> SendProgress | None:
        async with self.database.begin() as conn:
            return await shard_queries.find_send_state(conn, session, id)

    async def until_state(self, session: str, id: str, state: str, error: str | None = None) -> SendProgress:
        async def there() -> SendProgress | None:
            found = await self.state(session, id)
            return found if found is not None and found.state == state else None

        found = await until(f"{session}:{id} is {state}", there)
        assert isinstance(found, SendProgress)
        assert found.error == error
        return found

    def events(self, type: str) -> list[str]:
        query = "SELECT json_extract(data, '$.messageId') FROM outbox WHERE type = ? ORDER BY seq"
        with closing(sqlite3.connect(self.folder / f"shard-{self.number}.db")) as conn:
            return [row[0] for row in conn.execute(query, (type,))]

    async def move(self, session: str, number: int) -> None:
        """The session's place is another shard's, whose host this one is from now on; the host before is killed."""
        async with self.api.begin() as conn:
            await api_queries.store_placement(conn, {session: ("simulator", number)})
        await self.upkeep.forget_gone()
        await self.kill()
        self.number = number
        upgrade(self.folder / f"shard-{number}.db", Kind.SHARD)
        await self.start()


def inbound(message: str, n: int | None, session: str = "a", **fields: Any) -> InboundMessage:
    values = {"sender": TO, "timestamp": 1000, "text": "hello", **fields}
    return InboundMessage(session=session, at=int(time.time() * 1000), message_id=message, n=n, **values)


def settings(folder: Path) -> Settings:
    return settings_from(Config.model_validate({"state_dir": str(folder)}), None)


@pytest.fixture
async def shard(short_tmp: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Shard]:
    monkeypatch.setattr(handover, "RETRY_PAUSE", 0.05)
    monkeypatch.setattr(handover, "CLOSED_PAUSE", 0.05)
    shard = Shard(short_tmp, Peer())
    await shard.open()
    yield shard
    await shard.close()


async def test_one_at_a_time_in_the_order_of_acceptance(shard: Shard) -> None:
    ids = [str(number) for number in range(120)]  # more than is read ahead
    await shard.accept("a", *ids)
    await shard.accept("b", *ids[:5])
    await shard.sends.take()
    assert shard.peer.got == []
    shard.peer.hold.clear()
    shard.sends.phase("a", "open")
    await until("one was handed over", lambda: shard.peer.got)
    assert (await shard.until_state("a", "0", "sent-unconfirmed")).attempts == 1
    assert shard.peer.texts == ["a:0"]
    shard.peer.hold.set()
    await shard.until_state("a", ids[-1], "acknowledged")
    assert shard.peer.texts == [f"a:{id}" for id in ids]
    assert (await shard.until_state("b", "4", "queued")).attempts == 0


async def test_a_killed_host_goes_on_where_it_was(shard: Shard) -> None:
    ids = [str(number) for number in range(9)]
    await shard.accept("a", *ids)
    await shard.sends.take()
    for handed_over in (1, 2, 3):  # each host dies with one send on the wire
        shard.peer.hold.clear()
        shard.sends.phase("a", "open")
        await until("one is on the wire", lambda n=handed_over: len(shard.peer.got) == n)
        await shard.until_state("a", "0", "sent-unconfirmed")
        await shard.kill()
        await shard.start()
    shard.peer.hold.set()
    shard.sends.phase("a", "open")
    await shard.until_state("a", ids[-1], "acknowledged")
    assert list(dict.fromkeys(shard.peer.texts)) == [f"a:{id}" for id in ids]
    assert len({(text, message) for _, message, text in shard.peer.got}) == len(ids)


@pytest.mark.parametrize("code", ["closed", "not_open", "ack_timeout", "busy", "internal"])
async def test_what_is_not_known_is_repeated_under_its_id(shard: Shard, code: str) -> None:
    shard.peer.answers = [RemoteError(code, "no"), RemoteError(code, "no")]
    await shard.accept("a", "1", "2")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    await shard.until_state("a", "2", "acknowledged")
    assert shard.peer.texts == ["a:1", "a:1", "a:1", "a:2"]
    assert len({message for _, message, _ in shard.peer.got}) == 2


async def test_a_message_that_ends_every_connection_is_given_up(shard: Shard) -> None:
    shard.peer.answers = [RemoteError("closed", "no")] * handover.MAX_ATTEMPTS
    await shard.accept("a", "1", "2")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    await shard.until_state("a", "1", "failed", "no_acknowledgement")
    await shard.until_state("a", "2", "acknowledged")


async def test_a_refused_message_fails_and_the_next_goes_on(shard: Shard) -> None:
    shard.peer.answers = [RemoteError("nack", "no", {"error": 463}), RemoteError("invalid_recipient", "no")]
    await shard.accept("a", "1", "2", "3")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    await shard.until_state("a", "3", "acknowledged")
    await shard.until_state("a", "1", "failed", "nack_463")
    await shard.until_state("a", "2", "failed", "invalid_recipient")


async def test_a_blocked_session_fails_what_waits_and_what_comes(shard: Shard) -> None:
    await shard.accept("a", "1")
    await shard.accept("b", "1")
    await shard.sends.take()
    shard.sends.refuse("a", "banned")
    await shard.until_state("a", "1", "failed", "banned")
    await shard.accept("a", "2")
    await shard.sends.take()
    await shard.until_state("a", "2", "failed", "banned")
    # also what an earlier host was about to fail
    await shard.accept("a", "3")
    await shard.kill()
    await shard.start(a="banned")
    await shard.until_state("a", "3", "failed", "banned")
    shard.sends.allow("a")
    await shard.accept("a", "4")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    await shard.until_state("a", "4", "acknowledged")
    assert shard.peer.texts == ["a:4"]
    await shard.until_state("b", "1", "queued")


async def test_a_session_that_left_sends_nothing_until_it_is_back(shard: Shard) -> None:
    await shard.accept("a", "1")
    await shard.sends.take()
    await shard.upkeep.leave(["a"])
    await shard.until_state("a", "1", "failed", "session_removed")
    shard.sends.judge({"a": "session_removed"})
    await shard.accept("a", "2")
    await shard.sends.take()
    await shard.until_state("a", "2", "failed", "session_removed")
    shard.sends.judge({})
    await shard.accept("a", "3")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    await shard.until_state("a", "3", "acknowledged")
    assert shard.peer.texts == ["a:3"]


async def test_what_was_accepted_before_a_move_is_not_sent_by_the_new_shard(shard: Shard) -> None:
    await shard.accept("a", "1", "2")
    async with shard.api.begin() as conn:
        assert [send.id for send in await api_queries.new_sends(conn, 0, 0, 10)] == ["1", "2"]
        await api_queries.store_placement(conn, {"a": ("baileys", 1)})
        assert await api_queries.new_sends(conn, 0, 1, 10) == []
        assert await api_queries.new_sends(conn, 0, 0, 10) == []
        moved = await api_queries.find_send(conn, "a", "1")
        assert moved is not None
        assert moved.elsewhere
    await shard.accept("a", "3")
    async with shard.api.begin() as conn:
        [new] = await api_queries.new_sends(conn, 0, 1, 10)
        assert (new.id, new.elsewhere) == ("3", False)
        found, added = await api_queries.add_send(conn, "a", "3", TO, "a:3", time.time())
        assert (found.elsewhere, added) == (False, False)


async def test_a_receipt_tells_more_than_a_lost_acknowledgement(shard: Shard) -> None:
    shard.peer.hold.clear()
    await shard.accept("a", "1", "2")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    sent = await shard.until_state("a", "1", "sent-unconfirmed")
    shard.news.take(Receipt(session="a", at=1000, message_id=sent.message_id, type="delivered"), shard.greet())
    await shard.until_state("a", "1", "delivered")
    shard.peer.answers = [RemoteError("ack_timeout", "no")]
    shard.peer.hold.set()
    await shard.until_state("a", "2", "acknowledged")
    assert shard.peer.texts == ["a:1", "a:2"]


async def test_a_text_that_is_asked_for_again_is_told_by_any_host(shard: Shard) -> None:
    await shard.accept("a", "1")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    sent = await shard.until_state("a", "1", "acknowledged")
    await shard.kill()
    await shard.start()
    confirmer = shard.greet()
    for session, message in (("a", sent.message_id), ("b", sent.message_id), ("a", "NEVER")):
        shard.news.take(Wanted(session=session, at=1000, message_id=message), confirmer)
    await until("all are told", lambda: len(shard.peer.told) == 3)
    assert shard.peer.told == [("a", sent.message_id, "a:1"), ("b", sent.message_id, None), ("a", "NEVER", None)]
    assert shard.peer.texts == ["a:1"], "it is the connector that sends it again"


async def test_of_the_texts_that_are_asked_for_only_so_many_wait(shard: Shard) -> None:
    confirmer = shard.greet()
    shard.peer.hold.clear()
    for number in range(MOST + 5):
        for _ in range(2):
            shard.news.take(Wanted(session="a", at=1000, message_id=f"M{number}"), confirmer)
    shard.peer.hold.set()
    await until("some are told", lambda: len(shard.peer.told) == MOST)
    shard.news.take(Wanted(session="a", at=1000, message_id="LAST"), confirmer)
    await until("further ones as well", lambda: len(shard.peer.told) == MOST + 1)
    assert shard.peer.told[-1] == ("a", "LAST", None)


async def test_what_became_of_a_send_of_a_forgotten_session_is_nobodys(shard: Shard) -> None:
    shard.peer.hold.clear()
    await shard.accept("a", "1")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    sent = await shard.until_state("a", "1", "sent-unconfirmed")
    async with shard.api.begin() as conn:
        await api_queries.remove_session(conn, "a")
    assert await shard.upkeep.forget_gone() == ["a"]
    shard.sends.forget(["a"])
    before = shard.events("session.send")
    shard.peer.hold.set()  # the acknowledgement comes now
    shard.news.take(Receipt(session="a", at=1000, message_id=sent.message_id, type="delivered"), shard.greet())
    await shard.accept("b", "1")
    shard.sends.phase("b", "open")
    await shard.sends.take()
    await shard.until_state("b", "1", "acknowledged")
    await shard.news.flush()
    assert await shard.state("a", "1") is None
    after = shard.events("session.send")
    assert [message for message in after[len(before) :] if message == sent.message_id] == []
    assert await shard.upkeep.forget_gone() == []


async def test_news_is_stored_in_its_order(shard: Shard) -> None:
    wanted = [f"M{number}" for number in range(700)]
    confirmer = shard.greet()
    for message in wanted:
        shard.news.take(inbound(message, None), confirmer)
    await shard.news.flush()
    assert shard.events("session.message") == wanted


async def test_what_is_durable_is_confirmed_and_nothing_else(shard: Shard) -> None:
    confirmer = shard.greet(STORED)
    async with shard.database.begin():  # while another transaction runs nothing can be stored
        for n in range(1, 101):
            shard.news.take(inbound(f"M{n}", n), confirmer)
        await asyncio.sleep(0)
        assert shard.peer.stored == []
    await until("all is confirmed", lambda: shard.peer.stored and shard.peer.stored[-1] == 100)
    assert shard.peer.stored == sorted(set(shard.peer.stored))
    assert shard.events("session.message") == [f"M{n}" for n in range(1, 101)]


async def test_a_message_told_again_is_confirmed_and_told_once(shard: Shard) -> None:
    confirmer = shard.greet(STORED)
    group = {"sender": "1-2@g.us"}
    told = [
        inbound("M1", 1),
        inbound("M1", 2),
        inbound("M1", 3, session="b"),
        inbound("M1", 4, **group, participant="1@s.whatsapp.net"),
        inbound("M1", 5, **group, participant="2@s.whatsapp.net"),
    ]
    for event in told:
        shard.news.take(event, confirmer)
    await until("all is confirmed", lambda: shard.peer.stored and shard.peer.stored[-1] == len(told))
    assert shard.events("session.message") == ["M1"] * 4
    await shard.kill()  # between its commit and the acknowledgement to the server
    await shard.start()
    confirmer = shard.greet(STORED)
    for n, event in enumerate(told, start=1):
        shard.news.take(replace(event, n=n), confirmer)
    shard.news.take(inbound("M2", len(told) + 1), confirmer)
    await until("the last is there", lambda: shard.events("session.message")[-1] == "M2")
    assert shard.events("session.message") == [*["M1"] * 4, "M2"]
    assert await inbound_seen.prune(shard.database, time.time() - 3600) == 0
    assert await inbound_seen.prune(shard.database, time.time() + 3600, batch=2) == 5


@pytest.mark.parametrize("unit", [0, 1e-3, 1.0, 1e3])
async def test_what_is_told_with_an_absurd_time_is_kept_as_long_as_all_else(shard: Shard, unit: float) -> None:
    """A connector that tells seconds, or microseconds, for milliseconds."""
    confirmer, began = shard.greet(STORED), time.time()
    at = int(began * 1000 * unit)
    told = [
        replace(inbound("M1", 1), at=at),
        Receipt(session="a", at=at, message_id="M0", type="read", n=2),
        Undecryptable(session="a", at=at, message_id="M3", sender=TO, n=3),
    ]
    for event in told:
        shard.news.take(event, confirmer)
    await until("all is confirmed", lambda: shard.peer.stored and shard.peer.stored[-1] == len(told))
    assert await outbox.prune(shard.database, began - 1) == 0
    assert await inbound_seen.prune(shard.database, began - 1) == 0
    assert await outbox.prune(shard.database, time.time() + 1) == len(told)
    assert await inbound_seen.prune(shard.database, time.time() + 1) == 1


async def test_a_message_told_in_another_shard_is_told_once(shard: Shard) -> None:
    async def told(*messages: str) -> list[str]:
        """Of those that come, what is told."""
        confirmer, before = shard.greet(STORED), len(shard.events("session.message"))
        for n, message in enumerate(messages, 1):
            shard.news.take(inbound(message, n), confirmer)
        await shard.news.flush()
        return shard.events("session.message")[before:]

    async with shard.database.begin() as conn:
        await shard_queries.store_transition(conn, SessionState("a", 1, 1, "open", time.time(), None))
    assert await told("M1", "M2") == ["M1", "M2"]
    await shard.move("a", 1)
    async with shard.database.begin() as conn:  # the host dies while it takes over what was told elsewhere
        await shard_queries.store_transition(conn, SessionState("a", 1, 1, "open", time.time(), None))
        shard.news.take(inbound("M1", 1), shard.greet(STORED))
        await asyncio.sleep(0)
    await shard.kill()
    await shard.start()
    assert await told("M2", "M3", "M1") == ["M3"]
    await shard.move("a", 2)
    await shard.move("a", 0)
    assert await told("M1", "M3", "M4") == ["M4"], "also over a shard in which no message came"
    assert await told("M3", "M4") == []


async def test_what_was_told_elsewhere_and_can_not_be_read_holds_up_nobody_for_ever(
    shard: Shard, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heritage, "PATIENCE", 0.0)
    (shard.folder / "shard-7.db").write_bytes(b"broken")
    await shard.move("a", 1)
    shard.news.take(inbound("M1", 1), shard.greet(STORED))
    await shard.news.flush()
    assert shard.events("session.message") == ["M1"]


async def test_confirmations_go_where_their_events_came_from(shard: Shard) -> None:
    first, second = shard.greet(STORED), shard.greet(STORED)
    for n in range(1, 4):
        shard.news.take(inbound(f"M{n}", n), first)
    shard.news.take(inbound("M4", 1), second)
    with pytest.raises(ConnectorFault):
        shard.news.take(inbound("M5", 5), second)
    await until("both are confirmed", lambda: sorted(shard.peer.stored) == [1, 3])


async def test_wrong_numbers_and_too_many_are_faults(shard: Shard) -> None:
    confirmer = shard.greet(STORED)
    for n in (None, 0, 2):
        with pytest.raises(ConnectorFault) as caught:
            shard.news.take(inbound("M", n), confirmer)
        assert caught.value.kind is FaultKind.MALFORMED
    async with shard.database.begin():
        for n in range(1, WINDOW + 1):
            shard.news.take(inbound(f"M{n}", n), confirmer)
        with pytest.raises(ConnectorFault) as caught:
            shard.news.take(inbound("M", WINDOW + 1), confirmer)
        assert caught.value.kind is FaultKind.FLOOD
    with pytest.raises(ConnectorFault):
        shard.news.take(inbound("M", 1), shard.greet())


async def test_a_removed_session_is_forgotten(shard: Shard) -> None:
    now = time.time()
    await shard.accept("a", "1", "2")
    await shard.accept("b", "1")
    await shard.sends.take()
    async with shard.database.begin() as conn:
        await shard_queries.store_transition(conn, SessionState("a", 1, 1, "blocked", now, "banned"))
    assert await shard.upkeep.forget_gone() == []
    async with shard.api.begin() as conn:
        await api_queries.remove_session(conn, "a")
    assert await shard.upkeep.forget_gone() == ["a"]
    shard.sends.forget(["a"])
    assert await shard.state("a", "1") is None
    async with shard.database.begin() as conn:
        assert await shard_queries.load_states(conn) == {}
        told = [(e.type, e.session, e.data.get("error")) for e in await outbox.read_after(conn, 0, 100)][-3:]
    assert told == [
        ("session.send", "a", "session_removed"),
        ("session.send", "a", "session_removed"),
        ("session.removed", "a", None),
    ]
    # made again, the same id is another message
    async with shard.api.begin() as conn:
        await api_queries.add_session(conn, StoredSession("a", "simulator", {}, time.time()))
        await api_queries.store_placement(conn, {"a": ("simulator", 0)})
    await shard.accept("a", "1")
    shard.sends.phase("a", "open")
    await shard.sends.take()
    await shard.until_state("a", "1", "acknowledged")
    assert shard.peer.texts == ["a:1"]


async def test_removed_and_made_again_while_no_host_was_there(shard: Shard) -> None:
    async with shard.database.begin() as conn:
        await shard_queries.store_transition(conn, SessionState("a", 4, 1, "blocked", time.time() - 60, "banned"))
    async with shard.api.begin() as conn:
        await api_queries.add_session(conn, StoredSession("a", "simulator", {}, time.time()))
    assert await shard.upkeep.forget_gone() == ["a"]
    assert await shard.upkeep.forget_gone() == []


async def test_what_was_kept_long_enough_is_pruned(shard: Shard) -> None:
    now = 1_000_000.0
    old = SendProgress("a", "old", "M1", TO, "queued", now - 100)
    async with shard.database.begin() as conn:
        for number in range(7):
            done = SendProgress("b", f"done-{number}", f"D{number}", TO, "queued", now - 100)
            await shard_queries.record_send_state(conn, done)
            await shard_queries.record_send_state(conn, replace(done, state="acknowledged"))
        await shard_queries.record_send_state(conn, old)
        await shard_queries.record_send_state(conn, SendProgress("a", "new", "M2", TO, "queued", now - 10))
    assert await shard_queries.prune_sends(shard.database, now - 50, now, batch=3) == 7
    await shard.until_state("a", "old", "failed", "expired")
    await shard.until_state("a", "new", "queued")
    async with shard.api.begin() as conn:
        for number in range(7):
            await api_queries.add_send(conn, "a", str(number), TO, "hello", now - 100 + 20 * number)
    assert await api_queries.prune_sends(shard.api, now - 50, batch=2) == 3
