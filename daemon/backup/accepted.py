"""Messages that were accepted when a backup was made, and that no host had taken over: they had no WhatsApp id yet.

The daemon that went on may have sent them since, under ids that the backup does not know.  Sent again they would reach
their recipients twice, so after a restore they have failed, and whoever wants them sent says so.
"""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from sqlalchemy import select
from sqlalchemy.exc import DBAPIError

from actors.connectors.host.intake import new_message_id
from actors.settings import shard_name
from actors.store import cursors, shard_queries
from actors.store.direct import Direct, Statements, carry_out
from actors.store.engine import sync_reader, sync_writer, translate
from actors.store.migrate import upgrade
from actors.store.records import SendProgress, StoredSend
from actors.store.send_states import FAILED
from actors.store.tables import Kind, placement, sends

RESTORED: Final = "restored"
"""Error of such a send."""


def give_up(folder: Path, now: float) -> int:
    """Lets fail what no host had taken over, in databases that are not in use; returns how much.  Raises StoreError."""
    count = 0
    for shard, waiting in groupby(_accepted(folder / "api.db"), key=lambda item: item[0]):
        path = folder / f"{shard_name(shard)}.db"
        upgrade(path, Kind.SHARD)  # it may never have had a host
        count += _fail(path, [send for _, send in waiting], now)
    return count


def _accepted(path: Path) -> list[tuple[int, StoredSend]]:
    query = (
        select(placement.c.shard, sends)
        .join(placement, placement.c.session == sends.c.session)
        .where(sends.c.seq > placement.c.sends_after)
        .order_by(placement.c.shard, sends.c.seq)
    )
    engine = sync_reader(path)
    try:
        with engine.begin() as conn:
            return [(shard, StoredSend(*send)) for shard, *send in conn.execute(query).all()]
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()


def _fail(path: Path, accepted: Sequence[StoredSend], now: float) -> int:
    async def fail(conn: Statements) -> int:
        taken = await cursors.get_cursor(conn, shard_queries.SENDS_CURSOR)
        mine = [send for send in accepted if send.seq > taken]
        failed = [
            SendProgress(send.session, send.id, new_message_id(), send.to_jid, FAILED, now, RESTORED) for send in mine
        ]
        if failed:
            await shard_queries.accept_sends(conn, failed, mine[-1].seq)
        return len(failed)

    engine = sync_writer(path)
    try:
        with engine.begin() as conn:
            raw: Any = conn.connection.dbapi_connection
            return carry_out(fail, Direct(raw, conn))
    except DBAPIError as error:
        raise translate(path, error) from error
    finally:
        engine.dispose()
