"""kill -9 of every part, at random moments of pairing and sending: what was promised holds.

The auth state in the vault is never corrupt and never older than it was; a pairing that was reported complete is never
lost; no send reaches the wire under two ids, or with a key that was used before; every accepted send arrives, in the
order of acceptance.
"""

import asyncio
import logging
import random
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from tests.acceptance.trouble import ARRIVED, accept, arrived, ask, events, insist, kill_one
from tests.acceptance.vaultwatch import VaultWatch
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_fleet import PHONES, configuration
from tests.labclient import Lab, LabError, LabMessage
from tests.provision import linked, provision

pytestmark = pytest.mark.acceptance
log = logging.getLogger(__name__)

SEED = 20261127
PARTS = ("bridge", "session", "vault", "main")
CONTACT = "15559990001"
"""Somebody who has only a phone: it reads what it gets, and receipts."""
ROUTES = (("alpha", "beta"), ("beta", "alpha"), ("gamma", "contact"), ("alpha", "contact"))
NUMBERS = {**PHONES, "contact": CONTACT}
SPAN = 0.8
"""Seconds in which the kill of a round comes; a pairing takes about as long."""
CORE = 0.3
"""Seconds after the phone got the code in which every other kill comes: then credentials are made and committed."""
KEPT = 3
"""Sessions paired last that go on, beside those that were paired before."""


FEW = 6
"""Kills of the short run, which looks at the receiving side only for what is sent when all is calm."""


@dataclass(frozen=True, slots=True)
class Text:
    """An accepted send."""

    session: str
    id: str
    to: str
    text: str


@dataclass
class Run:
    """The daemon with its traffic, and what was promised so far."""

    lab: Lab
    daemon: Daemon
    rng: random.Random
    vault: VaultWatch
    sent: list[Text] = field(default_factory=list)
    checked: dict[str, str] = field(default_factory=dict)
    """Texts that have arrived, and under which message id."""
    fresh: list[str] = field(default_factory=list)
    """Sessions that were paired here, the oldest first."""
    killed: list[str] = field(default_factory=list)
    scanning: asyncio.Event = field(default_factory=asyncio.Event)
    """The pairing of this round came as far as the phone."""
    number: int = 0
    """Of the last send."""
    began: float = field(default_factory=time.monotonic)

    async def send(self, session: str, recipient: str) -> None:
        self.number += 1
        text = Text(session, f"order-{self.number}", recipient, f"{self.number:05} from {session} to {recipient}")
        await accept(self.daemon, session, text.id, NUMBERS[recipient], text.text)
        self.sent.append(text)

    async def pair(self, id: str, phone: str) -> None:
        """Makes a session and pairs it, as an operator would whose daemon comes and goes."""
        await insist(self.daemon, "POST", "/api/sessions", 201, 409, json={"id": id, "connector": "baileys"})
        shown = ""
        while True:
            answer = await ask(self.daemon, "GET", f"/api/sessions/{id}/pairing?wait=2s")
            if answer is None or answer[1].get("qr") == shown:
                await asyncio.sleep(0.02)  # it is away; or the phone has that code, and nothing came of it yet
            elif answer[0] == 409:
                break  # it says that it is paired: from here on it has to stay so
            else:
                assert answer[0] == 200, answer
                shown = answer[1]["qr"]
                await self.show(id, phone, shown)
        await self.connected(id)

    async def show(self, id: str, phone: str, qr: str) -> None:
        """The owner's phone scans, or has a code typed in; perhaps too late."""
        self.scanning.set()
        try:
            if self.rng.random() < 0.5:
                await self.lab.scan(qr, phone)
            else:
                answer = await ask(self.daemon, "POST", f"/api/sessions/{id}/pairing-code", json={"phone": phone})
                if answer is not None and answer[0] == 200:
                    await self.lab.enter_code(phone, answer[1]["code"].replace("-", ""))
        except LabError:
            return  # that connection is gone: there will be another code

    async def connected(self, id: str) -> None:
        """A paired session opens by itself, and never asks to be paired again."""
        seen: list[str] = []

        async def there() -> bool:
            _, status = await insist(self.daemon, "GET", f"/api/whatsapp-status/{id}", 200)
            seen.append(status["state"])
            # What is shown follows what happens with some delay, but does not go back to it.
            assert set(seen) == {"pairing"} or status["state"] not in {"pairing", "halted", "blocked", "parked"}, seen
            return bool(status["status"] == "connected")

        try:
            await until(f"{id} is connected", there, 90)
        except BaseException:
            self.explain(id, seen)
            raise

    def explain(self, id: str, seen: list[str]) -> None:
        """What pytest shows beside a failure."""
        log.warning("killed last: %s; %s was seen %s", self.killed[-3:], id, [state for state, _ in groupby(seen)])
        log.warning("log of the daemon:\n%s", self.daemon.log[-6000:])

    async def explain_missing(self, ids: set[str]) -> None:
        """What the server knows of messages that did not arrive."""
        for entry in await self.lab.journal():
            if entry.data.get("id") in ids:
                log.warning("%d %s %s", entry.t, entry.kind, entry.data)

    async def round(self, victim: str) -> None:
        """Traffic and a pairing, one kill into the middle of it, and the end of the pairing."""
        id = f"fresh-{len(self.killed)}"
        NUMBERS[id] = f"1555030{len(self.killed):04d}"
        self.scanning.clear()
        pairing = asyncio.create_task(self.pair(id, NUMBERS[id]))
        sending = asyncio.create_task(self.traffic())
        try:
            if self.rng.random() < 0.5:
                await asyncio.sleep(self.rng.uniform(0, SPAN))
            else:
                async with asyncio.timeout(30):
                    await self.scanning.wait()
                await asyncio.sleep(self.rng.uniform(0, CORE))
            await self.kill(victim, id)
            await asyncio.gather(pairing, sending)
        finally:
            pairing.cancel()
            sending.cancel()
            await asyncio.gather(pairing, sending, return_exceptions=True)
        self.fresh.append(id)
        await self.send(id, "contact")
        self.vault.look()
        if len(self.fresh) > KEPT:
            await self.retire(self.fresh.pop(0))

    async def traffic(self) -> None:
        for _ in range(4):
            await self.send(*self.rng.choice(ROUTES))

    async def kill(self, part: str, pairing: str) -> None:
        victim = self.rng.choice([pairing, pairing, *PHONES]) if part == "session" else part

        async def hit() -> bool:
            return await kill_one(self.daemon, victim)

        await until(f"{victim} is there to be killed", hit, 30)
        self.killed.append(victim.partition("-")[0])

    async def retire(self, id: str) -> None:
        """Checks a session that was paired for the last time, and removes it."""
        await self.connected(id)
        await self.check()
        await insist(self.daemon, "DELETE", f"/api/sessions/{id}?purge=true", 200, 204, 404)
        self.vault.forget(id)

    async def check(self) -> None:
        """All that was accepted so far has arrived."""
        for text in self.sent:
            if text.text not in self.checked:
                self.checked[text.text] = (await arrived(self.daemon, text.session, text.id))["messageId"]

    async def check_the_wire(self) -> None:
        """What the server saw: each text under its one id, readable each time, first times in order."""
        seen = sorted(await self.lab.messages(), key=lambda message: message.seq)
        unreadable = [message for message in seen if message.text is not None and message.text.startswith("!")]
        assert not unreadable, "a key was used twice"
        ours = [message for message in seen if message.text in self.checked]
        assert {(message.text, message.id) for message in ours} == set(self.checked.items())
        for route in {(text.session, text.to) for text in self.sent}:
            wanted = [text.text for text in self.sent if (text.session, text.to) == route]
            assert first_times(ours, set(wanted)) == wanted, route


def first_times(seen: list[LabMessage], wanted: set[str]) -> list[str]:
    return list(dict.fromkeys(message.text for message in seen if message.text is not None and message.text in wanted))


def settings(lab: Lab) -> dict[str, Any]:
    """Nobody is parked, and the test may ask as often as it likes."""
    return {
        **configuration(lab),
        "http": {"requests_per_second": 2000},
        "supervision": {"heartbeat": "1s", "session_intensity": {"restarts": 1000}, "backoff": {"max": "500ms"}},
    }


@asynccontextmanager
async def begun(folder: Path, rng: random.Random) -> AsyncIterator[Run]:
    async with Lab(defaults={"preKeyCount": 100, "decrypt": True}) as lab:
        await provision(folder / "var", await linked(lab, PHONES))
        async with running_daemon(folder, settings(lab)) as daemon:
            run = Run(lab, daemon, rng, VaultWatch(daemon.state_dir))
            for id in PHONES:
                await run.connected(id)
            yield run


def victims(kills: int, rng: random.Random) -> list[str]:
    """Each part as often as the others, in random order; hosts, which take their bridge along, on top of it."""
    chosen = [PARTS[number % len(PARTS)] for number in range(kills)] + ["host"] * (kills // 10)
    return rng.sample(chosen, len(chosen))


async def calm_again(run: Run, *, everything: bool) -> None:
    """What is sent while everything lives is in the recipient's outbox, once, and its receipts come back.

    ``everything``: so is what was sent between sessions of ours before, while processes were killed.
    """
    before = len(run.sent)
    for recipient in ("beta", "contact", "beta", "contact"):
        await run.send("alpha", recipient)
    await run.check()
    ours = [text for text in run.sent if text.to in PHONES] if everything else run.sent[before:]
    calm = {run.checked[text.text] for text in ours if text.to in PHONES and text.text in run.checked}

    async def all_received() -> bool:
        return {message for _, message in events(run.daemon, "session.message")} >= calm

    try:
        await until("each message is in the recipient's outbox", all_received, 60)
    except BaseException:
        await run.explain_missing(calm - {message for _, message in events(run.daemon, "session.message")})
        raise
    received = [entry for entry in events(run.daemon, "session.message") if entry[1] in calm]
    assert len(received) == len(set(received)), "a message was told twice"
    for text in run.sent[before:]:
        await arrived(run.daemon, text.session, text.id, {"delivered", "read"})


async def replayed(run: Run) -> None:
    """An id that is repeated sends nothing."""
    first = run.sent[0]
    again = await accept(run.daemon, first.session, first.id, NUMBERS[first.to], first.text)
    assert (again["messageId"], again["state"] in ARRIVED) == (run.checked[first.text], True)


@pytest.mark.parametrize("kills", [FEW, pytest.param(200, marks=pytest.mark.full)])
@pytest.mark.timeout(3600)
async def test_kills_at_random_moments(short_tmp: Path, kills: int) -> None:
    rng = random.Random(SEED)
    async with begun(short_tmp, rng) as run:
        for victim in victims(kills, rng):
            await run.round(victim)
        await calm_again(run, everything=kills > FEW)
        await replayed(run)
        await run.check_the_wire()
        for id in (*PHONES, *run.fresh):
            await run.connected(id)
        run.vault.look()
        log.info(
            "%d kills %s, %d sends, %.0f s",
            len(run.killed),
            Counter(run.killed),
            len(run.sent),
            time.monotonic() - run.began,
        )
