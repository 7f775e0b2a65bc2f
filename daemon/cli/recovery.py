"""`wavigil recovery …`: what became of trouble, what was done about it and why, and what is to be done now."""

import json as jsonlib
from collections.abc import Iterator
from typing import Annotated, Any

import typer

from daemon.cli.audit import moment
from daemon.cli.client import Client, segment
from daemon.cli.options import IdArgument, JsonOption
from daemon.cli.output import ago, dash, duration, table, write, write_json

EPISODES = "/api/recovery/episodes"
PAGE = 1000

WindowOption = Annotated[str, typer.Option("--window", metavar="LENGTH", help="How far back: 1h to 90d.")]
EpisodeArgument = Annotated[
    str | None, typer.Argument(metavar="[NUMBER]", help="One episode, with what was done.", show_default=False)
]
SessionOption = Annotated[
    str | None, typer.Option("--session", "-s", metavar="ID", help="Only of this session.", show_default=False)
]
CauseOption = Annotated[
    str | None, typer.Option("--cause", metavar="CAUSE", help="Only with this first cause.", show_default=False)
]
OutcomeOption = Annotated[
    str | None,
    typer.Option(
        "--outcome",
        metavar="OUTCOME",
        help="Only with this end: healed, halted, operator, removed, unpaired.",
        show_default=False,
    ),
]
OpenOption = Annotated[
    bool | None, typer.Option("--open/--ended", help="Only those that go on, or have ended.", show_default=False)
]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="AGO", help="How far back: 90m, 12h, 7d, or a time.", show_default=False),
]
LimitOption = Annotated[int, typer.Option("--limit", "-n", metavar="N", min=1, help="At most so many, the latest.")]

StrategyArgument = Annotated[
    str, typer.Argument(metavar="STRATEGY", help="reconnect, restart or failover.", show_default=False)
]
AtOption = Annotated[
    str | None,
    typer.Option("--at", metavar="TIME", help="A time in the past, or how long ago: 15m.", show_default=False),
]


def summary(client: Client, window: WindowOption = "24h", json: JsonOption = False) -> None:
    """Show how well trouble was noticed and healed."""
    found = client.get("/api/recovery/summary", window=window)
    if json:
        write_json(found)
        return
    for head, groups in (("CAUSE", found["byCause"]), ("LAST STRATEGY", found["byStrategy"])):
        columns = (head, "EPISODES", "HEALED", "HALTED", "OTHER", "SUCCESS", "ATTEMPTS", "LOOPS", *_TIMES)
        rows = [group_row(name, group) for name, group in groups.items()]
        if head == "CAUSE":
            rows.append(group_row("all", found["total"]))
        write(table(columns, rows), "")
    paused = f", recovery of {found['pausedSessions']} sessions is paused" if found["pausedSessions"] else ""
    write(f"{found['total']['episodes']} episodes ended since {ago(found['since'])}, {found['open']} go on{paused}")


_TIMES = ("DETECT", "RECOVER", "P50", "P95")


def group_row(name: str, group: dict[str, Any]) -> list[str]:
    """One line of the summary; means first.  Pure."""
    outcomes, recover = group["outcomes"], group["timeToRecover"]
    healed, halted = outcomes.get("healed", 0), outcomes.get("halted", 0)
    rate = group["successRate"]
    return [
        name,
        str(group["episodes"]),
        str(healed),
        str(halted),
        str(group["episodes"] - healed - halted),
        "-" if rate is None else f"{rate:.1%}",
        str(group["attempts"]),
        str(group["loops"]),
        seconds(group["timeToDetect"]["meanSeconds"]),
        seconds(recover["meanSeconds"]),
        seconds(recover["p50Seconds"]),
        seconds(recover["p95Seconds"]),
    ]


def seconds(value: float | None) -> str:
    """A time to detect or to recover: `0.2s`, `14s`, `3m`.  Pure."""
    return f"{value:.1f}s" if value is not None and value < 10 else duration(value)  # noqa: PLR2004 - then whole ones do


def episodes(
    client: Client,
    number: EpisodeArgument = None,
    session: SessionOption = None,
    cause: CauseOption = None,
    outcome: OutcomeOption = None,
    going_on: OpenOption = None,
    since: SinceOption = None,
    limit: LimitOption = 50,
    json: JsonOption = False,
) -> None:
    """List episodes of trouble, the latest first; or show one with what was done about it."""
    if number is not None:
        _episode(client, number, json=json)
        return
    query = {
        "session": session,
        "cause": cause,
        "outcome": outcome,
        "open": None if going_on is None else str(going_on).lower(),
        "from": moment(since),
    }
    found = list(_latest(client, query, limit))
    if json:
        write_json(found)
        return
    columns = ("EPISODE", "SESSION", "BEGAN", "CAUSE", "STRATEGY", "ATTEMPTS", "DETECT", "RECOVER", "OUTCOME")
    write(table(columns, [episode_row(episode) for episode in found]))


def episode_row(episode: dict[str, Any]) -> list[str]:
    """One line of the list.  Pure."""
    causes = dict.fromkeys((episode["cause"], episode["lastCause"]))
    return [
        str(episode["id"]),
        episode["sessionId"],
        ago(episode["startedAt"]),
        " … ".join(causes),
        episode["strategy"],
        str(episode["attempts"]),
        seconds(episode["detectSeconds"]),
        seconds(episode["recoverSeconds"]),
        (episode["outcome"] or "goes on") + (" (paused)" if episode["held"] else ""),
    ]


def _episode(client: Client, number: str, *, json: bool) -> None:
    found = client.get(f"{EPISODES}/{segment(number)}")
    if json:
        write_json(found)
        return
    episode = found["episode"]
    write(
        table(
            ("EPISODE", number),
            [
                ("session", episode["sessionId"]),
                ("cause", " … ".join(dict.fromkeys((episode["cause"], episode["lastCause"])))),
                ("began", f"{episode['startedAt']}, {ago(episode['startedAt'])}"),
                ("noticed", f"after {seconds(episode['detectSeconds'])}"),
                ("healed", f"after {seconds(episode['recoverSeconds'])}" if episode["healedAt"] else "-"),
                ("ended", dash(episode["endedAt"])),
                ("outcome", (episode["outcome"] or "goes on") + (", held up by a pause" if episode["held"] else "")),
                ("attempts", f"{episode['attempts']}, {episode['failures']} connections ended"),
            ],
        )
    )
    rows = [
        (action["at"], action["strategy"], action["cause"], dash(action["outcome"]), _why(action["why"]))
        for action in found["actions"]
    ]
    if rows:
        write("", table(("DONE AT", "STRATEGY", "CAUSE", "OUTCOME", "WHY"), rows))
    told = [episode[part] for part in ("message", "remedy") if episode[part]]
    if told:
        write("\n" + "\n".join(f"  {line}" for line in told))


def _why(why: dict[str, Any]) -> str:
    because = why.get("because")
    return str(because) if because else jsonlib.dumps(why, ensure_ascii=False)


def _latest(client: Client, query: dict[str, Any], limit: int) -> Iterator[dict[str, Any]]:
    cursor: str | None = None
    while limit > 0:
        page = client.get(EPISODES, limit=min(PAGE, limit), cursor=cursor, **query)
        yield from page["episodes"]
        limit -= len(page["episodes"])
        cursor = page["nextCursor"]
        if cursor is None:
            return


def force(client: Client, session: IdArgument, strategy: StrategyArgument, json: JsonOption = False) -> None:
    """Have a strategy applied to a session now: reconnect, restart (fresh actor) or failover (fresh connector)."""
    answer = client.post(f"/api/recovery/{segment(session)}/force", {"strategy": strategy})
    if json:
        write_json(answer)
    else:
        typer.echo(f"{session}: {strategy} is under way")


def explain(client: Client, session: IdArgument, at: AtOption = None, json: JsonOption = False) -> None:
    """Say what recovery does about a session, and why; with --at what it did at that time, and why."""
    found = client.get(f"/api/recovery/{segment(session)}/explain", at=moment(at))
    if json:
        write_json(found)
        return
    done = f"orders a {found['action']}" if found["action"] else "does nothing itself"
    until = f", until {found['until']} at the latest" if found["until"] else ""
    lines = [
        f"{session} is {found['state'] or 'not known'} at {found['at']}: recovery {done}{until}",
        f"  {found['because']}  ({found['rule']})",
    ]
    if found["paused"]:
        lines.append(f"  Recovery is paused, until {found['pausedUntil'] or 'somebody ends it'}.")
    if found["heldUntil"]:
        lines.append(f"  Nothing is done to it before {found['heldUntil']}: what was done broke other sessions.")
    if found["nextDelaySeconds"] and not found["paused"]:
        least, most = found["nextDelaySeconds"]
        when = f"{least:g} to {most:g} s" if most else "at once"
        lines.append(f"  Its own next attempt comes {when} after the failure before.")
    write("\n".join(lines))
    if (episode := found["episode"]) is not None:
        _trouble(episode, complete=found["complete"])
    if found["ladder"]:
        rows = [_rung(found, rung) for rung in found["ladder"]]
        write("", table(("", "LADDER", "USED WITHIN 1 H", "FREE", "HELPED", "FAILED"), rows))


def _trouble(episode: dict[str, Any], *, complete: bool) -> None:
    causes = " … ".join(dict.fromkeys((episode["cause"], episode["lastCause"])))
    doubt = f", in doubt: {episode['doubt']}" if episode["doubt"] else ""
    opened = f"\n  open since {episode['openedAt']}, to be proved{doubt}" if episode["openedAt"] else ""
    partly = "" if complete else "\n  (its beginning is not kept any more: counters may be too low)"
    counts = f"failures: {episode['failures']}, attempts: {episode['attempts']}"
    write(f"\nTrouble since {episode['since']}: {causes}, {counts}{opened}{partly}", f"  {episode['remedy']}")


def _rung(found: dict[str, Any], rung: str) -> list[str]:
    budget, trials = found["budgets"].get(rung), found["learnt"].get(rung)
    return [
        ">" if rung == found["strategy"] else "",
        rung,
        f"{budget['used']} of {budget['allowed']}" if budget else "-",
        ("now" if budget["freeAt"] is None else ago(budget["freeAt"])) if budget else "-",
        str(trials["helped"]) if trials else "-",
        str(trials["failed"]) if trials else "-",
    ]
