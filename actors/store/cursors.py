"""How far a consumer has read: in the consumer's own database, moved in the transaction of what it did."""

from sqlalchemy import Table, select
from sqlalchemy.dialects.sqlite import insert

from actors.store.direct import Statements
from actors.store.tables import shard_cursor

_CURSOR: Table = shard_cursor  # the same in every consumer's database


async def get_cursor(conn: Statements, name: str) -> int:
    """The last sequence number that was handled; 0 for a name never set."""
    query = select(_CURSOR.c.position).where(_CURSOR.c.name == name)
    return int((await conn.execute(query)).scalar_one_or_none() or 0)


async def set_cursor(conn: Statements, name: str, position: int) -> None:
    """Moves forward; a position behind the stored one changes nothing."""
    statement = insert(_CURSOR).values(name=name, position=position)
    await conn.execute(
        statement.on_conflict_do_update(
            index_elements=[_CURSOR.c.name],
            set_={"position": statement.excluded.position},
            where=statement.excluded.position > _CURSOR.c.position,
        )
    )
