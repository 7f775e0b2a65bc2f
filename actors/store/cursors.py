"""How far a consumer has read: in the consumer's own database, moved in the transaction of what it did."""

from collections.abc import Iterable

from sqlalchemy import ColumnElement, Table, bindparam, delete, select
from sqlalchemy.dialects.sqlite import insert

from actors.store.direct import Statements
from actors.store.prepared import Prepared, change, fetch
from actors.store.tables import shard_cursor

_CURSOR: Table = shard_cursor  # the same in every consumer's database
_LEFT = " without "
"""Between the name of a cursor and a number that was left for later."""
_GET = Prepared(select(_CURSOR.c.position).where(_CURSOR.c.name == bindparam("called")))


def _forward() -> Prepared:
    statement = insert(_CURSOR)
    moved = statement.on_conflict_do_update(
        index_elements=[_CURSOR.c.name],
        set_={"position": statement.excluded.position},
        where=statement.excluded.position > _CURSOR.c.position,
    )
    return Prepared(moved, ("name", "position"))


_FORWARD = _forward()


async def get_cursor(conn: Statements, name: str) -> int:
    """The last sequence number that was handled; 0 for a name never set."""
    found = await fetch(conn, _GET, called=name)
    return int(found[0][0]) if found else 0


async def forget_cursor(conn: Statements, name: str) -> None:
    """As if it had never been set."""
    await conn.execute(delete(_CURSOR).where(_CURSOR.c.name == name))


async def get_left(conn: Statements, name: str) -> list[int]:
    """The numbers before the cursor of that name that were left for later, in their order."""
    query = select(_CURSOR.c.position).where(_left(name)).order_by(_CURSOR.c.position)
    return list((await conn.execute(query)).scalars())


async def set_left(conn: Statements, name: str, numbers: Iterable[int]) -> None:
    """These are left for later, and no others."""
    await conn.execute(delete(_CURSOR).where(_left(name)))
    if rows := [{"name": f"{name}{_LEFT}{number}", "position": number} for number in numbers]:
        await change(conn, _FORWARD, *rows)


def _left(name: str) -> ColumnElement[bool]:
    return _CURSOR.c.name.startswith(name + _LEFT, autoescape=True)


async def set_cursor(conn: Statements, name: str, position: int) -> None:
    """Moves forward; a position behind the stored one changes nothing."""
    await change(conn, _FORWARD, {"name": name, "position": position})
