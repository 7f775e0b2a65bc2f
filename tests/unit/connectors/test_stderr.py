"""What a connector says on its stderr becomes lines of its host's log."""

import asyncio
import json
import logging
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.host.stderr import BURST, LONGEST_LINE, Relay, parse
from tests.fixtures_daemon import until


@pytest.mark.parametrize(
    ("line", "level", "text", "session"),
    [
        (
            '{"level":"error","event":"auth_state_failed","session":"a-1","error":"Error: x","at":null,"n":2}',
            logging.ERROR,
            "a-1: auth_state_failed, error=Error: x, n=2",
            "a-1",
        ),
        ('{"level":"info","event":"up","session":null}', logging.INFO, "up", None),
        ('{"level":7,"event":"odd"}', logging.WARNING, "odd", None),
        ('{"event":3}', logging.WARNING, '{"event":3}', None),
        ("Traceback (most recent call last):\r", logging.WARNING, "Traceback (most recent call last):", None),
    ],
)
def test_examples(line: str, level: int, text: str, session: str | None) -> None:
    said = parse(line)
    assert said is not None
    assert (said.level, said.text, said.session) == (level, text, session)


async def test_a_flood_of_lines_is_cut_and_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe:
        relay = Relay(pipe, "external")
        lines = 3 * BURST
        for number in range(lines):
            os.write(write, f"line {number}\n".encode())
            if number % 1000 == 0:
                await asyncio.sleep(0)
        os.close(write)
        await until("all is read", lambda: pipe.closed)
        relay.close()
    passed = [text for text in caplog.messages if text.startswith("line ")]
    assert BURST <= len(passed) < lines
    assert passed[:BURST] == [f"line {number}" for number in range(BURST)]


VALUES = st.none() | st.text() | st.integers() | st.lists(st.text())


@given(st.text() | st.dictionaries(st.text(), VALUES).map(json.dumps))
def test_nothing_breaks_it_and_nothing_is_lost(line: str) -> None:
    said = parse(line)
    assert (said is None) is (not line.strip())
    if said is not None:
        assert said.text


@pytest.mark.parametrize("line", ["[{}]", '{{"event":"x","v":{}}}'])
def test_nesting_of_any_depth_is_a_line_like_another(line: str) -> None:
    for depth in (*range(850, 1010), 15_000):
        said = parse(line.format("[" * depth + "]" * depth))
        assert said is not None
        assert said.text
    assert parse("[" * 15_000) is not None


async def test_lines_are_passed_on_whole_and_the_last_words_too(caplog: pytest.LogCaptureFixture) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe:
        relay = Relay(pipe, "baileys")
        os.write(write, b'{"level":"warning","event":"link')
        os.write(write, b'_cut","session":"a-1"}\nhalf')
        await until("the line is passed on", lambda: any("link_cut" in message for message in caplog.messages))
        assert caplog.records[0].name == "connector.baileys"
        assert caplog.records[0].__dict__["session"] == "a-1"
        os.write(write, b"x" * LONGEST_LINE)
        os.write(write, b"\nlast words")
        relay.close()
        relay.close()
    os.close(write)
    assert sum(len(message) for message in caplog.messages if message.strip("halfx") == "") == LONGEST_LINE + 4
    assert caplog.messages[-1] == "last words"


async def test_the_end_of_the_process_closes_it(caplog: pytest.LogCaptureFixture) -> None:
    read, write = os.pipe()
    with os.fdopen(read, "rb") as pipe:
        Relay(pipe, "simulator")
        os.write(write, b"that is all")
        os.close(write)
        await until("it is closed", lambda: pipe.closed)
    assert caplog.messages == ["that is all"]
