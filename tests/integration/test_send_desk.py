"""What a caller is told of a message, whatever the database does in which its progress stands."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from actors.settings import Settings, settings_from
from actors.store.engine import open_writer
from actors.store.migrate import upgrade
from actors.store.tables import Kind
from config.schema import Config
from daemon.backend import BackendError
from daemon.reads import Reads
from daemon.sends import SendDesk
from daemon.shards import Shards
from tests.lockholder import held

pytestmark = [pytest.mark.integration, pytest.mark.timeout(60)]

PATIENCE = 0.3


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return settings_from(Config.model_validate({"state_dir": str(tmp_path)}), None)


@pytest.fixture
async def desk(settings: Settings) -> AsyncIterator[SendDesk]:
    """Of one shard, whose host takes nothing over."""
    upgrade(settings.database("api"), Kind.API)
    reads = Reads(settings.database, PATIENCE)
    async with await open_writer(settings.database("api")) as api:
        shards = Shards(settings, api.watch, lambda _read: None, lambda _event: None, reads)
        await shards.open([0])
        found = SendDesk(api, lambda _session, query: shards.read(0, query), lambda _session, _upto: None)
        running = asyncio.create_task(found.run())
        async with await open_writer(settings.database("shard-0")):
            yield found
        running.cancel()
        await shards.close()
        await reads.close()


async def test_a_message_that_was_stored_is_accepted_though_nobody_can_read_how_far_it_is(
    settings: Settings, desk: SendDesk
) -> None:
    with held("readers", settings.database("shard-0")):
        send, added = await desk.submit("s", None, "15550100001", "hello", 0.1)
        assert (added, send.state) == (True, "queued")
        # who asks by its id is not told what nobody knows
        with pytest.raises(BackendError, match="did not answer"):
            await desk.submit("s", send.id, "15550100001", "hello", 0.1)
    again = None
    while again is None:
        with contextlib.suppress(BackendError):  # what waited for the lock is read first
            again = await desk.find("s", send.id)
    assert again == send
