"""Prepared statements do what SQLAlchemy does with the same statements."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import bindparam, select, update

from actors.store.direct import Statements
from actors.store.engine import Database, open_writer
from actors.store.errors import StoreError
from actors.store.migrate import upgrade
from actors.store.prepared import Prepared, change, fetch
from actors.store.tables import Kind, api_outbox, desired, sessions

pytestmark = pytest.mark.integration

ADD = Prepared(sessions.insert(), ("id", "connector", "labels", "created_at"))
ALL = Prepared(select(sessions).order_by(sessions.c.id))
WISH = Prepared(desired.insert(), ("session", "enabled", "changed_at", "who"))
WISHES = Prepared(select(desired).where(desired.c.enabled == bindparam("on")))
RENAME = Prepared(update(sessions).where(sessions.c.id == bindparam("known_as")).values(connector=bindparam("now")))


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Database]:
    upgrade(tmp_path / "api.db", Kind.API)
    async with await open_writer(tmp_path / "api.db") as opened:
        yield opened


def row(id: str, **labels: str) -> dict[str, object]:
    return {"id": id, "connector": "baileys", "labels": labels, "created_at": 1.5}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    found=st.dictionaries(
        st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5),
        st.dictionaries(st.text(st.characters(codec="utf-8"), max_size=5), st.integers() | st.none()),
        max_size=4,
    )
)
async def test_values_come_back_as_with_sqlalchemy(database: Database, found: dict[str, dict[str, int]]) -> None:
    rows = [{**row(id), "labels": labels} for id, labels in found.items()]

    async def both(conn: Statements) -> tuple[list[dict[str, object]], list[dict[str, object]]]:
        await conn.execute(sessions.delete())
        assert await change(conn, ADD, *rows) == len(rows)
        prepared = [dict(zip(ALL.fields, values, strict=True)) for values in await fetch(conn, ALL)]
        return prepared, [dict(each) for each in (await conn.execute(select(sessions).order_by("id"))).mappings()]

    prepared, full = await database.run(both)
    assert prepared == full
    assert {each["id"]: each["labels"] for each in prepared} == found


async def test_they_work_in_a_transaction_of_several_visits_too(database: Database) -> None:
    async with database.begin() as conn:
        assert await change(conn, ADD, row("a"), row("b", team="x")) == 2
        assert await change(conn, RENAME, {"known_as": "b", "now": "simulator"}) == 1
        await change(conn, WISH, {"session": "a", "enabled": False, "changed_at": 1, "who": "me"})
        found = [tuple(values) for values in await fetch(conn, ALL)]
    assert found == [("a", "baileys", {}, 1.5, None), ("b", "simulator", {"team": "x"}, 1.5, None)]
    wishes = await database.run(lambda conn: fetch(conn, WISHES, on=False))
    assert [tuple(wish) for wish in wishes] == [("a", False, 1.0, "me")]


async def test_a_parameter_that_is_missing_is_an_error(database: Database) -> None:
    with pytest.raises(KeyError, match="on"):
        await database.run(lambda conn: fetch(conn, WISHES))


async def test_what_sqlite_refuses_leaves_nothing(database: Database) -> None:
    async def twice(conn: Statements) -> None:
        await change(conn, ADD, row("a"))
        await change(conn, ADD, row("a", secret="top-secret"))

    with pytest.raises(StoreError) as caught:
        await database.run(twice)
    assert "top-secret" not in str(caught.value) + str(caught.value.__cause__)
    assert await database.run(lambda conn: fetch(conn, ALL)) == []
    assert await database.run(lambda conn: fetch(conn, Prepared(select(api_outbox)))) == []
