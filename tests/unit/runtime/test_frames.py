"""Frames: what goes in comes out, and nothing else comes out of anything."""

import asyncio
import struct
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.runtime import frames
from actors.runtime.frames import MAX_FRAME, FrameError

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=["Cs"]))
    | st.binary()
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=20
)
FRAMES = st.dictionaries(TEXT, VALUES, max_size=6)


def read_all(data: bytes) -> list[frames.Frame]:
    """Everything that a reader makes of these bytes and the end of the stream."""

    async def collect() -> list[frames.Frame]:
        reader = asyncio.StreamReader()
        reader.feed_data(data)
        reader.feed_eof()
        found = []
        while (frame := await frames.read(reader)) is not None:
            found.append(frame)
        return found

    return asyncio.run(collect())


@given(st.lists(FRAMES, max_size=4))
def test_what_goes_in_comes_out(messages: list[frames.Frame]) -> None:
    assert read_all(b"".join(map(frames.encode, messages))) == messages


@given(FRAMES, st.data())
def test_a_truncated_frame_is_an_error_wherever_it_ends(message: frames.Frame, data: st.DataObject) -> None:
    whole = frames.encode(message)
    cut = data.draw(st.integers(1, len(whole) - 1))
    with pytest.raises(FrameError, match="inside a frame"):
        read_all(whole[:cut])


@given(st.binary(max_size=200))
def test_a_body_is_a_map_with_string_keys_or_an_error(body: bytes) -> None:
    try:
        value = frames.decode(body)
    except FrameError:
        return
    assert isinstance(value, dict)
    assert all(isinstance(key, str) for key in value)


@given(st.binary(max_size=200))
def test_any_stream_ends_in_frames_or_an_error(data: bytes) -> None:
    try:
        read_all(data)
    except FrameError:
        return


@pytest.mark.parametrize(
    "value",
    [
        [],
        1,
        None,
        "text",
        {1: 2},
        {b"key": 1},
        {"deep": {1: 2}},
        {"extension": msgpack.ExtType(5, b"x")},
    ],
    ids=repr,
)
def test_other_msgpack_is_refused(value: Any) -> None:
    with pytest.raises(FrameError):
        frames.decode(msgpack.packb(value))


def test_a_timestamp_is_a_number() -> None:
    assert frames.decode(msgpack.packb({"at": msgpack.Timestamp(12, 500_000_000)})) == {"at": 12.5}


@pytest.mark.parametrize("value", [{"x": object()}, {"x": 2**70}, {"x": "\ud800"}, {"x": "a" * (MAX_FRAME + 1)}])
def test_what_no_frame_can_hold_is_refused_before_it_is_sent(value: dict[str, Any]) -> None:
    with pytest.raises(FrameError):
        frames.encode(value)


async def test_an_oversized_announcement_is_refused_before_its_body_arrives() -> None:
    reader = asyncio.StreamReader()
    reader.feed_data(struct.pack(">I", MAX_FRAME + 1))
    with pytest.raises(FrameError, match="over the limit"):
        await frames.read(reader)


async def test_the_largest_frame_passes() -> None:
    room = MAX_FRAME - len(frames.encode({"x": b"\0" * 70_000})) + 4 + 70_000
    whole = frames.encode({"x": b"\0" * room})
    assert len(whole) == MAX_FRAME + 4
    reader = asyncio.StreamReader()
    reader.feed_data(whole)
    read = await frames.read(reader)
    assert read is not None
    assert len(read["x"]) == room
