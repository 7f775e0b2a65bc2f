"""What a backup says of itself."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.backup.manifest import BadManifest, File, Manifest, dump, kind_of, load

files = st.builds(File, st.text(max_size=64), st.integers(0, 2**60), st.text(max_size=4))
names = st.sampled_from(["health.db", "recovery.db", "shard-0.db", "shard-31.db"])
manifests = st.builds(
    Manifest,
    st.text(max_size=10),
    st.floats(0, 4e9),
    st.tuples(files, files, st.dictionaries(names, files)).map(lambda t: {"api.db": t[0], "vault.db": t[1], **t[2]}),
)


@given(manifests)
def test_it_comes_back_as_it_was(manifest: Manifest) -> None:
    assert load(dump(manifest)) == manifest


@given(st.text(max_size=40))
def test_any_text_is_a_manifest_or_refused(text: str) -> None:
    with pytest.raises(BadManifest):
        load(text)


@given(manifests, st.sampled_from(["format", "version", "made_at", "files"]), st.none() | st.text() | st.integers())
def test_a_wrong_value_is_refused(manifest: Manifest, name: str, value: Any) -> None:
    found = json.loads(dump(manifest))
    if type(value) is type(found[name]) or (name == "made_at" and isinstance(value, int)):
        return
    with pytest.raises(BadManifest):
        load(json.dumps({**found, name: value}))


@pytest.mark.parametrize(
    "name", ["../api.db", "api.db/..", "/etc/passwd", "shard-.db", "shard-1", "shard-²", "lock", ""]
)
def test_nothing_else_is_written(name: str) -> None:
    with pytest.raises(BadManifest):
        kind_of(name)
    manifest = Manifest("1", 1.0, {"api.db": File("", 1, "1"), "vault.db": File("", 1, "1"), name: File("", 1, "1")})
    with pytest.raises(BadManifest):
        load(dump(manifest))


@pytest.mark.parametrize("missing", ["api.db", "vault.db"])
def test_what_must_be_in_it(missing: str) -> None:
    whole = {"api.db": File("", 1, "1"), "vault.db": File("", 1, "1")}
    del whole[missing]
    with pytest.raises(BadManifest, match=missing):
        load(dump(Manifest("1", 1.0, whole)))


def test_a_later_format_is_named() -> None:
    with pytest.raises(BadManifest, match="has format 2"):
        load('{"format": 2}')
