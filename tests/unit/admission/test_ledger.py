"""The board as a file that several processes share, some of which are killed."""

import contextlib
import itertools
import os
import struct
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.admission.board import Ask, Board, Row, Slot, take
from actors.admission.ledger import _HEAD, Ledger, ledger_path
from actors.admission.outage import Outage
from actors.admission.slots import CATCHING_UP, MOST, SECOND, SLACK, Schedule, pace

RATE = 200.0
HOST = """
import asyncio, sys, time
from pathlib import Path
from actors.admission.board import Ask, Slot, take
from actors.admission.ledger import Ledger
shard, rate = int(sys.argv[2]), float(sys.argv[3])
async def main():
    ledger = Ledger(Path(sys.argv[1]))
    while True:
        answer = await ledger.act(lambda board: take(board, Ask(shard, 1, 1), time.monotonic(), rate))
        if isinstance(answer, Slot):
            print(answer.at, flush=True)
        else:
            await asyncio.sleep(0.001)
asyncio.run(main())
"""

rows = st.builds(
    Row,
    st.floats(0, 1e6),
    st.integers(0, 100),
    st.integers(0, 100),
    st.integers(-300, 300),
    st.integers(0, 100),
    st.integers(0, 2**40),
)
outages = st.builds(
    Outage,
    st.none() | st.floats(1, 2e9),
    st.sampled_from(["", "network_unreachable", "client_outdated"]),
    st.integers(0, 10**9),
    st.floats(0, 1e6),
    st.just(float("-inf")) | st.floats(0, 1e6),
)
schedules = st.builds(
    Schedule,
    st.floats(0, 1e6),
    st.lists(st.floats(0, 1e6), max_size=20).map(lambda reach: tuple(sorted(reach))),
    st.just(float("-inf")) | st.floats(0, 1e6),
)
boards = st.builds(
    Board,
    schedules,
    st.integers(0, 2**40),
    outages,
    st.dictionaries(st.integers(0, 200), rows),
    st.dictionaries(st.integers(0, 2**64 - 1), st.floats(0, 1e6)),
)


@given(st.lists(boards, min_size=1, max_size=4))
def test_what_is_written_is_read(written: list[Board]) -> None:
    ledger = Ledger()
    try:
        for board in written:
            ledger.write(ledger.read(), board)
            assert ledger.read() == board
    finally:
        ledger.close()


class Dying(Ledger):
    """Its process is killed before it has done more than so many of its next writes."""

    left: int | None = None

    def _put(self, raw: bytes, offset: int) -> None:
        if self.left is not None:
            if self.left == 0:
                raise OSError("killed")
            self.left -= 1
        super()._put(raw, offset)


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60), st.data())
def test_who_is_killed_while_it_writes_hides_no_slot_that_was_given_out(
    given_out: list[float], data: st.DataObject
) -> None:
    reach = tuple(sorted(given_out))
    kept = list(reach[data.draw(st.integers(0, len(reach))) :])
    for moved in data.draw(st.sets(st.sampled_from(range(len(kept))), max_size=3)) if kept else set[int]():
        kept[moved] = data.draw(st.floats(0, 1e6))
    new = [data.draw(st.floats(0, 1e6))] if data.draw(st.booleans()) else []
    ledger = Dying()
    try:
        ledger.write(ledger.read(), Board(Schedule(0.0, reach)))
        after = Board(Schedule(1.0, tuple(sorted((*kept, *new)))))
        ledger.left = data.draw(st.integers(0, 70))
        with contextlib.suppress(OSError):
            ledger.write(ledger.read(), after)
        found = ledger.read().schedule.reach
        assert len(kept) <= len(found) <= len(reach) + len(new)
        times = zip(reversed(found), reversed(reach), reversed(after.schedule.reach), strict=False)
        assert all(at >= min(before, later) for at, before, later in times), "none counts as earlier than in either"
        if ledger.left:
            assert ledger.read() == after
    finally:
        ledger.close()


async def test_two_hosts_share_a_board_and_what_is_no_board_is_an_empty_one(tmp_path: Path) -> None:
    path = ledger_path(tmp_path, "baileys")
    assert path != ledger_path(tmp_path, "simulator")
    path.write_bytes(os.urandom(500))
    first, second = Ledger(path), Ledger(path)
    assert first.read() == Board()
    await first.act(lambda board: take(board, Ask(0, 8, 1), 100.0, 5.0))
    await second.act(lambda board: take(board, Ask(1, 9), 100.0, 5.0))
    found = second.read()
    assert found.schedule.next_at == 100.0 + pace(5.0)
    assert {shard: row.members for shard, row in found.rows.items()} == {0: 8, 1: 9}
    await first.act(lambda board: (replace(board, rows={}), None))
    assert second.read().rows == {}
    Ledger(tmp_path / "new").close()
    assert (tmp_path / "new").stat().st_mode & 0o777 == 0o600
    for ledger in (first, second):
        ledger.close()


@pytest.mark.parametrize("reach", [-1, MOST + 1, 2**40])
def test_a_board_that_says_something_impossible_is_an_empty_one(tmp_path: Path, reach: int) -> None:
    path = ledger_path(tmp_path, "baileys")
    ledger = Ledger(path)
    ledger.write(ledger.read(), Board(Schedule(100.0, (99.0,)), rows={3: Row()}))
    raw = bytearray(path.read_bytes())
    struct.pack_into("<q", raw, _HEAD.size - 8, reach)
    path.write_bytes(raw)
    assert ledger.read() == Board()
    ledger.write(ledger.read(), Board(Schedule(100.0, (99.5,))))
    assert ledger.read() == Board(Schedule(100.0, (99.5,)))
    ledger.close()


def test_a_place_where_nothing_can_be_kept_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="directory"):
        Ledger(ledger_path(tmp_path / "missing", "baileys"))


def test_processes_that_are_killed_at_any_moment_never_share_a_slot(tmp_path: Path) -> None:
    path = tmp_path / "board"

    def start(shard: int) -> subprocess.Popen[str]:
        command = [sys.executable, "-c", HOST, str(path), str(shard), str(RATE)]
        return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)

    hosts = [start(shard) for shard in range(3)]
    slots: list[float] = []
    try:
        for round in range(3):
            lines = [hosts[round].stdout.readline() for _ in range(20)]  # type: ignore[union-attr]
            hosts[round].kill()
            slots += map(float, lines)
            rest = hosts[round].communicate()[0]
            slots += map(float, rest.splitlines())
            hosts.append(start(round))
    finally:
        for host in hosts:
            host.kill()
            if not host.stdout.closed:  # type: ignore[union-attr]
                slots += map(float, host.communicate()[0].splitlines())
    ordered = sorted(slots)
    assert len(ordered) >= 60
    assert all(b - a >= pace(RATE) / CATCHING_UP - 1e-9 for a, b in itertools.pairwise(ordered))
    assert all(b - a >= SECOND + SLACK - 1e-6 for a, b in zip(ordered, ordered[int(RATE) :], strict=False))
    board = Ledger(path).read()
    assert board.schedule.reach[-1] >= ordered[-1]
    assert board.schedule.next_at <= time.monotonic() + 1
    _, answer = take(board, Ask(9, 1, 1), time.monotonic() + 1, RATE)
    assert isinstance(answer, Slot)
