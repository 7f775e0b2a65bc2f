import asyncio
from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, create_engine, text

from actors.store.direct import Statements, carry_out


@pytest.fixture
def conn() -> Iterator[Connection]:
    engine = create_engine("sqlite://")
    with engine.begin() as opened:
        opened.execute(text("CREATE TABLE t (n INTEGER)"))
        yield opened
    engine.dispose()


def test_it_runs_to_its_end_and_returns_the_value(conn: Connection) -> None:
    async def operation(statements: Statements) -> list[int]:
        await statements.execute(text("INSERT INTO t VALUES (:n)"), [{"n": 1}, {"n": 2}])
        return [int(row.n) for row in await statements.execute(text("SELECT n FROM t ORDER BY n"))]

    assert carry_out(operation, conn) == [1, 2]


def test_its_error_is_the_callers(conn: Connection) -> None:
    async def operation(_: Statements) -> None:
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        carry_out(operation, conn)


def test_it_may_wait_for_nothing_else(conn: Connection) -> None:
    async def operation(_: Statements) -> None:
        await asyncio.sleep(0)

    with pytest.raises(TypeError, match="nothing but the connection"):
        carry_out(operation, conn)
