"""Outages: when they begin, how often somebody tries, and when they end."""

import itertools
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from actors.admission import board as boards
from actors.admission.board import Ask, Board, Later, Slot
from actors.admission.evidence import Evidence, evidence
from actors.admission.outage import FLAPPING, LONGEST_WAIT, OUTDATED, OUTDATED_WAIT, Outage, enough
from actors.session.causes import Cause, Disposition

WALL = 1_700_000_000.0
UNREACHABLE = "network_unreachable"


def seen(shards: int, members: int, now: float) -> Board:
    """A board on which so many hosts have said that they are there."""
    board = Board()
    for shard in range(shards):
        board, _ = boards.take(board, Ask(shard, members), now, 5.0)
    return board


def failing(board: Board, shard: int, counts: int, now: float, cause: str = UNREACHABLE) -> Board:
    """So many of the shard's sessions failed, one after the other."""
    for count in range(1, counts + 1):
        board = boards.failed(board, shard, count, cause, now, WALL + now)
    return board


def test_one_session_that_fails_again_and_again_is_no_outage() -> None:
    board = seen(1, 32, 0)
    for at in range(100):
        board = boards.failed(board, 0, 1, UNREACHABLE, float(at), WALL)
    assert not board.outage.on


def test_many_that_fail_with_none_getting_through_are_one() -> None:
    board = failing(seen(1, 32, 0), 0, 7, 1.0)
    assert not board.outage.on
    assert not failing(boards.passed(board, 2.0), 0, 7, 3.0).outage.on, "somebody got through: counted anew"
    board = failing(board, 0, 8, 1.0)
    assert board.outage.on
    assert (board.outage.since, board.outage.cause) == (WALL + 1.0, UNREACHABLE)


def test_trouble_of_one_host_is_its_own_while_there_are_others() -> None:
    board = failing(seen(4, 32, 0), 0, 20, 1.0)
    assert not board.outage.on
    assert failing(board, 1, 1, 1.0).outage.on
    gone = 1.0 + boards.ALIVE + 1
    alone = failing(seen(4, 32, 0), 0, 20, gone)
    alone = replace(alone, rows={0: replace(alone.rows[0], members=32, seen_at=gone)})
    assert failing(alone, 0, 20, gone).outage.on, "the others are no more"


@given(st.integers(0, 5000))
def test_a_share_of_the_fleet_has_to_fail(members: int) -> None:
    assert 3 <= enough(members) <= 8
    assert members < 12 or enough(members) <= members / 3


def an_hour(cause: str, sessions: int, shards: int = 4) -> list[float]:
    """The moments of the attempts within an hour in which everybody waits, and nobody gets through."""
    board, now, attempts, failed_by = seen(shards, sessions // shards, 0), 0.0, [], dict.fromkeys(range(shards), 0)
    while now < 3600:
        for shard in range(shards):
            board, answer = boards.take(board, Ask(shard, sessions // shards, 30), now, 5.0)
            if isinstance(answer, Slot):
                attempts.append(answer.at)
                failed_by[shard] += 1
                board = boards.failed(board, shard, failed_by[shard], cause, now, WALL + now)
        now += 0.5
    return attempts


def test_an_hour_without_a_server_costs_few_connects() -> None:
    attempts = an_hour(UNREACHABLE, 512)
    assert len(attempts) < 3600 * 0.12
    assert max(b - a for a, b in itertools.pairwise(attempts)) <= LONGEST_WAIT + 1.0, "and it is noticed"


def test_an_outdated_client_is_tried_once_in_a_while() -> None:
    assert len(an_hour(OUTDATED, 512)) <= 8 + 3600 / OUTDATED_WAIT + 1


def test_the_first_that_gets_through_frees_all() -> None:
    board = failing(seen(1, 32, 0), 0, 8, 1.0)
    board, answer = boards.take(board, Ask(0, 32, 5), 1.1, 5.0)
    assert isinstance(answer, Later)
    board, answer = boards.take(board, Ask(0, 32, 5), 2.1, 5.0)
    assert answer == Slot(2.1, probe=1)
    board, answer = boards.take(board, Ask(0, 32, 5), 2.4, 5.0)
    assert isinstance(answer, Later), "one at a time"
    board = boards.passed(board, 2.5)
    assert not board.outage.on
    board, answer = boards.take(board, Ask(0, 32, 5), 2.5, 5.0)
    assert isinstance(answer, Slot)
    assert not answer.probe


def test_a_probe_that_nobody_used_costs_no_wait() -> None:
    board = failing(seen(1, 32, 0), 0, 8, 1.0)
    board = replace(board, outage=replace(board.outage, cause=OUTDATED))
    board, answer = boards.take(board, Ask(0, 32, 5), 2.1, 5.0)
    assert isinstance(answer, Slot)
    assert answer.probe == 1
    board, _ = boards.take(board, Ask(0, 32, 5, 0, answer.at, answer.probe), 3.0, 5.0)
    assert board.outage.due(3.0) == 4.0
    board, answer = boards.take(board, Ask(0, 32, 5), 4.0, 5.0)
    assert isinstance(answer, Slot)
    assert answer.probe == 1
    later = board.outage.probed(700.0)
    assert later.unprobed(1, 701.0) == later, "another one was made meanwhile"


def test_an_outage_that_comes_again_at_once_goes_on_where_it_was() -> None:
    outage, now = Outage(), 0.0
    for _ in range(20):
        outage = outage.failed(UNREACHABLE, 8, 32, now, WALL)
        outage = outage.probed(now)
        now += 12
        outage = outage.passed(now)
        now += 3
    assert outage.failed(UNREACHABLE, 8, 32, now, WALL).wait() == LONGEST_WAIT
    assert outage.failed(UNREACHABLE, 8, 32, now + FLAPPING, WALL).wait() == 1.0


def test_what_a_probe_brings_to_light_counts_from_then_on() -> None:
    outage = Outage().failed(UNREACHABLE, 8, 32, 0.0, WALL).probed(1.0)
    outage = outage.failed(OUTDATED, 9, 32, 5.0, WALL)
    assert (outage.cause, outage.probe_at) == (OUTDATED, 5.0 + OUTDATED_WAIT)
    assert outage.failed(UNREACHABLE, 10, 32, 605.0, WALL).probe_at < 620


def test_a_probe_is_due_soon_after_a_reboot_too() -> None:
    assert Outage(since=WALL, probe_at=9e6).due(10.0) <= 10.0 + OUTDATED_WAIT


def test_every_cause_says_something_or_nothing_for_a_reason() -> None:
    for cause in Cause:
        told = evidence(cause)
        if cause.needs_pairing or cause.is_blocked or cause.disposition is Disposition.FEW_TRIES:
            assert told is Evidence.PASSED, f"{cause}: the server was reached, and decided about this account"
    assert evidence(Cause.CLIENT_OUTDATED) is Evidence.BLOCKED
    assert evidence(Cause.SERVICE_UNAVAILABLE) is Evidence.BLOCKED
    assert evidence(Cause.VAULT_UNAVAILABLE) is Evidence.NONE
