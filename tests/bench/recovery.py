"""Whether wavigil notices every trouble, heals what can be healed, and does nothing else.

    python -m tests.bench.recovery [PART …] [--connector simulator|baileys] [--sessions 128] [--per-class 20]
        [--rate 5] [--seconds 1200] [--seed 1] [--outage 60s] [--record FILE]

Parts: ``campaign`` (every row of the table of faults, deaf, half-open, outbound-stuck, kills of processes and an outage
of the server, mixed at random; prints for each class how many there were, how many were noticed and after what time,
how many healed and after what time, and the wrong actions), ``cut`` (500 sessions at once), ``outage`` (the server is
away for as long as ``--outage`` says), ``visibility`` (how soon HTTP shows a fault); all but ``outage`` if none is
named.  Ends with status 1 if anything falls short of what is promised.  The full campaign (hundreds of kills of each
process take several daemons: ``tests.bench.campaign.judged``):

    python -m tests.bench.recovery campaign --sessions 1000 --per-class 300 --least 1 --rate 7 --seconds 1900
    python -m tests.bench.recovery campaign --connector baileys --sessions 100 --per-class 300 --seconds 1200
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from config.durations import parse_duration
from tests.bench.campaign import report, truth
from tests.bench.campaign.campaign import Campaign, Size, listeners
from tests.bench.campaign.drill import Simulated, placement
from tests.bench.campaign.habits import accustom
from tests.bench.campaign.judge import Tally, judge
from tests.bench.campaign.kinds import BY_NAME, OUTAGE, Kind
from tests.bench.campaign.onlab import OnLab
from tests.bench.campaign.outage import cut
from tests.bench.campaign.visibility import visibility
from tests.bench.campaign.watch import Watch
from tests.bench.campaign.world import World
from tests.bench.fleet import until_open
from tests.bench.machine import describe, end_on_sigterm
from tests.fixtures_daemon import Daemon, running_daemon
from tests.labclient import Lab
from tests.provision import linked, provision

PARTS = ("campaign", "cut", "visibility", "outage")
SHOWN_PROBLEMS = 3
OUTAGE_S = 20.0
"""Seconds for which nobody is let in, at the end of a campaign."""
CUT = 500


def configuration(
    ids: list[str], connector: str, lab: Lab | None, rate: float | None, per_host: int | None = None
) -> dict[str, Any]:
    """The daemon's own defaults, but that nobody is parked or escalates however often it is killed."""
    wanted = {"connects_per_second": rate, "sessions_per_host": per_host}
    section: dict[str, Any] = {name: value for name, value in wanted.items() if value is not None}
    if lab is not None:
        section |= {"websocket_url": lab.ws_url, "noise_root_key": lab.root_key}
    return {
        "sessions": [{"id": id, "connector": connector} for id in ids],
        "connectors": {connector: section},
        "supervision": {
            "intensity": {"restarts": 1000, "period": "1m"},
            "session_intensity": {"restarts": 1000, "period": "1m"},
        },
        "health": {"canary": {"enabled": True, "daily_budget": 1000}},
        "http": {"requests_per_second": 5000},
    }


@asynccontextmanager
async def fleet(
    folder: Path,
    ids: list[str],
    connector: str,
    rate: float | None = None,
    lively: Sequence[str] = (),
    per_host: int | None = None,
) -> AsyncIterator[tuple[Daemon, World, Watch]]:
    """A daemon whose sessions are all open, the world that they are in, and what is stored of them.

    ``lively`` names sessions that are used to a message a minute.
    """
    await accustom(folder / "var", lively, time.time(), random.Random(len(ids)))
    if connector == "simulator":
        async with (
            running_daemon(folder, configuration(ids, connector, None, rate, per_host)) as daemon,
            watched(daemon, ids, None) as (world, watch),
        ):
            yield daemon, world, watch
        return
    phones = {id: f"1555020{number:04d}" for number, id in enumerate(ids)}
    async with Lab(defaults={"preKeyCount": 100}) as lab:
        await provision(folder / "var", await linked(lab, phones))
        async with (
            running_daemon(folder, configuration(ids, connector, lab, rate, per_host)) as daemon,
            watched(daemon, ids, OnLab(lab, phones)) as (world, watch),
        ):
            yield daemon, world, watch


@asynccontextmanager
async def watched(daemon: Daemon, ids: list[str], world: World | None) -> AsyncIterator[tuple[World, Watch]]:
    """Waits until all are open, and follows the databases from then on."""
    await until_open(daemon, len(ids), 300)
    watch = Watch(daemon.state_dir)
    watch.look()
    watching = asyncio.create_task(watch.run())
    world = world or Simulated(daemon.state_dir)
    try:
        yield world, watch
    finally:
        await world.close()
        watching.cancel()
        await asyncio.gather(watching, return_exceptions=True)
        watch.close()


def chosen(names: str, world: World) -> list[Kind]:
    """The kinds of trouble that are played.  Raises SystemExit for a name that is none."""
    wanted = set(names.split(",")) if names else set(BY_NAME)
    if unknown := wanted - set(BY_NAME):
        raise SystemExit(f"no such class: {', '.join(sorted(unknown))}")
    return [kind for kind in BY_NAME.values() if kind.name in wanted and (kind is OUTAGE or world.can(kind))]


async def campaign(options: argparse.Namespace, daemon: Daemon, world: World, watch: Watch) -> list[str]:
    """Plays it, prints the table, and returns what falls short."""
    kinds = chosen(options.classes, world)
    size = Size(
        per_kind=options.per_class,
        rate=options.rate,
        seconds=options.seconds,
        warm_up=options.warm_up,
        shard_kills_at_once=options.shard_kills,
        outage=OUTAGE_S if OUTAGE in kinds else 0.0,
    )
    struck = [kind for kind in kinds if kind is not OUTAGE]
    play = Campaign(daemon, world, watch, placement(daemon.state_dir), random.Random(options.seed), struck, size)
    try:
        await play.run()
    except asyncio.CancelledError:  # Ctrl-C: what was done so far is judged; a second one ends it
        play.stop()
    entries = play.seen()
    if options.record is not None:
        truth.write(options.record, entries)
    played, healthy = judge(entries, play.began, play.ended)
    tallies = {kind.name: Tally() for kind in kinds} | played
    print(f"{options.sessions} {options.connector} sessions, {play.ended - play.began:.0f} s, seed {options.seed}")
    print(report.table(tallies, healthy))
    for tally in (*tallies.values(), healthy):
        for problem in tally.problems[:SHOWN_PROBLEMS]:
            print(f"    {problem}")
    if play.skipped:
        print(f"not played for want of time: {dict(play.skipped)}")
    least = min(options.per_class, options.least) if options.least else options.per_class
    return report.shortfalls(tallies, healthy, least, watch.gaps)


async def parts(options: argparse.Namespace) -> list[str]:
    """All that was asked for, each on a daemon of its own; what falls short."""
    found: list[str] = []
    for part in options.parts or PARTS[:3]:
        count = max(options.sessions, CUT) if part in {"cut", "outage"} and not options.small else options.sessions
        ids = [f"s-{index:04d}" for index in range(count)]
        bound = options.connects or (50.0 if options.connector == "simulator" else 5.0)
        with tempfile.TemporaryDirectory(prefix="wv") as directory:
            lively = listeners(ids, options.per_class) if part == "campaign" else []
            start = fleet(Path(directory), ids, options.connector, options.connects, lively, options.per_host)
            async with start as (daemon, world, watch):
                print(f"{part}: {describe()}", flush=True)
                if part == "campaign":
                    short = await campaign(options, daemon, world, watch)
                elif part == "visibility":
                    rng = random.Random(options.seed)
                    short = await visibility(daemon, world, ids, options.faults, options.visible_rate, rng)
                else:
                    outage = parse_duration(options.outage) if part == "outage" else 0.0
                    result = await cut(daemon, world, watch, ids, bound, outage)
                    print("\n".join(result.lines()))
                    short = result.shortfalls()
                found += [f"{part}: {sentence}" for sentence in short]
    return found


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("parts", nargs="*", choices=PARTS, metavar="PART")
    parser.add_argument("--connector", choices=["simulator", "baileys"], default="simulator")
    parser.add_argument("--sessions", type=int, default=128)
    parser.add_argument("--per-class", type=int, default=20, help="troubles of each class")
    parser.add_argument("--least", type=int, default=0, help="fewer of a class fall short; default: all of them")
    parser.add_argument("--rate", type=float, default=5.0, help="troubles of single sessions a second")
    parser.add_argument("--seconds", type=float, default=1200.0, help="then no new trouble begins")
    parser.add_argument("--warm-up", type=float, default=0.0, help="seconds of inbound messages before one turns deaf")
    parser.add_argument("--shard-kills", type=int, default=2, help="shards that may lose a process at the same time")
    parser.add_argument("--classes", default="", help="only these, separated by commas")
    parser.add_argument("--connects", type=float, help="bound on connects per second; default: the daemon's own")
    parser.add_argument("--per-host", type=int, help="sessions a connector process; default: the daemon's own")
    parser.add_argument("--outage", default="60s", help="how long the server is away in the part outage")
    parser.add_argument("--small", action="store_true", help=f"cut --sessions and not at least {CUT}")
    parser.add_argument("--faults", type=int, default=200, help="of the part visibility")
    parser.add_argument("--visible-rate", type=float, default=5.0, help="faults a second in the part visibility")
    parser.add_argument("--record", type=Path, help="writes down what was done and seen, a JSON line an entry")
    parser.add_argument("--seed", type=int, default=1)
    short = asyncio.run(parts(parser.parse_args()))
    print("\n".join(f"FALLS SHORT  {sentence}" for sentence in short) or "all as promised")
    return int(bool(short))


if __name__ == "__main__":
    end_on_sigterm()
    sys.exit(main())
