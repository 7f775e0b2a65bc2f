import pytest
from hypothesis import given
from hypothesis import strategies as st

from daemon.api.accept import encoding_accepted, quality
from daemon.api.guard import host_allowed, host_of


@pytest.mark.parametrize(
    ("header", "png", "json"),
    [
        (None, 1.0, 1.0),
        ("*/*", 1.0, 1.0),
        ("image/png", 1.0, 0.0),
        ("application/json, image/png;q=0.5", 0.5, 1.0),
        ("image/*;q=0.8, */*;q=0.1", 0.8, 0.1),
        ("IMAGE/PNG; Q=0.3", 0.3, 0.0),
        ("image/png;q=x", 0.0, 0.0),
        ("image/png;q=7", 0.0, 0.0),
        ("image/png;q=nan", 0.0, 0.0),
    ],
)
def test_accept(header: str | None, png: float, json: float) -> None:
    assert quality(header, "image/png") == png
    assert quality(header, "application/json") == json


@pytest.mark.parametrize(
    ("header", "accepted"),
    [
        (None, False),
        ("", False),
        ("gzip", True),
        ("gzip;q=0", False),
        ("deflate, gzip;q=0.5", True),
        ("*", True),
        ("*, gzip;q=0", False),
        ("identity", False),
    ],
)
def test_accept_encoding(header: str | None, accepted: bool) -> None:
    assert encoding_accepted(header, "gzip") is accepted


@given(st.text())
def test_any_header_can_be_read(text: str) -> None:
    assert 0.0 <= quality(text, "image/png") <= 1.0
    assert encoding_accepted(text, "gzip") in {True, False}
    host = host_of(text)
    assert host is None or host == host.lower()


@pytest.mark.parametrize(
    "header",
    [
        "localhost",
        "LOCALHOST:9470",
        "127.0.0.1",
        "127.0.0.1:9470",
        "[::1]:9470",
        "127.5.5.5",
        "wavigil.internal",
        "localhost.",
    ],
)
def test_hosts_that_are_served_on_loopback(header: str) -> None:
    assert host_allowed(header, "127.0.0.1", ["Wavigil.internal"])


@pytest.mark.parametrize(
    "header",
    [
        None,
        "",
        "evil.example",
        "127.0.0.1.evil.example",
        "localhost@evil.example",
        "10.0.0.1:9470",
        "[::1",
        "a b",
        "::1",
    ],
)
def test_hosts_that_are_not(header: str | None) -> None:
    assert not host_allowed(header, "127.0.0.1", [])


def test_off_loopback_every_host_is_served() -> None:
    assert host_allowed("anything.example", "0.0.0.0", [])  # noqa: S104  # nothing listens here
    assert host_allowed(None, "192.0.2.1", [])
