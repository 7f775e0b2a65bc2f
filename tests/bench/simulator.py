"""How much a simulator process costs that holds thousands of sessions.

    python -m tests.bench.simulator [--sessions 2000] [--idle 30] [--messages 1]

Starts one simulator process with a real vault, links and opens all sessions, lets them be idle, then has each write to
another one.  Prints its memory and processor time as it tells them itself (``stats``).
"""

import argparse
import asyncio
import time

from actors.connectors.link_events import InboundMessage, Opened
from actors.connectors.protocol import Stats
from tests.bench.machine import end_on_sigterm
from tests.contract.connectors import SimulatorUnderTest
from tests.contract.harness import Subject, subject
from tests.contract.peers import SessionPeer
from tests.fixtures_daemon import until

PATIENCE = 300.0
AT_ONCE = 200


def phone(number: int) -> str:
    """Of a session."""
    return f"1555{number:07d}"


async def stats(it: Subject) -> Stats:
    """What the process says of itself."""
    return Stats.read(await it.host.ask("stats"))


async def opened(it: Subject, number: int, turns: asyncio.Semaphore) -> SessionPeer:
    """One session, paired and open."""
    async with turns:
        peer = await it.paired(f"s-{number}", phone(number))
        await peer.ask("open")
        await peer.next(Opened, PATIENCE)
        return peer


async def bench(sessions: int, idle: float, messages: int) -> None:
    """Prints a line a step."""
    async with subject(SimulatorUnderTest(), heartbeatMs=10_000, heartbeatTimeoutMs=8000) as it:
        bare, began = await stats(it), time.monotonic()
        turns = asyncio.Semaphore(AT_ONCE)
        await asyncio.gather(*(opened(it, number, turns) for number in range(sessions)))
        full, took = await stats(it), time.monotonic() - began
        each = (full.rss_bytes - bare.rss_bytes) / sessions
        assert full.counts["open"] == sessions, full.counts
        print(
            f"{sessions} sessions open after {took:.1f} s: {full.rss_bytes / 2**20:.0f} MiB "
            f"({bare.rss_bytes / 2**20:.0f} MiB bare, {each / 1024:.1f} KiB a session), "
            f"{(full.cpu_ms - bare.cpu_ms) / sessions:.2f} ms of CPU a login"
        )
        await asyncio.sleep(idle)
        rested = await stats(it)
        share = (rested.cpu_ms - full.cpu_ms) / (idle * 1000)
        print(f"idle for {idle:g} s, a heartbeat each 10 s: {share:.1%} of a core, worst lag {rested.lag_ms:.0f} ms")
        began, before = time.monotonic(), rested
        for turn in range(messages):
            sends = (
                it.host.send(f"s-{number}", f"M-{turn}-{number}", phone((number + 1) % sessions))
                for number in range(sessions)
            )
            await asyncio.gather(*sends)
        count = sessions * messages
        await until("all have arrived", lambda: len(it.host.inbox.of(InboundMessage)) >= count, PATIENCE, 0.1)
        after, took = await stats(it), time.monotonic() - began
        print(
            f"{count} messages from session to session within {took:.1f} s ({count / took:.0f}/s): "
            f"{(after.cpu_ms - before.cpu_ms) / count:.2f} ms of CPU each, {after.rss_bytes / 2**20:.0f} MiB"
        )


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--sessions", type=int, default=2000)
    parser.add_argument("--idle", type=float, default=30.0, help="seconds")
    parser.add_argument("--messages", type=int, default=1, help="of each session")
    options = parser.parse_args()
    asyncio.run(bench(options.sessions, options.idle, options.messages))


if __name__ == "__main__":
    end_on_sigterm()
    main()
