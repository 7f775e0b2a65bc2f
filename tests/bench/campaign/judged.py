"""One table of several campaigns, from what each of them wrote down.

    python -m tests.bench.recovery campaign --sessions 64 --per-host 16 --per-class 75 --record a.jsonl --seed 1
    python -m tests.bench.recovery campaign --sessions 64 --per-host 16 --per-class 75 --record b.jsonl --seed 2
    python -m tests.bench.campaign.judged a.jsonl b.jsonl [--least 150] [--classes kill-vault,deaf]

A process of which there is one in a daemon can't be killed more than once in half a minute, so hundreds of such kills
take hours, or several daemons side by side.  Ends with status 1 if anything falls short of what is promised.
"""

import argparse
import sys
from collections import defaultdict
from pathlib import Path

from tests.bench.campaign import report, truth
from tests.bench.campaign.judge import Tally, judge
from tests.bench.campaign.truth import Lost, Struck


def added(one: Tally, other: Tally) -> Tally:
    """What became of the troubles of both."""
    return Tally(
        one.n + other.n,
        one.noticed + other.noticed,
        one.closed + other.closed,
        one.late + other.late,
        one.right + other.right,
        one.repairs + other.repairs,
        one.wrong + other.wrong,
        one.problems + other.problems,
    )


def main() -> int:
    """The command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("records", nargs="+", type=Path, metavar="RECORD")
    parser.add_argument("--least", type=int, default=1, help="fewer troubles of a class fall short")
    parser.add_argument("--classes", default="", help="only these, separated by commas")
    parser.add_argument("--problems", type=int, default=3, help="of a class, that are told")
    options = parser.parse_args()
    chosen = set(filter(None, options.classes.split(",")))
    tallies, healthy, lost = defaultdict[str, Tally](Tally), Tally(), list[str]()
    for path in options.records:
        entries = list(truth.read(path))
        struck = [entry for entry in entries if isinstance(entry, Struck)]
        began, ended = min(entry.at for entry in struck), max(entry.until for entry in struck)
        played, well = judge(entries, began, ended)
        lost += [f"{path.name}: {entry.sentence}" for entry in entries if isinstance(entry, Lost)]
        healthy = added(healthy, well)
        for name, tally in played.items():
            if not chosen or name in chosen:
                tallies[name] = added(tallies[name], tally)
        print(f"{path.name}: {len(struck)} troubles in {ended - began:.0f} s")
    print(report.table(tallies, healthy))
    for tally in (*tallies.values(), healthy):
        for problem in tally.problems[: options.problems]:
            print(f"    {problem}")
    short = report.shortfalls(tallies, healthy, options.least, lost)
    print("\n".join(f"FALLS SHORT  {sentence}" for sentence in short) or "all as promised")
    return int(bool(short))


if __name__ == "__main__":
    sys.exit(main())
