"""What the contract suite has to know of each connector: how to start it, play the phone and provoke faults."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Protocol

from actors.connectors.baileys import launch as baileys
from actors.connectors.node import find_node
from actors.connectors.simulator.credentials import Credentials
from actors.connectors.vaultlink import SessionVault
from tests.contract.peers import HostPeer
from tests.labclient import Lab

REPOSITORY = Path(__file__).parents[2]


class Connector(Protocol):
    """One connector under test.  A session is known by its id and, to the world outside, by its phone."""

    name: ClassVar[str]

    async def start(self) -> None:
        """Starts what the connector connects to."""

    async def stop(self) -> None:
        """Ends it."""

    def command(self) -> Sequence[str]:
        """The connector's command line."""

    def environment(self) -> Mapping[str, str]:
        """What it needs of the environment."""

    def options(self) -> Mapping[str, Any]:
        """Its own options in the start line."""

    def profile(self, phone: str) -> Mapping[str, Any] | None:
        """The profile in a session's hello."""

    async def pair_in_advance(self, vault: SessionVault, phone: str) -> None:
        """Makes the session paired without a connection; the vault handle has claimed."""

    async def scan(self, host: HostPeer, session: str, qr: str, phone: str) -> None:
        """The phone scans the QR."""

    async def enter_code(self, host: HostPeer, session: str, phone: str, code: str) -> None:
        """The pairing code is typed on the phone."""

    async def cut(self, host: HostPeer, session: str, phone: str) -> None:
        """The server ends the connection without a word (code 428)."""

    async def refuse_messages(self, host: HostPeer, session: str, phone: str, error: int) -> None:
        """From now on the server refuses what the session sends."""

    async def fall_silent(self, host: HostPeer, session: str, phone: str) -> None:
        """From now on the server answers nothing on this connection."""

    async def unlink(self, host: HostPeer, session: str, phone: str) -> None:
        """The device is removed on the phone (code 401)."""


class SimulatorUnderTest:
    """The simulator: the phone and all faults are commands on the host's link."""

    name: ClassVar[str] = "simulator"

    async def start(self) -> None:
        """Its world is inside."""

    async def stop(self) -> None:
        """Its world ends with it."""

    def command(self) -> Sequence[str]:
        """As its host starts it."""
        return [sys.executable, "-m", "actors.connectors.simulator"]

    def environment(self) -> Mapping[str, str]:
        """Nothing but where Python finds the package."""
        return {"PYTHONPATH": str(REPOSITORY)}

    def options(self) -> Mapping[str, Any]:
        """A fixed seed."""
        return {"seed": 7}

    def profile(self, phone: str) -> Mapping[str, Any] | None:
        """Quick answers."""
        return {"latency_ms": 5, "jitter_ms": 2, "phone": phone}

    async def pair_in_advance(self, vault: SessionVault, phone: str) -> None:
        """Commits what a pairing would have committed."""
        credentials = Credentials.made(7, vault.session, phone, 1)
        await vault.commit(credentials.to_first_entries(), paired=True)

    async def scan(self, host: HostPeer, session: str, qr: str, phone: str) -> None:
        """A command."""
        await host.ask("scan", session=session, qr=qr, phone=phone)

    async def enter_code(self, host: HostPeer, session: str, phone: str, code: str) -> None:
        """A command; the phone is the one that the code was asked for."""
        await host.ask("enter_code", session=session, code=code)

    async def cut(self, host: HostPeer, session: str, phone: str) -> None:
        """Fault drop."""
        await self._fault(host, session, fault="drop")

    async def refuse_messages(self, host: HostPeer, session: str, phone: str, error: int) -> None:
        """Fault nack."""
        await self._fault(host, session, fault="nack", error=error)

    async def fall_silent(self, host: HostPeer, session: str, phone: str) -> None:
        """Fault half_open."""
        await self._fault(host, session, fault="half_open")

    async def unlink(self, host: HostPeer, session: str, phone: str) -> None:
        """Fault logged_out."""
        await self._fault(host, session, fault="logged_out")

    async def rate(self, host: HostPeer, session: str, phone: str, rating: str) -> None:
        """Fault quality."""
        await self._fault(host, session, fault="quality", rating=rating)

    async def _fault(self, host: HostPeer, session: str, **fault: Any) -> None:
        await host.ask("fault", session=session, **fault)


class BaileysUnderTest:
    """The real client against the lab server, which plays the phones."""

    name: ClassVar[str] = baileys.NAME

    def __init__(self) -> None:
        self._lab = Lab()

    async def start(self) -> None:
        """Starts the lab."""
        await self._lab.start()

    async def stop(self) -> None:
        """Ends the lab."""
        await self._lab.stop()

    def command(self) -> Sequence[str]:
        """As its host starts it."""
        return baileys.command(find_node().path)

    def environment(self) -> Mapping[str, str]:
        """As its host gives it."""
        return baileys.environment()

    def options(self) -> Mapping[str, Any]:
        """The lab instead of WhatsApp."""
        return {"websocketUrl": self._lab.ws_url, "noiseRootKey": self._lab.root_key}

    def profile(self, phone: str) -> Mapping[str, Any] | None:
        """Real sessions have none."""

    async def pair_in_advance(self, vault: SessionVault, phone: str) -> None:
        """Commits credentials that the lab made."""
        creds = await self._lab.creds(phone)
        await vault.commit({"creds": json.dumps(creds).encode()}, paired=True)

    async def scan(self, host: HostPeer, session: str, qr: str, phone: str) -> None:
        """The lab's phone."""
        await self._lab.scan(qr, phone)

    async def enter_code(self, host: HostPeer, session: str, phone: str, code: str) -> None:
        """The lab's phone."""
        await self._lab.enter_code(phone, code)

    async def cut(self, host: HostPeer, session: str, phone: str) -> None:
        """A TCP reset."""
        await self._lab.fault("reset", target=phone)

    async def refuse_messages(self, host: HostPeer, session: str, phone: str, error: int) -> None:
        """A policy of the sender's account."""
        await self._lab.account(phone, policy={"ackError": str(error)})

    async def fall_silent(self, host: HostPeer, session: str, phone: str) -> None:
        """The lab stops reading and writing."""
        await self._lab.fault("half_open", target=phone)

    async def unlink(self, host: HostPeer, session: str, phone: str) -> None:
        """The lab's phone removes its only device."""
        await self._lab.unlink(phone, 1)


class PlainUnderTest:
    """A connector in plain Node.js that was written from the document alone; its server is inside."""

    name: ClassVar[str] = "external"

    async def start(self) -> None:
        """Its world is inside."""

    async def stop(self) -> None:
        """Its world ends with it."""

    def command(self) -> Sequence[str]:
        """As an operator would configure it."""
        # without a bound V8 lets garbage lie as long as the machine has memory
        bounded = ("--max-semi-space-size=2", "--max-old-space-size=64")
        return [str(find_node().path), *bounded, str(REPOSITORY / "tests" / "contract" / "plain" / "main.mjs")]

    def environment(self) -> Mapping[str, str]:
        """Nothing."""
        return {}

    def options(self) -> Mapping[str, Any]:
        """None of its own."""
        return {}

    def profile(self, phone: str) -> Mapping[str, Any] | None:
        """It knows none."""

    async def pair_in_advance(self, vault: SessionVault, phone: str) -> None:
        """Commits what a pairing would have committed."""
        await vault.commit({"creds": json.dumps({"phone": phone, "device": 1}).encode()}, paired=True)

    async def scan(self, host: HostPeer, session: str, qr: str, phone: str) -> None:
        """A command."""
        await host.ask("world", session=session, deed="scan", qr=qr, phone=phone)

    async def enter_code(self, host: HostPeer, session: str, phone: str, code: str) -> None:
        """A command."""
        await host.ask("world", session=session, deed="enter_code", code=code)

    async def cut(self, host: HostPeer, session: str, phone: str) -> None:
        """A command."""
        await host.ask("world", session=session, deed="cut")

    async def refuse_messages(self, host: HostPeer, session: str, phone: str, error: int) -> None:
        """A command."""
        await host.ask("world", session=session, deed="refuse", phone=phone, error=error)

    async def fall_silent(self, host: HostPeer, session: str, phone: str) -> None:
        """A command."""
        await host.ask("world", session=session, deed="fall_silent")

    async def unlink(self, host: HostPeer, session: str, phone: str) -> None:
        """A command."""
        await host.ask("world", session=session, deed="unlink")

    async def rate(self, host: HostPeer, session: str, phone: str, rating: str) -> None:
        """A command."""
        await host.ask("world", session=session, deed="rate", phone=phone, rating=rating)
