"""Durations and sizes: text to number and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.durations import LONGEST_SECONDS, format_duration, parse_duration
from config.schema_actors import Supervision
from config.sizes import format_size, parse_size

FACTORS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("10s", 10.0), ("5m", 300.0), ("2h", 7200.0), ("1d", 86400.0), ("1.5s", 1.5), ("0s", 0.0)],
)
def test_reads_every_unit(text: str, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text",
    ["", "10", "s", "10 s", " 10s", "10s\n", "-1s", "+1s", "1e3s", "10S", "1m30s", "1.s", ".5s", "٣s", "9" * 11 + "s"],
)
def test_refuses_what_is_not_one_number_with_one_unit(text: str) -> None:
    with pytest.raises(ValueError, match="500ms, 10s, 5m"):
        parse_duration(text)


@given(st.integers(0, 10**9), st.sampled_from(sorted(FACTORS)))
def test_the_unit_scales_the_number(number: int, unit: str) -> None:
    assert parse_duration(f"{number}{unit}") == pytest.approx(number * FACTORS[unit], rel=1e-12)


@given(st.integers(0, 10**14))
def test_a_formatted_duration_reads_back_to_the_microsecond(microseconds: int) -> None:
    seconds = round(microseconds / 1e6, 6)
    assert parse_duration(format_duration(seconds)) == seconds


@given(st.floats(0, LONGEST_SECONDS))
def test_any_duration_formats_to_a_readable_text_near_it(seconds: float) -> None:
    assert abs(parse_duration(format_duration(seconds)) - seconds) <= 1e-6


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.0, "0s"), (0.05, "50ms"), (0.0005, "0.5ms"), (1.5, "1.5s"), (90.0, "90s"), (300.0, "5m"), (604800.0, "7d")],
)
def test_formats_in_the_largest_whole_unit(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


@pytest.mark.parametrize("seconds", [-0.1, float("nan"), float("inf"), 1e10])
def test_does_not_format_what_could_not_be_read(seconds: float) -> None:
    with pytest.raises(ValueError, match="is not between"):
        format_duration(seconds)


def test_code_may_give_seconds_and_gets_them_back() -> None:
    section = Supervision(heartbeat=0.1, heartbeat_timeout=1, tick=0.02)
    assert (section.heartbeat, section.heartbeat_timeout) == (0.1, 1.0)
    assert section.model_dump(mode="json")["heartbeat"] == "100ms"


@given(st.integers(0, 2**40))
def test_a_formatted_size_reads_back(size: int) -> None:
    text = format_size(size)
    if len(text) <= 10:
        assert parse_size(text) == size


@pytest.mark.parametrize(("text", "size"), [("512B", 512), ("64KiB", 65536), ("1MiB", 1048576), ("0B", 0)])
def test_reads_sizes(text: str, size: int) -> None:
    assert parse_size(text) == size
    assert format_size(size) == text


@pytest.mark.parametrize("text", ["64", "64KB", "64 KiB", "1.5MiB", "-1B", ""])
def test_refuses_sizes_without_a_known_unit(text: str) -> None:
    with pytest.raises(ValueError, match="512B, 64KiB"):
        parse_size(text)
