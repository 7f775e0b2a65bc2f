"""What a stranger on this machine sends to the ports of main and of the actors runs nothing and harms nobody."""

import os
import pickle
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import psutil
import pytest

from actors.runtime.transport import MAX_PACKET
from tests.fixtures_daemon import Daemon, running_daemon, until
from tests.fixtures_processes import PATIENCE, SESSIONS, Sender, alive, fleet, well

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

MIB = 1024 * 1024
GROWTH = 8 * MIB
"""Bytes by which the memory of one actor may grow meanwhile, for whatever reason."""
ETH_P_ALL = 3


class Exploit:
    """Runs a command in whoever unpickles it."""

    def __init__(self, command: str) -> None:
        self.command = command

    def __reduce__(self) -> tuple[Any, tuple[str]]:
        return os.system, (self.command,)


def listeners(daemon: Daemon) -> dict[psutil.Process, list[tuple[str, int]]]:
    """Where each process listens."""
    return {
        process: [
            (connection.laddr.ip, connection.laddr.port)
            for connection in process.net_connections("tcp")
            if connection.status == psutil.CONN_LISTEN
        ]
        for process in daemon.processes()
    }


def hostile(body: bytes) -> list[bytes]:
    """Packets of all kinds of wrong."""
    return [
        b"%d>" % len(body) + body,
        body,
        b"%d>" % len(body) + body[: len(body) // 2],  # truncated
        b"%d>" % (len(body) - 5) + body,  # more than announced
        b"%d>" % (MAX_PACKET + 1) + body,
        b"99999999999999999999>" + body,
        b"-5>" + body,
        b"0>",
        b">" + body,
        b"x>" + body,
        b"\x80" * 100,
        b"7" * 100_000,  # a length without end
        b"",
    ]


async def unharmed(daemon: Daemon, before: list[psutil.Process]) -> None:
    """The same processes, everybody connected, and a message is acknowledged."""
    await until("all are connected", lambda: well(daemon), PATIENCE)
    await Sender(daemon).send("the attack")
    assert alive(before) == before


async def test_a_pickle_sent_to_any_port_runs_nothing(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        mark = short_tmp / "pwned"
        ports = listeners(daemon)
        addresses = [address for found in ports.values() for address in found]
        assert len(addresses) > len(SESSIONS)
        assert {ip for ip, _ in addresses} == {"127.0.0.1"}
        for address in addresses:
            for packet in hostile(pickle.dumps(Exploit(f"touch {mark}"))):
                with socket.create_connection(address, 2) as attacker:
                    try:
                        attacker.sendall(packet)
                    except OSError:  # cut off in the middle
                        continue
        await unharmed(daemon, list(ports))
        assert not mark.exists()
        await memory_does_not_grow_with_what_is_announced(daemon)


async def memory_does_not_grow_with_what_is_announced(daemon: Daemon) -> None:
    """Nor with what is sent: a stream without end is cut off."""
    ports = {process: found for process, found in listeners(daemon).items() if found}
    before = {process: process.memory_info().rss for process in ports}
    with ExitStack() as open_connections:
        for addresses in ports.values():
            for address in addresses:
                for packet in (b"%d>" % MAX_PACKET, b"%d>" % (100 * MAX_PACKET), b"9" * 19):
                    attacker = open_connections.enter_context(socket.create_connection(address, 2))
                    attacker.sendall(packet + bytes(100))
                endless(address)
        await Sender(daemon).send("the announcements")
        for process, rss in before.items():
            assert process.memory_info().rss - rss < GROWTH, process
    await unharmed(daemon, list(ports))


def endless(address: tuple[str, int]) -> None:
    """Sends 100 MiB of a packet that is longer still; whoever reads must end it, or not read."""
    with socket.create_connection(address, 2) as attacker:
        attacker.settimeout(2)
        try:
            for _ in range(100):
                attacker.sendall(b"%d>" % (200 * MIB) + bytes(MIB))
        except OSError:
            return


@contextmanager
def recording() -> Iterator[socket.socket]:
    """Listens to all of loopback."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL)) as sniffer:
        sniffer.bind(("lo", 0))
        sniffer.settimeout(0.2)
        yield sniffer


def payload(frame: bytes) -> tuple[int, bytes]:
    """Destination port and data of a TCP segment on loopback; nothing of what is none."""
    ip = frame[14:]
    if len(ip) < 20 or ip[0] >> 4 != 4 or ip[9] != socket.IPPROTO_TCP:
        return 0, b""
    tcp = ip[(ip[0] & 15) * 4 : int.from_bytes(ip[2:4], "big")]
    return int.from_bytes(tcp[2:4], "big"), tcp[(tcp[12] >> 4) * 4 :]


@pytest.mark.needs_root
async def test_packets_that_are_replayed_change_nothing(short_tmp: Path) -> None:
    """They are signed, so they are taken for what they were: ordinary messages bear to come twice."""
    async with running_daemon(short_tmp, fleet()) as daemon:
        await until("all are connected", lambda: well(daemon), PATIENCE)
        ports = listeners(daemon)
        main, *others = ports
        actor_ports = {port for process in others for _, port in ports[process]}
        recorded: dict[bytes, int] = {}
        with recording() as sniffer:
            end = time.monotonic() + 2
            while time.monotonic() < end and len(recorded) < 200:
                try:
                    port, data = payload(sniffer.recv(65536))
                except TimeoutError:
                    continue
                if port in actor_ports and data[:1].isdigit() and len(data) > 50:
                    recorded[data] = port
        assert recorded
        for data, port in recorded.items():
            with socket.create_connection(("127.0.0.1", port), 2) as attacker:
                attacker.sendall(data)
        await unharmed(daemon, list(ports))
        assert main.is_running()
