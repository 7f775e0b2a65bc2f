"""The table of a campaign, and what of it falls short of what is promised."""

import statistics
from collections.abc import Mapping, Sequence

from tests.bench import machine
from tests.bench.campaign.judge import Tally
from tests.bench.campaign.kinds import BY_NAME, CLOSED_WITHIN
from tests.bench.machine import percentile

HEALED_SHARE = 0.99
HEAD = (
    f"{'class':<20} {'n':>5} {'noticed':>7} {'MTTD mean':>10} {'p50':>8} {'p99':>8} {'max':>8} "
    f"{'healed':>7} {'MTTR mean':>10} {'p50':>7} {'p99':>7} {'wrong':>6}"
)


def _figures(times: Sequence[float], width: int, *, most: bool) -> str:
    shares = [statistics.fmean(times), percentile(times, 0.5), percentile(times, 0.99)] if times else []
    if most and times:
        shares.append(max(times))
    cells = [f"{value:.3f}" for value in shares] or ["-"] * (4 if most else 3)
    return " ".join([f"{cells[0]:>10}", *(f"{cell:>{width}}" for cell in cells[1:])])


def row(name: str, tally: Tally) -> str:
    """A line of the table; seconds.  For what rests, ``healed`` is what came to rest exactly as planned."""
    return (
        f"{name:<20} {tally.n:>5} {len(tally.noticed):>7} {_figures(tally.noticed, 8, most=True)} "
        f"{tally.right:>7} {_figures(tally.repairs, 7, most=False)} {tally.wrong:>6}"
    )


def table(tallies: Mapping[str, Tally], healthy: Tally) -> str:
    """The whole table, in the order of the kinds."""
    order = [name for name in BY_NAME if name in tallies]
    lines = [HEAD, *(row(name, tallies[name]) for name in order)]
    closed = [took * 1000 for tally in tallies.values() for took in tally.closed]
    if closed:
        lines.append(machine.row("connections that ended: until the session knew", closed))
    lines.append(f"{'no trouble of its own':<20} {healthy.n:>4} sessions, wrong actions: {healthy.wrong}")
    return "\n".join(lines)


def shortfalls(tallies: Mapping[str, Tally], healthy: Tally, least: int, gaps: Sequence[str]) -> list[str]:
    """What is not as promised; nothing if all is.  ``least``: troubles of each kind that were asked for.  Pure."""
    found = []
    for name, tally in tallies.items():
        kind = BY_NAME[name]
        if tally.n < least:
            found.append(f"{name}: only {tally.n} of {least}")
        if len(tally.noticed) < tally.n:
            found.append(f"{name}: {tally.n - len(tally.noticed)} of {tally.n} were not noticed")
        if tally.late:
            bound = CLOSED_WITHIN if kind.closes else kind.notice_s
            found.append(f"{name}: {tally.late} of {tally.n} were noticed later than {bound:g} s")
        must = tally.n if kind.after in {"rests", "few_tries"} else tally.n * HEALED_SHARE
        if tally.right < must:
            found.append(f"{name}: {tally.right} of {tally.n} went as they must")
        if tally.wrong:
            found.append(f"{name}: {tally.wrong} wrong actions")
    if healthy.wrong:
        found.append(f"{healthy.wrong} actions on sessions without a trouble of their own")
    found += [f"lost: {gap}" for gap in gaps]
    return found
