import re
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api import fields

digits = st.text("0123456789", min_size=7, max_size=15)


@given(digits)
def test_every_spelling_of_a_number_is_one_recipient(number: str) -> None:
    jid = f"{number}@s.whatsapp.net"
    assert fields.parse_recipient(number) == fields.parse_recipient("+" + number) == fields.parse_recipient(jid) == jid


@given(st.text())
def test_a_recipient_is_accepted_exactly_when_the_published_pattern_matches(text: str) -> None:
    published = re.match(fields.RECIPIENT_PATTERN.removesuffix("$") + r"\Z", text, re.ASCII) is not None
    try:
        parsed = fields.parse_recipient(text)
    except ValueError:
        assert not published
    else:
        assert published
        assert fields.parse_recipient(parsed) == parsed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "123456",
        "1234567890123456",
        "1 555 010 0189",
        "15550100189\n",
        "١٥٥٥٠١٠٠١٨٩",
        "15550100189@example.com",
        "15550100189:12@s.whatsapp.net",
        "@s.whatsapp.net",
        "15550100189@S.WHATSAPP.NET",
        "status@broadcast",
        "+15550100189@s.whatsapp.net",
    ],
)
def test_what_is_no_recipient(text: str) -> None:
    with pytest.raises(ValueError, match="a recipient is"):
        fields.parse_recipient(text)


@pytest.mark.parametrize("text", ["120363025246125486@g.us", "15550100189-1600000000@g.us", "123456789012345@lid"])
def test_groups_and_hidden_numbers_stay_as_they_are(text: str) -> None:
    assert fields.parse_recipient(text) == text


@given(st.integers(0, 60_000))
def test_waits(milliseconds: int) -> None:
    assert fields.parse_wait(f"{milliseconds}ms") == pytest.approx(milliseconds / 1000)


@pytest.mark.parametrize("value", ["61s", "2m", "10", "-1s", "1h", "", "10 s", 11, 10.0, None, True, "1e3s", "10s\n"])
def test_what_is_no_wait(value: object) -> None:
    with pytest.raises(ValueError, match="a wait is"):
        fields.parse_wait(value)


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "x" * 65, "é", "a\n"])
def test_what_is_no_message_id(text: str) -> None:
    with pytest.raises(ValueError, match="a message id"):
        fields.parse_message_id(text)


@given(st.from_regex(r"\A[A-Za-z0-9._-]{1,64}\Z").filter(lambda text: text not in {".", ".."}))
def test_message_ids(text: str) -> None:
    assert fields.parse_message_id(text) == text


def test_label_filters() -> None:
    assert fields.parse_label_filter("team:support") == ("team", "support")
    assert fields.parse_label_filter("url:http://a") == ("url", "http://a")
    for wrong in ("team", ":support", "team:", "te am:x", "team:" + "x" * 129):
        with pytest.raises(ValueError, match="label"):
            fields.parse_label_filter(wrong)


@given(st.floats(0, 4e9))
def test_times_are_rfc_3339_in_utc_to_the_millisecond(at: float) -> None:
    text = fields.format_time(at)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text)
    assert datetime.fromisoformat(text).timestamp() == pytest.approx(at, abs=0.0011)


@given(st.floats() | st.integers() | st.integers(2**1000, 2**2000), st.sampled_from([1e-3, 1.0, 1e3, 1e6]))
def test_no_number_is_too_odd_for_a_time(value: float, scale: float) -> None:
    for at in (value, value * scale if abs(value) < 2**1000 else value):
        text = fields.format_time(at)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", text), text
        assert datetime.fromisoformat(text).year >= 1970


@pytest.mark.parametrize(
    ("at", "text"),
    [
        (1_795_370_094_000.0, "9999-12-31T23:59:59.999Z"),
        (float("inf"), "9999-12-31T23:59:59.999Z"),
        (-1.0, "1970-01-01T00:00:00.000Z"),
        (float("nan"), "1970-01-01T00:00:00.000Z"),
    ],
)
def test_a_moment_out_of_all_years_is_the_nearest_one(at: float, text: str) -> None:
    assert fields.format_time(at) == text


def test_a_time_by_example() -> None:
    assert fields.format_time(1769847330.125) == "2026-01-31T08:15:30.125Z"
