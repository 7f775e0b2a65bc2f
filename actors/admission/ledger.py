"""The board as a file in the runtime directory, one for each connector: read, changed and written under its lock.

The lock is held for some microseconds by a process that does nothing else meanwhile; the kernel gives it back when its
holder dies.  Whoever can't have it waits, and admits nobody: that a stopped process holds it for ever is prevented by
its supervisor, which kills it.  No message is exchanged, and no actor but the hosts is needed.
"""

import asyncio
import fcntl
import os
import struct
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from actors.admission.board import Board, Row
from actors.admission.heldfile import HeldFile
from actors.admission.outage import Outage
from actors.admission.slots import MOST, Schedule

Answer = TypeVar("Answer")

SUFFIX = ".admission"
"""Of the names of boards."""
PAUSE = 0.002
"""Seconds between two tries to have the lock."""
_MAGIC = b"wavigil3"
_HEAD = struct.Struct("<8sddq?d32sqddq")
_CELL = struct.Struct("<d")
_REACH_AT = 128
_HEAD_SIZE = _REACH_AT + _CELL.size * MOST
_ROW = struct.Struct("<?diiiiq")
_ROW_SIZE = 48
_ROOM = _HEAD_SIZE + 160 * _ROW_SIZE
MOST_ROWS = 4096
"""Shards that have a row."""


def ledger_path(runtime_dir: Path, connector: str) -> Path:
    """Where the board of a connector is: its connections leave this machine by one way, and are counted together."""
    return runtime_dir / f"{connector}{SUFFIX}"


def ways_path(board: Path) -> Path:
    """Where the ways out are that are held, of the connector that has this board."""
    return board.with_suffix(".ways")


def boards(runtime_dir: Path) -> dict[str, Path]:
    """The boards that there are, by connector."""
    return {path.name.removesuffix(SUFFIX): path for path in runtime_dir.glob(f"*{SUFFIX}")}


class Ledger:
    """One process's hold on the file.  Raises OSError if it can't be opened, or if there is no room for it.

    Without a path it is a board of its own, which nobody shares.
    """

    def __init__(self, path: Path | None = None) -> None:
        if path is None:
            self._fd = os.memfd_create("admission")
        else:
            self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self.shared = path is not None
        try:
            os.posix_fallocate(self._fd, 0, _ROOM)  # what is written later fits also on a full disk
            self._held = HeldFile(None if path is None else ways_path(path))
        except OSError:
            os.close(self._fd)
            raise
        self._cells: list[float] = []
        """What the last look found of the schedule's ``reach``, in no order."""
        self._blank = True
        """Whether nothing that makes sense was in it at the last look."""

    async def act(self, change: Callable[[Board], tuple[Board, Answer]]) -> Answer:
        """Makes of the board what ``change`` (pure) returns, with its answer.  Raises OSError."""
        while not self._locked():  # noqa: ASYNC110 - another process has it
            await asyncio.sleep(PAUSE)
        try:
            before = self.read()
            after, answer = change(before)
            self.write(before, after)
        finally:
            fcntl.flock(self._fd, fcntl.LOCK_UN)
        return answer

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._fd)
        self._held.close()

    def _locked(self) -> bool:
        try:
            fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True

    def read(self) -> Board:
        """The board as it is now; without the lock perhaps in the middle of a change.  Raises OSError."""
        raw = os.pread(self._fd, _HEAD_SIZE + MOST_ROWS * _ROW_SIZE, 0)
        magic, next_at, last_at, epoch, on, since, cause, probes, probe_at, ended_at, reach = _HEAD.unpack(
            raw[: _HEAD.size].ljust(_HEAD.size, b"\0")
        )
        self._blank = len(raw) < _HEAD_SIZE or magic != _MAGIC or not 0 <= reach <= MOST
        held = self._held.read()
        if self._blank:
            return Board(held=held)
        self._cells = list(struct.unpack_from(f"<{reach}d", raw, _REACH_AT))
        schedule = Schedule(next_at, tuple(sorted(self._cells)), last_at)
        outage = Outage(
            since if on else None, cause.rstrip(b"\0").decode("ascii", "replace"), probes, probe_at, ended_at
        )
        rows: dict[int, Row] = {}
        for shard in range((len(raw) - _HEAD_SIZE) // _ROW_SIZE):
            used, *values = _ROW.unpack_from(raw, _HEAD_SIZE + shard * _ROW_SIZE)
            if used:
                rows[shard] = Row(*values)
        return Board(schedule, epoch, outage, rows, held)

    def write(self, before: Board, after: Board) -> None:
        """Writes what differs between the board as it was just read, and as it is to be.  Raises OSError."""
        if self._blank:
            os.ftruncate(self._fd, 0)
            os.posix_fallocate(self._fd, 0, _ROOM)
            self._cells = []
        self._write_reach(Counter(before.schedule.reach), Counter(after.schedule.reach))
        if self._blank or _head(after) != _head(before):
            self._put(_head(after), 0)
        if after.held != before.held:
            self._held.write(after.held)
        for shard in after.rows.keys() | before.rows.keys():
            row = after.rows.get(shard)
            if row != before.rows.get(shard) and shard < MOST_ROWS:
                raw = _ROW.pack(False, 0, 0, 0, 0, 0, 0) if row is None else _pack(row)
                self._put(raw.ljust(_ROW_SIZE, b"\0"), _HEAD_SIZE + shard * _ROW_SIZE)

    def _write_reach(self, before: Counter[float], after: Counter[float]) -> None:
        """Cell by cell, before their number.

        Who is killed in between leaves what is between before and after: the n-th last is no earlier than it is in the
        earlier of the two.  So the new ones take the places of the old ones in the order of both.
        """
        cells, gone, new = self._cells, before - after, sorted((after - before).elements())
        places = [index for index, at in enumerate(cells) if gone[at] and not gone.subtract({at: 1})]
        places.sort(key=cells.__getitem__)
        further = max(0, len(new) - len(places))
        for at in new[:further]:
            cells.append(at)
            self._put_cell(len(cells) - 1)
        empty = len(places) - (len(new) - further)
        for index, at in zip(places[empty:], new[further:], strict=True):
            cells[index] = at
            self._put_cell(index)
        for index in sorted(places[:empty], reverse=True):
            last = cells.pop()
            if index < len(cells):
                cells[index] = last
                self._put_cell(index)

    def _put_cell(self, index: int) -> None:
        self._put(_CELL.pack(self._cells[index]), _REACH_AT + index * _CELL.size)

    def _put(self, raw: bytes, offset: int) -> None:
        if os.pwrite(self._fd, raw, offset) != len(raw):
            raise OSError(f"{len(raw)} bytes of the admission board could not be written")


def _head(board: Board) -> bytes:
    outage = board.outage
    return _HEAD.pack(
        _MAGIC,
        board.schedule.next_at,
        board.schedule.last_at,
        board.epoch,
        outage.on,
        outage.since or 0.0,
        outage.cause.encode("ascii", "replace")[:32],
        outage.probes,
        outage.probe_at,
        outage.ended_at,
        len(board.schedule.reach),
    )


def _pack(row: Row) -> bytes:
    return _ROW.pack(True, row.seen_at, row.members, row.waiting, row.urgency, row.failing, row.epoch)
