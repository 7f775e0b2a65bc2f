import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import closing

import pytest
from sqlalchemy import StaticPool, create_engine, text

from actors.store.direct import Direct, Statements, carry_out


@pytest.fixture
def conn() -> Iterator[Direct]:
    with closing(sqlite3.connect(":memory:")) as raw:
        raw.execute("CREATE TABLE t (n INTEGER)")
        engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
        with engine.connect() as full:
            yield Direct(raw, full)


def test_it_runs_to_its_end_and_returns_the_value(conn: Direct) -> None:
    async def operation(statements: Statements) -> list[int]:
        await statements.execute(text("INSERT INTO t VALUES (:n)"), [{"n": 1}, {"n": 2}])
        return [int(row.n) for row in await statements.execute(text("SELECT n FROM t ORDER BY n"))]

    assert carry_out(operation, conn) == [1, 2]


def test_its_error_is_the_callers(conn: Direct) -> None:
    async def operation(_: Statements) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        carry_out(operation, conn)


def test_it_may_wait_for_nothing_else(conn: Direct) -> None:
    async def operation(_: Statements) -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="nothing but the connection"):
        carry_out(operation, conn)
