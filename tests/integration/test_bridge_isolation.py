"""What goes wrong in one session of the real bridge ends that session and no other; nothing secret is said of it."""

import asyncio
import base64
import json
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio

from actors.connectors.baileys import launch
from actors.connectors.link_events import Closed, Paired, Qr, Rtt, Undecryptable
from actors.connectors.protocol import Phase, Stats
from tests.contract.peers import SessionPeer
from tests.integration.bridgekit import Rig, fresh_name, fresh_phone, jid, reopen, rig
from tests.labclient import Lab

pytestmark = [pytest.mark.integration, pytest.mark.asyncio(loop_scope="module")]

OWNERLESS = """data:text/javascript,
process.on('SIGUSR2', () => { void Promise.reject(new Error('of nobody')) });
process.on('SIGWINCH', () => { throw new Error('thrown by nobody') })
""".replace("\n", " ")
"""Loaded into the real process beside its own program: two ways to fail in the name of no session."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lab() -> AsyncIterator[Lab]:
    async with Lab() as running:
        yield running


@dataclass
class Pair:
    """One session that suffers and one that must not notice."""

    it: Rig
    peer: SessionPeer
    phone: str
    beside: SessionPeer
    quiet: str

    async def unharmed(self) -> None:
        """The other has the connection that it had, and it works."""
        assert not self.beside.inbox.of(Closed)[1:]  # the one after its pairing
        assert (await self.beside.status()).phase is Phase.OPEN
        await self.it.host.send(self.quiet, f"STILL-{time.monotonic_ns()}", fresh_phone())
        assert self.it.process.returncode is None

    async def uncaught(self) -> int:
        return Stats.read(await self.it.host.ask("stats")).counts["uncaught"]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(lab: Lab) -> AsyncIterator[Pair]:
    original = launch.command

    def with_preload(node: Any) -> list[str]:
        program, *rest = original(node)
        return [program, f"--import={OWNERLESS}", *rest]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(launch, "command", with_preload)
        async with rig(lab) as it:
            quiet, phone = fresh_name(), fresh_phone()
            beside = await it.opened(quiet, fresh_phone())
            yield Pair(it, await it.opened(fresh_name(), phone), phone, beside, quiet)


SERVER = {"from": "s.whatsapp.net", "type": "set", "id": "1"}
REF = {"tag": "ref", "attrs": {}}
FAULTS: dict[str, tuple[dict[str, Any], str, int]] = {
    "frame": ({"kind": "garbage"}, "bad_frame", 0),
    # What listeners of Baileys 7.0.0-rc14 do not expect: an exception in a frame's handling, and a rejection after it.
    "exception": (
        {"kind": "node", "node": {"tag": "chatstate", "attrs": {"from": jid("15550000")}, "content": []}},
        "bad_frame",
        0,
    ),
    "rejection": (
        {
            "kind": "node",
            "node": {"tag": "iq", "attrs": SERVER, "content": [{"tag": "pair-device", "attrs": {}, "content": [REF]}]},
        },
        "error",
        1,
    ),
}
"""Fault of the lab, reason of the end, errors that nobody caught."""


@pytest.mark.parametrize("how", FAULTS)
async def test_a_failure_ends_its_own_session(lab: Lab, pair: Pair, how: str) -> None:
    fault, reason, uncaught = FAULTS[how]
    before = await pair.uncaught()
    ended = len(pair.peer.inbox.of(Closed))
    await lab.fault(fault["kind"], target=pair.phone, **{k: v for k, v in fault.items() if k != "kind"})
    closed = await pair.peer.next(Closed, reason=reason, within=5)
    assert len(pair.peer.inbox.of(Closed)) == ended + 1
    assert await pair.uncaught() == before + uncaught
    assert ("uncaught" in closed.data) == bool(uncaught)
    await pair.unharmed()
    await reopen(pair.peer)


@pytest.mark.parametrize("number", [signal.SIGUSR2, signal.SIGWINCH], ids=["rejection", "exception"])
async def test_a_failure_of_nobody_ends_no_session(pair: Pair, number: signal.Signals) -> None:
    before = await pair.uncaught()
    pair.it.process.send_signal(number)
    async with asyncio.timeout(5):
        while await pair.uncaught() == before:
            await pair.beside.next(Rtt)
    assert (await pair.peer.status()).phase is Phase.OPEN
    await pair.unharmed()


def secrets_in(value: Any) -> Iterator[bytes]:
    """Every byte string in a session's auth state, as BufferJSON and libsignal's records write them."""
    if isinstance(value, dict):
        if value.get("type") == "Buffer":
            yield base64.b64decode(value["data"])
        for name, inner in value.items():
            yield from secrets_in(inner)
            if isinstance(inner, str) and name in {
                "private",
                "privKey",
                "pubKey",
                "public",
                "rootKey",
                "key",
                "baseKey",
            }:
                yield base64.b64decode(inner + "===")
    elif isinstance(value, list):
        for inner in value:
            yield from secrets_in(inner)


def forms(secret: bytes) -> Iterator[str]:
    """How a key could look in a log."""
    yield secret.hex()
    yield base64.b64encode(secret).decode().rstrip("=")
    yield base64.urlsafe_b64encode(secret).decode().rstrip("=")
    yield ",".join(map(str, secret[:8]))
    yield ", ".join(map(str, secret[:8]))
    yield " ".join(f"{byte:02x}" for byte in secret[:8])


async def test_no_key_is_ever_said(lab: Lab) -> None:
    """Pairing by QR and by code, sends, receipts, messages that can't be decrypted, bad frames: nothing says a key."""
    names, phones = [fresh_name(), fresh_name()], [fresh_phone(), fresh_phone()]
    async with rig(lab) as it:
        first = await it.opened(names[0], phones[0])
        second = await it.session(names[1])
        await second.ask("open")
        qr = await second.next(Qr)
        answer = await second.ask("pairing_code", phone=phones[1])
        await lab.enter_code(phones[1], answer["code"])
        await second.next(Paired)
        await second.next(Closed, code=515)
        await reopen(second)
        for number in range(3):
            await it.host.send(names[number % 2], f"S{number}", phones[1 - number % 2])
        for kind in ("msg", "pkmsg", "skmsg"):
            enc = {"tag": "enc", "attrs": {"v": "2", "type": kind}, "content": "3 is no ciphertext of anybody"}
            attrs = {"from": jid(phones[1]), "id": f"U-{kind}", "type": "text", "t": str(int(time.time()))}
            await lab.fault("node", target=phones[0], node={"tag": "message", "attrs": attrs, "content": [enc]})
            await first.next(Undecryptable, message_id=f"U-{kind}")
        states = [await it.entries(name) for name in names]
        await lab.fault("garbage", target=phones[0])
        lines = await it.stop()
    output = json.dumps(lines)
    secrets = {s for state in states for text in state.values() for s in secrets_in(json.loads(text)) if len(s) >= 16}
    assert len(secrets) > 1000  # the pre-keys alone
    assert not [form for secret in secrets for form in forms(secret) if form in output]
    for known in (*phones, qr.qr, answer["code"]):
        assert known not in output
