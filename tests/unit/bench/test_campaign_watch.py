"""What a campaign waits for, also if more has followed when it is read."""

import asyncio
from pathlib import Path

from tests.bench.campaign.truth import Judged, Moved
from tests.bench.campaign.watch import Watch


async def test_what_is_over_when_it_is_read_is_seen_and_what_was_before_is_not(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    away = Moved("a", 1.0, "closing", "open", "outbound_stuck")
    watch._saw("a", away)
    waiting = asyncio.create_task(watch.sees("a", lambda seen: isinstance(seen, Moved) and seen.state != "open", 10.0))
    await asyncio.sleep(0)
    for what in (Judged("a", 2.0, "alive"), Moved("b", 2.0, "closing", "open", None)):
        watch._saw(what.session, what)
        await asyncio.sleep(0)
    assert not waiting.done()
    for state, previous in (("closing", "open"), ("connecting", "closing"), ("open", "connecting")):
        watch._saw("a", Moved("a", 3.0, state, previous, None))
    assert await waiting


async def test_what_does_not_come_is_waited_for_no_longer_than_it_may(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    assert not await watch.sees("a", lambda _: True, 0.01)
    assert not await watch.until("a", lambda move: move is not None, 0.01)
