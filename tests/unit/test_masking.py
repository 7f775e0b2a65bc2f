import base64
import hashlib
import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.masking import hide_keys, mask_log, mask_number, mask_text, mask_value

numbers = st.text("0123456789", min_size=7, max_size=20)


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("15550100189", "1555•••89"),
        ("to 15550100189@s.whatsapp.net", "to 1555•••89@s.whatsapp.net"),
        ("15550100189:12@s.whatsapp.net", "1555•••89:12@s.whatsapp.net"),
        ("120363025246125486@g.us", "1203•••86@g.us"),
        ("+1 (555) 010-0189 called", "+1555•••89 called"),
        ("5550100", "•••00"),
        ("555010", "555010"),
        ("/api/sessions/support-1", "/api/sessions/support-1"),
        ("at 12:30:45.123, code 401", "at 12:30:45.123, code 401"),
    ],
)
def test_examples(text: str, masked: str) -> None:
    assert mask_text(text) == masked


@given(st.text(), numbers, st.text())
def test_no_number_survives_whatever_stands_around_it(before: str, number: str, after: str) -> None:
    masked = mask_text(before + number + after)
    assert re.search("[0-9]{7}", masked, re.ASCII) is None
    assert number not in masked


@given(numbers)
def test_at_least_five_digits_are_hidden_and_the_length_does_not_show(number: str) -> None:
    masked = mask_number(number)
    assert sum(character.isdigit() for character in masked) <= len(number) - 5
    assert len(mask_number("1" * 11)) == len(mask_number("1" * 15))


@given(st.text(st.sampled_from("0123456789+-() .@a")))
def test_masking_twice_changes_nothing(text: str) -> None:
    once = mask_text(text)
    assert mask_text(once) == once


@given(st.text(st.characters(blacklist_categories=["Nd"])))
def test_text_without_digits_stays(text: str) -> None:
    assert mask_text(text) == text


@pytest.mark.parametrize(
    "line",
    [
        "actor system up: root 4190001",  # hidden unless the words around say pid; numbers come as numbers
        "pid 4190001 ended",
        "connector process 4190001 ended: -9",
        "wavigil[4190001]: serving",
        "2026-11-27T03:27:35.123456Z serving on http://127.0.0.1:65535 in 12345.6 ms",
        'File "/home/You1/wavigil/actors/runtime/loop_actor.py", line 12345',
        "support-1: open -> waiting, connection_closed",
        "wavigil_session_round_trip_seconds_of_a_long_name_1",
    ],
)
def test_what_a_log_keeps(line: str) -> None:
    assert (mask_log(line) == line) is ("root" not in line)


@pytest.mark.parametrize("value", [0, 65535, 4_194_304, 1_795_750_000, 1_795_750_000_123, -9])
def test_numbers_of_the_code_stay(value: int) -> None:
    assert mask_value(value) == value


@given(numbers.filter(lambda number: not number.startswith("0")), st.booleans())
def test_no_phone_number_of_seven_digits_or_more_survives_in_a_log(number: str, suffixed: bool) -> None:
    text = f"no session for {number}" + ("@s.whatsapp.net" if suffixed else "")
    assert number not in mask_log(text)
    assert number not in mask_log(f"pid {number}@s.whatsapp.net")
    if len(number) not in {7, 10, 13}:
        assert str(mask_value(int(number))) != number


@given(st.text(), st.text(string.ascii_letters + string.digits + "-_", min_size=32), st.sampled_from(" '\"\n,;"))
def test_no_key_survives(before: str, key: str, around: str) -> None:
    hexadecimal = hashlib.sha256(key.encode()).hexdigest()
    base64ed = base64.b64encode(hashlib.sha512(key.encode()).digest()).decode()
    text = f"{before}{around}{hexadecimal}{around}{base64ed}{around}whsec_{key}{around}Authorization: Bearer {key}"
    hidden = hide_keys(text)
    for secret in (hexadecimal, base64ed):
        assert secret not in hidden
    assert f"whsec_{key}" not in hidden
    assert f"Bearer {key}" not in hidden


PIECES = [*"=:'@a/ \\\"", "token", "://", "b_", "<hidden>", "basic ", "authorization", "5550100"]
PLACES = [
    "connecting to socks5://user:{}@proxy.example:1080",
    "http://{}@[::1]:3128/ failed",
    "Proxy-Authorization: Basic {}",
    "{{'authorization': 'Digest {}'}}",
    "password={}, try again",
    "proxy_password: '{}'",
    'say {{"apiKey": "{}", "secret": "{}"}}',
    '"{{\\"token\\":\\"{}\\"}}"',
    "GET /x?access_token={}&y=1",
]
"""Where a secret stands, however short it is."""


@pytest.mark.parametrize("place", PLACES)
@given(st.text(string.ascii_letters + string.digits + "!$%()*+.:<=>@[]^_`{|}~-", min_size=1, max_size=7))
def test_no_secret_survives_where_secrets_stand(place: str, secret: str) -> None:
    hidden = mask_log(place.format(*[f"\N{SNOWMAN}{secret}"] * 2))
    assert "\N{SNOWMAN}" not in hidden
    assert mask_log(place.format(*[secret] * 2)) == hidden


@pytest.mark.parametrize(
    "line",
    [
        "/etc/wavigil/admin.token: Permission denied",
        "basic functions work: http://127.0.0.1:9470/api, mail a@b.example",
        "token_invalid: the token is refused; tokens: 3, secrets: none",
    ],
)
def test_what_only_looks_like_the_place_of_a_secret_stays(line: str) -> None:
    assert mask_log(line) == line


@given(st.text(string.ascii_letters + string.digits + "+/=@ _-.:[]") | st.lists(st.sampled_from(PIECES)).map("".join))
def test_hiding_and_masking_twice_changes_nothing(text: str) -> None:
    once = mask_log(text)
    assert mask_log(once) == once
