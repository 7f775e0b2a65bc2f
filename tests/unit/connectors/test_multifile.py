"""Names of files and keys of the vault."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.connectors.baileys.multifile import TYPES, UnknownFile, file_name, is_key, key_of

user = st.from_regex(r"[0-9]{5,15}(_[0-9])?", fullmatch=True)
group = st.from_regex(r"[0-9]{5,18}(-[0-9]{10})?@g\.us", fullmatch=True)
base64 = st.from_regex(r"[A-Za-z0-9+/]{4,12}={0,2}", fullmatch=True)
word = st.from_regex(r"[a-z]+(_[a-z]+)?", fullmatch=True)
device = st.integers(0, 99).map(str)
IDS = {
    "pre-key": st.integers(1, 2**24).map(str),
    "session": st.tuples(user, device).map(".".join),
    "identity-key": st.tuples(user, device).map(".".join),
    "sender-key-memory": group | st.just("status@broadcast"),
    "sender-key": st.tuples(group | st.just("status@broadcast"), user, device).map("::".join),
    "app-state-sync-key": base64,
    "app-state-sync-version": word,
    "lid-mapping": user | user.map(lambda found: f"{found}_reverse"),
    "device-list": user,
    "arrived": st.integers(0, 127).map(str),
    "tctoken": user.map(lambda found: f"{found}@lid") | st.just("__index"),
}
keys = st.just("creds") | st.sampled_from(TYPES).flatmap(lambda kind: IDS[kind].map(lambda found: f"{kind}/{found}"))


def fix_file_name(kind: str, id: str) -> str:
    """As lib/Utils/use-multi-file-auth-state.js of Baileys does it."""
    return f"{kind}-{id}.json".replace("/", "__").replace(":", "-")


@given(keys)
def test_every_key_that_baileys_uses_survives_its_file_name(key: str) -> None:
    assert is_key(key)
    assert key_of(file_name(key)) == key
    assert re.fullmatch(r"[^/:]+\.json", file_name(key))


@given(keys.filter(lambda key: key != "creds"))
def test_names_are_those_of_baileys(key: str) -> None:
    kind, _, id = key.partition("/")
    assert file_name(key) == fix_file_name(kind, id)


@given(st.text(max_size=40))
def test_any_name_is_a_key_with_that_name_or_refused(name: str) -> None:
    try:
        key = key_of(name)
    except UnknownFile:
        return
    assert is_key(key)


@pytest.mark.parametrize("name", ["creds.json.bak", "creds", "notes.json", "pre-key-.json", "session.json", ".json"])
def test_what_does_not_belong_there(name: str) -> None:
    with pytest.raises(UnknownFile, match=re.escape(name)):
        key_of(name)


@pytest.mark.parametrize("key", ["", "creds/1", "session/", "session", "/1", "other/1"])
def test_no_keys(key: str) -> None:
    assert not is_key(key)
