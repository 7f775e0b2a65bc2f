"""Rules over values, and the places of state and sockets."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config import rules
from config.paths import LONGEST_SOCKET_PATH, socket_path
from config.schema import Config, SessionSpec
from config.schema_actors import Health, Weights
from config.schema_http import Http


@pytest.mark.parametrize(
    ("listen", "host", "port"),
    [("127.0.0.1:9470", "127.0.0.1", 9470), ("[::1]:0", "::1", 0), ("localhost:80", "localhost", 80)],
)
def test_addresses_to_listen_on(listen: str, host: str, port: int) -> None:
    assert rules.split_listen(listen) == (host, port)
    section = Http(listen=listen)
    assert (section.host, section.port) == (host, port)


@pytest.mark.parametrize(
    "listen",
    [
        *("", ":", ":80", "host", "host:", "host:-1", "host:65536", "host:٣", "host:1e3", "host:" + "9" * 5000),
        *("a b:80", "[::1:80", "[x]:80", "h/x:80", "x" * 254 + ":80"),
    ],
)
def test_what_is_no_address(listen: str) -> None:
    with pytest.raises(ValueError, match=r"address|host|port"):
        rules.check_listen(listen)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.255.0.9", "::1", "localhost", "LOCALHOST", "::ffff:127.0.0.1"])
def test_loopback(host: str) -> None:
    assert rules.is_loopback(host)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.com", "localhost.example.com", "128.0.0.1"])  # noqa: S104
def test_not_loopback(host: str) -> None:
    assert not rules.is_loopback(host)


def test_off_loopback_needs_tls_or_the_operators_word() -> None:
    everywhere = "0.0.0.0:9470"
    assert rules.guarded_listen("127.0.0.1:1", None, insecure=False) is None
    assert rules.guarded_listen(everywhere, None, insecure=True) is None
    assert rules.guarded_listen(everywhere, object(), insecure=False) is None
    assert rules.guarded_listen(everywhere, None, insecure=False) is not None


@pytest.mark.parametrize(
    "url", ["wss://web.whatsapp.com/ws/chat", "ws://127.0.0.1:1/ws", "ws://[::1]/", "ws://localhost:9/ws", "WSS://h"]
)
def test_websocket_urls(url: str) -> None:
    rules.check_websocket_url(url)


@pytest.mark.parametrize(
    "url",
    ["", "https://h/", "wss://", "ws://h/", "wss://u:p@h/", "wss://h:99999/", "wss://h/ x", "wss://[/", "wss:/h"],
)
def test_what_is_no_websocket_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL|encrypted"):
        rules.check_websocket_url(url)


@given(st.lists(st.integers(0, 100), min_size=5, max_size=5))
def test_weights_sum_up_to_100(weights: list[int]) -> None:
    names = [name for name in Weights.model_fields if name != "platform"]  # which takes its share from the others
    right = sum(weights) == 100
    assert (rules.sum_of_weights(*weights) is None) == right
    try:
        Weights.model_validate(dict(zip(names, weights, strict=True)))
    except ValidationError:
        assert not right
    else:
        assert right


@given(st.integers(1, 100), st.integers(1, 100), st.integers(1, 100))
def test_qualities_descend(excellent: int, good: int, poor: int) -> None:
    assert (rules.descending_quality(excellent, good, poor) is None) == (excellent > good > poor)


@given(st.floats(0, 1e6), st.floats(0, 1e6))
def test_backoffs_ascend(least: float, most: float) -> None:
    assert (rules.ordered_backoff(least, most) is None) == (least <= most)


@given(st.text("abc/", min_size=1, max_size=150), st.text("xyz", min_size=1, max_size=30))
def test_a_socket_path_fits_or_is_refused_clearly(directory: str, name: str) -> None:
    runtime_dir = Path("/", directory)
    if len(str(runtime_dir / name)) <= LONGEST_SOCKET_PATH:
        assert socket_path(runtime_dir, name) == runtime_dir / name
    else:
        with pytest.raises(ValueError, match="set runtime_dir to a directory of at most"):
            socket_path(runtime_dir, name)


def test_a_socket_path_counts_bytes_not_characters() -> None:
    directory = Path("/" + "é" * 48)
    assert socket_path(directory, "s.sock") == directory / "s.sock"
    with pytest.raises(ValueError, match="bytes"):
        socket_path(Path("/" + "é" * 54), "s.sock")


def test_code_that_builds_a_configuration_meets_the_same_rules() -> None:
    with pytest.raises(ValidationError, match="sum up to 100"):
        Health.model_validate({"weights": {"errors": 99}})
    spec = SessionSpec(id="a", connector="baileys")
    with pytest.raises(ValidationError, match="more than once"):
        Config(state_dir=Path("/s"), runtime_dir=Path("/s"), sessions=(spec, spec))
    with pytest.raises(ValidationError, match="session id"):
        SessionSpec(id="1234567", connector="baileys")
