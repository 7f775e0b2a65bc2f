"""How liveness fares over weeks under a virtual clock: who is called faulty, and after what time the deaf are noticed.

python -m tests.bench.liveness [--sessions 200] [--seeds 1 2 3] [--interval 3600]
"""

import argparse
import time

from actors.health.canary import Policy
from tests.unit.health.weeks import SCORED, WARM_UP, Weeks

MINUTES = 60.0


def spread(delays: list[float]) -> str:
    """n, and minutes: least, median, 90 %, 99 %, most."""
    ordered = sorted(delays) or [float("nan")]
    marks = [ordered[round(share * (len(ordered) - 1))] / MINUTES for share in (0, 0.5, 0.9, 0.99, 1)]
    return f"n {len(delays):4}   " + "   ".join(f"{mark:5.1f}" for mark in marks)


def main() -> None:
    """Prints a table a seed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, default=200)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--interval", type=float, default=3600.0)
    parser.add_argument("--deaf-every", type=float, default=600.0, help="seconds between two that go deaf")
    parser.add_argument("--deaf-days", type=int, default=2)
    asked = parser.parse_args()
    policy = Policy(enabled=True, interval=asked.interval)
    for seed in asked.seeds:
        began = time.monotonic()
        weeks = Weeks(seed, asked.sessions, policy, shift=seed % 2 == 0)
        weeks.warm_up()
        found = weeks.score()
        canaries = ", ".join(f"{number} {name}" for name, number in sorted(found.canaries.items()))
        print(f"seed {seed}: {asked.sessions} healthy sessions, {WARM_UP} days of warm-up, {SCORED} that count")
        print(f"  called faulty: {len(found.faults)}; canaries: {canaries}; at most {found.most_sent} of one in 24 h")
        if asked.deaf_days:
            deaf = Weeks(seed, asked.sessions, policy)
            deaf.warm_up()
            found = deaf.score(asked.deaf_days, deaf_every=asked.deaf_every)
            print("  minutes from going deaf to the verdict: least, median, 90 %, 99 %, most")
            print(f"    a message a minute is usual   {spread(found.delays['lively'])}")
            print(f"    elsewhere                     {spread(found.delays['other'])}")
            print(f"    called faulty though healthy: {len(found.faults)}")
        print(f"  {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
