"""What a bundle may not hold, hidden wherever it stands; what it is for stays."""

import json
import re
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from daemon.support.redact import Redactor

SECRETS = st.text(min_size=8).filter(lambda secret: secret.strip() == secret)
PHONES = st.from_regex(r"[1-9][0-9]{7,14}", fullmatch=True)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(SECRETS, st.text(), st.text())
def test_no_known_secret_survives(secret: str, before: str, after: str) -> None:
    redactor = Redactor([secret])
    assert secret not in redactor.text(f"{before}{secret}{after}")


@settings(max_examples=50)
@given(st.text(string.ascii_letters + string.digits + '"\\/+=äß', min_size=8), JSON)
def test_none_survives_in_json_either_as_it_is_or_escaped(secret: str, value: object) -> None:
    redactor = Redactor([secret])
    written = json.dumps(redactor.value({"a": [secret, {secret: value}], "b": json.dumps(secret)}), ensure_ascii=False)
    assert secret not in written
    assert json.dumps(secret, ensure_ascii=False)[1:-1] not in written


@given(PHONES, st.sampled_from(["{}", "{}@s.whatsapp.net", "call +{}", "{}:3@lid", "pid {}@g.us"]))
def test_no_phone_number_survives(phone: str, form: str) -> None:
    redactor = Redactor([])
    text = form.format(phone)
    assert phone not in redactor.text(text)
    assert phone not in str(redactor.value([{text: text}]))
    line = redactor.metrics(f'wavigil_x{{label="{text}"}} 1')
    assert phone not in line
    assert line.endswith(" 1\n")


@given(st.integers() | st.floats(allow_nan=False))
def test_numbers_stay_numbers(number: float) -> None:
    redactor = Redactor(["a-secret-text"])
    assert redactor.value({"bytes": number}) == {"bytes": number}
    assert redactor.metrics(f"wavigil_bytes {number}") == f"wavigil_bytes {number}\n"


@settings(max_examples=50)
@given(JSON)
def test_json_keeps_its_shape(value: object) -> None:
    def shape(node: object) -> object:
        if isinstance(node, dict):
            return sorted(str(shape(item)) for item in node.values())
        return [shape(item) for item in node] if isinstance(node, list) else type(node).__name__

    redacted = Redactor([]).value(value)
    if "<hidden>" not in str(redacted) and "•" not in str(redacted):  # two keys may become one
        assert shape(redacted) == shape(value)


LETTERS = string.ascii_letters + string.digits + "!$%().:=^_~-"
SHORT = st.text(LETTERS, min_size=1, max_size=7).map("\N{SNOWMAN}{}".format)
FIELDS = ("password", "token", "proxyPassword", "master_key", "api-key", "Secret", "authorization")


@given(SHORT, st.sampled_from(FIELDS))
def test_no_short_secret_survives_where_secrets_stand(secret: str, name: str) -> None:
    redactor = Redactor([])
    url = f"socks5://user:{secret}@proxy.example"
    deep = [{"a": {name: [secret, {"b": secret}]}}]
    for value in ({name: secret}, deep, {"url": url}, {url: 1}, [f"{name}={secret}"]):
        assert "\N{SNOWMAN}" not in json.dumps(redactor.value(value), ensure_ascii=False)
    line = redactor.metrics(f'wavigil_x{{via="{url}"}} 1')
    assert "\N{SNOWMAN}" not in line
    assert line.endswith(" 1\n")


def test_fields_without_a_secret_stay() -> None:
    value = {"token": None, "tokens": [{"name": "shop"}], "secret": True, "keys": 3, "password": "<secret>", "key": "a"}
    assert Redactor([]).value(value) == value


def test_what_it_is_for_stays() -> None:
    redactor = Redactor(["0123456789abcdef"])
    for text in (
        "support-1: open -> waiting, connection_closed",
        "team:support region:eu",
        "# HELP wavigil_sessions Number of sessions with this status, also where it is 0.",
        "2026-11-27T03:27:35+0000 host wavigil[123456]: INFO daemon.app[123456]: serving on http://127.0.0.1:9470",
    ):
        assert redactor.text(text) == text
    sample = 'wavigil_session_last_seen_timestamp_seconds{session="support-1"} 1795750000.25'
    assert redactor.metrics(sample) == f"{sample}\n"


def test_short_texts_are_no_secrets() -> None:
    assert Redactor(["a", "1234567"]).text("banana") == "banana"
    assert re.fullmatch("<hidden>", Redactor(["12345abc"]).text("12345abc"))
