"""The campaign's judge against forged logs: a bench that can't fail proves nothing."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.bench.campaign import truth
from tests.bench.campaign.judge import Tally, judge
from tests.bench.campaign.kinds import BY_NAME, KINDS
from tests.bench.campaign.report import shortfalls, table
from tests.bench.campaign.truth import Acted, Ended, Entry, Judged, Lost, Moved, Shown, Struck

BEGAN, ENDED = 0.0, 10_000.0
Step = tuple[float, str, str | None]


def path(*steps: Step, session: str = "a", begin: str = "open") -> list[Moved]:
    moves, previous = [], begin
    for at, state, cause in steps:
        moves.append(Moved(session, at, state, previous, cause))
        previous = state
    return moves


def blow(
    kind: str, at: float = 100.0, *, until: float = 200.0, ends: float = 0.0, helped: float | None = None
) -> Struck:
    return Struck(1, kind, ("a",), at, until, max(at, ends), helped)


def judged(*entries: Entry | Sequence[Entry]) -> tuple[Tally, Tally]:
    flat = [each for entry in entries for each in ([entry] if not isinstance(entry, Sequence) else entry)]
    [kind] = {entry.kind for entry in flat if isinstance(entry, Struck)}
    tallies, healthy = judge(flat, BEGAN, ENDED)
    return tallies[kind], healthy


def falls_short(tally: Tally, healthy: Tally, kind: str) -> bool:
    return bool(shortfalls({kind: tally}, healthy, 1, []))


DROP: list[Step] = [
    (100.01, "waiting", "connection_closed"),
    (100.5, "connecting", "connection_closed"),
    (101.0, "open", None),
]


def test_what_is_noticed_and_healed_is_as_promised() -> None:
    tally, healthy = judged(blow("fin"), path(*DROP), Shown(1, "a", 102.0, "connected"))
    assert (tally.n, tally.right, tally.wrong, tally.problems) == (1, 1, 0, [])
    assert tally.noticed == pytest.approx([0.01])
    assert tally.repairs == pytest.approx([0.99])
    assert not falls_short(tally, healthy, "fin")


def test_repair_is_counted_from_the_end_of_what_lasts() -> None:
    later = [(111.0, "waiting", "service_unavailable"), (114.0, "connecting", None), (115.0, "open", None)]
    tally, _ = judged(blow("login-503", ends=104.0), path((100.0, "waiting", "connection_closed"), *later))
    assert tally.noticed == pytest.approx([11.0])
    assert (tally.closed, tally.late) == ([0.0], 0)
    assert tally.repairs == pytest.approx([4.0])


@pytest.mark.parametrize(
    ("kind", "steps"),
    [
        ("fin", []),
        ("fin", [(100.0, "waiting", "unknown"), (101.0, "connecting", "unknown"), (102.0, "open", None)]),
        ("fin", [(99.0, "waiting", "connection_closed"), (99.5, "open", None)]),
        ("half-open", [(100.0, "waiting", "connection_closed"), (101.0, "open", None)]),
        ("deaf", [(100.0, "waiting", "outbound_stuck"), (101.0, "open", None)]),
    ],
    ids=["nothing", "another cause", "before it", "another cause of a half-open peer", "the other verdict"],
)
def test_what_is_missed_is_told(kind: str, steps: list[Step]) -> None:
    tally, healthy = judged(blow(kind), path(*steps))
    assert (tally.n, tally.noticed, tally.right) == (1, [], 0)
    assert falls_short(tally, healthy, kind)


@pytest.mark.parametrize(
    ("kind", "after", "late"),
    [("fin", 0.09, 0), ("fin", 0.11, 1), ("half-open", 19.9, 0), ("half-open", 20.2, 1)],
)
def test_what_is_noticed_too_late_is_told(kind: str, after: float, late: int) -> None:
    [cause] = BY_NAME[kind].causes
    tally, healthy = judged(
        blow(kind), path((100.0 + after, "waiting", cause), (130.0, "connecting", None), (131.0, "open", None))
    )
    assert tally.late == late
    assert falls_short(tally, healthy, kind) is bool(late)


def test_the_end_of_a_connection_is_noticed_at_once_whenever_its_cause_is_told() -> None:
    steps: list[Step] = [(100.3, "waiting", "connection_closed"), (103.0, "halted", "logged_out")]
    tally, healthy = judged(blow("login-401"), path(*steps))
    assert tally.closed == pytest.approx([0.3])
    assert tally.late == 1
    assert falls_short(tally, healthy, "login-401")


@pytest.mark.parametrize("verdict", ["deaf", "outbound_stuck"])
def test_a_verdict_notices_what_is_open_and_not_well(verdict: str) -> None:
    kind = "deaf" if verdict == "deaf" else "outbound-stuck"
    after = path((150.5, "waiting", verdict), (151.0, "connecting", None), (152.0, "open", None))
    tally, healthy = judged(blow(kind), Judged("a", 150.0, verdict), after)
    assert tally.noticed == [50.0]
    assert not falls_short(tally, healthy, kind)


@pytest.mark.parametrize(
    ("after", "right"),
    [
        ([Judged("a", 170.0, "alive")], 1),
        ([Judged("a", 170.0, "deaf"), Judged("a", 190.0, "alive")], 1),
        ([], 0),
    ],
    ids=["by itself", "after another doubt", "not at all"],
)
def test_what_is_well_before_anything_is_done_is_healed_if_health_says_so(after: list[Judged], right: int) -> None:
    tally, _ = judged(blow("outbound-stuck"), Judged("a", 140.0, "outbound_stuck"), after)
    assert (len(tally.noticed), tally.right) == (1, right)


def test_a_verdict_that_is_late_is_told() -> None:
    tally, healthy = judged(blow("outbound-stuck"), Judged("a", 161.0, "outbound_stuck"), path((162.0, "open", None)))
    assert tally.late == 1
    assert falls_short(tally, healthy, "outbound-stuck")


def test_what_stays_closed_or_comes_back_too_late_is_not_healed() -> None:
    closed, healthy = judged(blow("fin"), path(*DROP[:2]))
    late, _ = judged(blow("fin", until=400.0), path(*DROP[:2], (221.0, "open", None)))
    again, _ = judged(blow("fin"), path(*DROP, (102.0, "waiting", "connection_closed")))
    assert [tally.right for tally in (closed, late, again)] == [0, 0, 0]
    assert falls_short(closed, healthy, "fin")
    assert falls_short(late, healthy, "fin")


def test_one_trouble_costs_one_connection() -> None:
    twice = path(*DROP, (102.0, "waiting", "connection_closed"), (103.0, "connecting", None), (104.0, "open", None))
    tally, healthy = judged(blow("fin"), twice)
    assert (tally.right, tally.wrong) == (1, 1)
    assert falls_short(tally, healthy, "fin")


def test_giving_up_on_what_heals_is_wrong() -> None:
    tally, _ = judged(
        blow("fin"), path((100.0, "waiting", "connection_closed"), (101.0, "halted", "connection_closed"))
    )
    assert (tally.right, tally.wrong) == (0, 1)


def test_a_loop_is_wrong() -> None:
    steps: list[Step] = []
    for number in range(13):
        steps += [(101.0 + number, "waiting", "connection_closed"), (101.5 + number, "connecting", None)]
    tally, healthy = judged(blow("fin"), path(*steps, (120.0, "open", None)))
    assert tally.right == 1
    assert tally.wrong == 1
    assert falls_short(tally, healthy, "fin")
    calm, _ = judged(blow("fin"), path(*steps[:-2], (120.0, "open", None)))
    assert calm.wrong == 0


RESTED: list[Step] = [(100.01, "halted", "connection_replaced")]
HELPED: list[Step] = [(150.0, "connecting", None), (150.5, "open", None)]


def test_what_rests_until_the_operator_helps_is_as_planned() -> None:
    tally, healthy = judged(blow("replaced", helped=149.9), path(*RESTED, *HELPED), Shown(1, "a", 110.0, "error"))
    assert (tally.right, tally.wrong, tally.problems) == (1, 0, [])
    assert not falls_short(tally, healthy, "replaced")


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([*RESTED, (101.0, "connecting", None), (102.0, "halted", "connection_replaced")], 1),
        ([(100.0, "waiting", "connection_replaced"), (101.0, "connecting", None), (102.0, "open", None)], 1),
        ([(100.0, "blocked", "connection_replaced")], 0),
    ],
    ids=["one try", "it reconnects", "another state"],
)
def test_anything_else_than_resting_is_not_as_planned(steps: list[Step], wrong: int) -> None:
    tally, healthy = judged(blow("replaced"), path(*steps))
    assert (tally.right, tally.wrong) == (0, wrong)
    assert falls_short(tally, healthy, "replaced")


def test_recovery_keeps_its_hands_off_what_rests() -> None:
    calm, _ = judged(blow("replaced"), path(*RESTED), Acted("a", 100.0, "reconnect"), Acted("a", 100.02, "stop"))
    assert calm.wrong == 0
    tally, healthy = judged(blow("replaced"), path(*RESTED), Acted("a", 120.0, "restart"))
    assert tally.wrong == 1
    assert falls_short(tally, healthy, "replaced")


def few(attempts: int) -> list[Moved]:
    steps: list[Step] = []
    for number in range(attempts + 1):
        last = number == attempts
        steps.append((100.0 + 5 * number, "halted" if last else "waiting", "token_expired"))
        steps += [] if last else [(102.0 + 5 * number, "connecting", "token_expired")]
    return path(*steps)


@pytest.mark.parametrize(("attempts", "right", "wrong"), [(3, 1, 0), (4, 0, 1), (2, 0, 0), (0, 0, 0)])
def test_few_tries_are_three(attempts: int, right: int, wrong: int) -> None:
    tally, healthy = judged(blow("login-413"), few(attempts))
    assert (tally.right, tally.wrong) == (right, wrong)
    assert falls_short(tally, healthy, "login-413") is not bool(right)


@pytest.mark.parametrize(("tried", "wrong"), [(109.0, 0), (104.0, 1)])
def test_nothing_is_tried_before_a_ban_is_over(tried: float, wrong: int) -> None:
    steps: list[Step] = [(100.0, "blocked", "temporary_ban"), (tried, "connecting", None), (109.5, "open", None)]
    tally, _ = judged(blow("ban-that-ends", ends=108.0), path(*steps))
    assert (tally.right, tally.wrong) == (1, wrong)


def test_what_http_shows_has_to_agree() -> None:
    tally, _ = judged(blow("fin"), path(*DROP), Shown(1, "a", 102.0, "error"))
    assert "HTTP showed error" in tally.problems[0]


# Sessions without a trouble of their own


@pytest.mark.parametrize(
    "entry",
    [
        *path((50.0, "waiting", "deaf"), session="b"),
        *path((50.0, "closing", None), session="b"),
        *path((250.0, "waiting", "connection_closed")),
        Judged("b", 50.0, "deaf"),
        Judged("b", 50.0, "half_open"),
        Acted("b", 50.0, "reconnect"),
        Acted("a", 250.0, "reconnect"),
    ],
    ids=["restarted", "closed", "after its trouble", "called deaf", "called half-open", "acted on", "acted on later"],
)
def test_what_happens_to_the_healthy_is_wrong(entry: Entry) -> None:
    tally, healthy = judged(blow("fin"), path(*DROP), entry)
    assert (tally.wrong, healthy.wrong) == (0, 1)
    assert falls_short(tally, healthy, "fin")


def test_a_new_actor_that_goes_on_where_the_old_one_was_does_nothing_to_a_session() -> None:
    resumed = Moved("b", 50.0, "halted", "starting", "locked", resumed=True)
    _, healthy = judged(blow("fin"), path(*DROP), resumed, Judged("b", 51.0, "quiet"))
    assert healthy.wrong == 0


def test_a_verdict_that_does_not_hold_is_wrong_also_for_a_session_in_trouble() -> None:
    tally, healthy = judged(blow("fin"), path(*DROP), Judged("a", 101.5, "deaf"))
    assert (tally.wrong, healthy.wrong) == (1, 0)


@pytest.mark.parametrize(
    ("steps", "wrong"),
    [
        ([(100.0, "waiting", "connection_closed"), (102.0, "connecting", None), (102.1, "open", None)], 1),
        (
            [
                (100.0, "waiting", "connection_closed"),
                (102.0, "connecting", None),
                (102.1, "waiting", "http_rate_limited"),
                (115.0, "connecting", None),
                (115.1, "open", None),
            ],
            0,
        ),
        ([(100.0, "waiting", "connection_closed"), (105.0, "connecting", None), (105.1, "open", None)], 0),
    ],
    ids=["tried and not named", "tried and named", "not tried while it lasted"],
)
def test_a_refusal_has_to_be_named_by_who_met_it(steps: list[Step], wrong: int) -> None:
    tally, healthy = judged(blow("dial-429", ends=104.0), path(*steps))
    assert tally.wrong == wrong
    assert falls_short(tally, healthy, "dial-429") is bool(wrong)


@pytest.mark.parametrize(("strategy", "wrong"), [("reconnect", 0), ("restart", 1), ("failover", 1)])
def test_a_deed_that_a_lost_connection_does_not_need_is_wrong(strategy: str, wrong: int) -> None:
    tally, healthy = judged(blow("fin"), path(*DROP), Acted("a", 100.3, strategy))
    assert (tally.wrong, healthy.wrong) == (wrong, 0)


# Kills


def killed(kind: str, sessions: tuple[str, ...] = ("a", "b")) -> Struck:
    return Struck(1, kind, sessions, 100.0, 140.0, 100.0)


BACK: list[Step] = [(100.1, "waiting", "connector_lost"), (100.2, "connecting", None), (103.0, "open", None)]


def test_a_kill_is_over_when_the_last_of_its_sessions_is_open() -> None:
    slow = path(*BACK[:2], (105.0, "open", None), session="b")
    tally, healthy = judged(killed("kill-host"), Ended(1, 100.05, 101.0), path(*BACK), slow)
    assert (tally.n, tally.right, tally.wrong) == (1, 1, 0)
    assert tally.noticed == pytest.approx([0.05])
    assert tally.repairs == pytest.approx([5.0])
    assert not falls_short(tally, healthy, "kill-host")


@pytest.mark.parametrize(
    "seen",
    [
        [Ended(1, 100.05, None), *path(*BACK)],
        [Ended(1, 100.05, 101.0), *path(*BACK), *path(*BACK[:2], session="b")],
        [*path(*BACK)],
    ],
    ids=["nobody took its place", "a session did not come back", "not noticed"],
)
def test_a_kill_that_does_not_heal_is_told(seen: list[Entry]) -> None:
    tally, healthy = judged(killed("kill-host"), seen)
    assert tally.right == 0
    assert falls_short(tally, healthy, "kill-host")


def test_a_kill_of_which_no_supervisor_told_is_not_noticed() -> None:
    tally, healthy = judged(killed("kill-vault", ()), Ended(1, None, 101.0))
    assert (tally.n, tally.noticed, tally.right) == (1, [], 1)
    assert falls_short(tally, healthy, "kill-vault")


def test_a_session_that_does_not_notice_the_end_of_its_connector_is_told() -> None:
    tally, healthy = judged(killed("kill-host"), Ended(1, 100.05, 101.0), path(*BACK))
    assert tally.wrong == 1
    assert falls_short(tally, healthy, "kill-host")


def test_the_end_of_a_service_touches_no_session() -> None:
    tally, healthy = judged(killed("kill-vault", ()), Ended(1, 100.1, 100.6), path(*BACK))
    assert (tally.right, tally.wrong) == (1, 0)
    assert healthy.wrong == 2  # the loss, and the attempt


# The whole


def test_too_few_and_lost_events_fall_short() -> None:
    tally, healthy = judged(blow("fin"), path(*DROP))
    assert shortfalls({"fin": tally}, healthy, 2, []) == ["fin: only 1 of 2"]
    assert shortfalls({"fin": tally}, healthy, 1, ["shard-0: 9 follows 7"]) == ["lost: shard-0: 9 follows 7"]
    assert "fin" in table({"fin": tally}, healthy)


def test_what_was_written_down_is_judged_the_same(tmp_path: Path) -> None:
    entries: list[Entry] = [
        blow("fin"),
        *path(*DROP),
        Judged("b", 5.0, "deaf"),
        Acted("b", 6.0, "move"),
        Ended(2, 1.0, None),
        Lost("shard-0: 9 follows 7"),
    ]
    truth.write(tmp_path / "log", entries)
    assert list(truth.read(tmp_path / "log")) == entries


def test_every_row_of_the_table_of_faults_is_a_kind_in_both_worlds() -> None:
    connections = [kind for kind in KINDS if kind.scope == "session"]
    assert len({kind.name for kind in KINDS}) == len(KINDS)
    assert all(kind.simulated is not None and kind.causes for kind in connections)
    assert all(kind.lab or kind.policy for kind in connections if not kind.name.startswith("dial-"))
