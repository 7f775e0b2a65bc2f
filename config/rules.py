"""The rules over several values: pure functions that return what is wrong, or None."""

import ipaddress
import os
import string
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

from config.durations import format_duration
from config.paths import LONGEST_SOCKET_PATH
from config.problems import echo
from config.secrets import Secret
from config.section import Wrong
from config.sizes import format_size

HIGHEST_PORT = 65535
LONGEST_HOST = 253

LONGEST_SOCKET_NAME = 25
"""In bytes: the room that a runtime directory leaves for a socket's name, such as `shard-31.connector.sock`."""


def split_listen(listen: str) -> tuple[str, int]:
    """Host and port of `127.0.0.1:9470`, `localhost:9470` or `[::1]:9470`; port 0 asks for any free one.

    Raises:
        ValueError: with a sentence for the operator.
    """
    host, separator, port = listen.rpartition(":")
    if not separator or not (port.isascii() and port.isdecimal()) or int(port[:6]) > HIGHEST_PORT:
        raise ValueError("an address ends with : and a port from 0 to 65535")
    if host.startswith("[") and host.endswith("]"):
        try:
            return str(ipaddress.IPv6Address(host[1:-1])), int(port)
        except ValueError:
            raise ValueError("between [ and ] stands an IPv6 address") from None
    if ":" in host:
        raise ValueError("an IPv6 address stands between [ and ], such as [::1]:9470")
    if not host:
        raise ValueError("the host is missing; 0.0.0.0 stands for all of this machine's addresses")
    if len(host) > LONGEST_HOST or not host.isascii() or not host.replace("-", "").replace(".", "").isalnum():
        raise ValueError("the host is an IP address or a host name")
    return host, int(port)


def check_listen(listen: str) -> None:
    """Accept an address to listen on or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    split_listen(listen)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach the host; a name other than `localhost` counts as reachable."""
    if host.lower() == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback


def check_websocket_url(url: str) -> None:
    """Accept the address of the WhatsApp server or say why not: `wss://`, or `ws://` to loopback.

    Raises:
        ValueError: with a sentence for the operator.
    """
    try:
        parts = urlsplit(url)
        host = parts.hostname
        _ = parts.port
    except ValueError:
        raise ValueError("this is not a URL") from None
    if parts.scheme not in {"ws", "wss"} or not host:
        raise ValueError("the URL begins with wss:// and a host")
    if parts.username is not None or parts.password is not None:
        raise ValueError("the URL must not hold a user name or password")
    if any(character.isspace() or not character.isprintable() for character in url):
        raise ValueError("the URL must not hold blanks or control characters")
    if parts.scheme == "ws" and not is_loopback(host):
        raise ValueError("ws:// is not encrypted and is only for a server on loopback; use wss://")


def check_noise_root_key(key: str) -> None:
    """Accept the public key of a Noise certificate root (Curve25519, 32 bytes) or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    if len(key) != 64 or any(digit not in string.hexdigits for digit in key):  # noqa: PLR2004
        raise ValueError("a public key has 32 bytes, written as 64 hexadecimal digits")


def room_for_sockets(runtime_dir: Path, _state_dir: Path) -> Wrong | None:
    """The runtime directory, by default the state directory, is short enough for Unix sockets in it."""
    room = LONGEST_SOCKET_PATH - LONGEST_SOCKET_NAME - 1
    length = len(os.fsencode(runtime_dir))
    if length <= room:
        return None
    return Wrong(
        f"a directory for sockets whose path has {length} bytes",
        f"a runtime_dir of at most {room} bytes, because a socket's path has at most {LONGEST_SOCKET_PATH}",
    )


def guarded_listen(listen: str, tls: object | None, insecure: bool) -> Wrong | None:
    """Off loopback, tokens and messages travel over a network: that needs TLS or the operator's word."""
    if tls is not None or insecure or is_loopback(split_listen(listen)[0]):
        return None
    return Wrong(
        f"{listen}, which is not loopback, without TLS",
        "tls: {certificate, key}, or insecure: true if a proxy in front does TLS",
    )


def distinct_tokens(tokens: Iterable[tuple[str, Secret]]) -> Wrong | None:
    """Each token has its own name, for the audit log, and its own secret, so that it has one role."""
    pairs = list(tokens)
    for name, count in Counter(name for name, _ in pairs).items():
        if count > 1:
            return Wrong(f"{count} tokens with the name {name}", "a different name for each token")
    for secret, count in Counter(secret for _, secret in pairs).items():
        if count > 1:
            names = ", ".join(name for name, other in pairs if other == secret)
            return Wrong(f"the same secret in the tokens {names}", "a different secret for each token")
    return None


def profile_for_simulator(profile: object | None, connector: str) -> Wrong | None:
    """Only a simulated session has a simulator profile; on a real one it would do nothing."""
    if profile is None or connector == "simulator":
        return None
    return Wrong(f"a simulator profile on a session with connector: {connector}", "connector: simulator")


def known_proxy(sessions: Iterable[tuple[str, str | None]], known: Iterable[str]) -> Wrong | None:
    """Sessions, by id, name proxies that there are, or none."""
    names = list(known)
    for id, proxy in sessions:
        if proxy is not None and proxy not in names:
            return Wrong(f"session {id} with the unknown proxy {echo(proxy)}", proxies_expected(names))
    return None


def proxies_expected(known: Sequence[str]) -> str:
    """What the ``proxy`` of a session may be, in words that follow "expected"."""
    return f"one of the proxies {', '.join(known)}" if known else "no proxy: there are none in the section proxies"


def distinct_proxies(names: Iterable[str]) -> Wrong | None:
    """Each proxy has its own name."""
    for name, count in Counter(names).items():
        if count > 1:
            return Wrong(f"{count} proxies with the name {name}", "a different name for each proxy")
    return None


def external_has_a_program(sessions: Sequence[str], command: Sequence[str]) -> Wrong | None:
    """Sessions with the connector `external` need a program to run them."""
    if not sessions or command:
        return None
    return Wrong(f"session {sessions[0]} with connector: external", "connectors.external.command: [PROGRAM, ...]")


def distinct_ids(ids: Iterable[str]) -> Wrong | None:
    """Session ids are unique; for a file, the loader finds this earlier and names both lines."""
    repeated = [session_id for session_id, count in Counter(ids).items() if count > 1]
    if not repeated:
        return None
    return Wrong(f"the session id {repeated[0]} more than once", "a different id for each session")


def sum_of_weights(*weights: int) -> Wrong | None:
    """The weights of the score's components are percentages of it."""
    total = sum(weights)
    return None if total == 100 else Wrong(f"weights that sum up to {total}", "weights that sum up to 100")  # noqa: PLR2004


def descending_quality(excellent: int, good: int, poor: int) -> Wrong | None:
    """A better quality begins at a higher score."""
    if excellent > good > poor:
        return None
    return Wrong(f"excellent {excellent}, good {good}, poor {poor}", "excellent > good > poor")


def longer_when_coarser(raw: float, minutes: float, hours: float, days: float) -> Wrong | None:
    """What a roll-up is made of is not kept longer than it."""
    if raw <= minutes <= hours <= days:
        return None
    kept = ", ".join(
        f"{name} {format_duration(value)}"
        for name, value in (("raw", raw), ("minutes", minutes), ("hours", hours), ("days", days))
    )
    return Wrong(kept, "raw <= minutes <= hours <= days")


def ordered_backoff(least: float, most: float) -> Wrong | None:
    """The first wait of a back-off is not longer than its longest."""
    if least <= most:
        return None
    return Wrong(f"min {format_duration(least)} and max {format_duration(most)}", "min not longer than max")


TIMEOUTS_AN_INTERVAL = 12
"""Up to four canaries in a row are awaited within the third of their interval that is left for them."""


def canaries_in_time(interval: float, timeout: float) -> Wrong | None:
    """Several canaries in a row can be missed before the interval is over in which deafness is to be noticed."""
    if timeout * TIMEOUTS_AN_INTERVAL <= interval:
        return None
    return Wrong(
        f"timeout {format_duration(timeout)} with an interval of {format_duration(interval)}",
        f"an interval of at least {TIMEOUTS_AN_INTERVAL} times the timeout",
    )


def answered_in_time(heartbeat: float, heartbeat_timeout: float) -> Wrong | None:
    """A connection's heartbeat is answered, or given up, before the next one is due."""
    if heartbeat_timeout <= heartbeat:
        return None
    return Wrong(
        f"heartbeat_timeout {format_duration(heartbeat_timeout)} with a heartbeat every {format_duration(heartbeat)}",
        "heartbeat_timeout not longer than heartbeat",
    )


def recycled_before_killed(recycle_memory: int, memory_limit: int) -> Wrong | None:
    """A process that grows hands its sessions over before it is killed."""
    if recycle_memory < memory_limit:
        return None
    return Wrong(
        f"recycle_memory {format_size(recycle_memory)} with memory_limit {format_size(memory_limit)}",
        "recycle_memory less than memory_limit",
    )


def patient_supervisor(heartbeat: float, heartbeat_timeout: float) -> Wrong | None:
    """One late heartbeat must not look like a hung process: the limit spans at least two of them."""
    if heartbeat_timeout >= 2 * heartbeat:
        return None
    return Wrong(
        f"heartbeat_timeout {format_duration(heartbeat_timeout)} with a heartbeat every {format_duration(heartbeat)}",
        "heartbeat_timeout of at least two heartbeats",
    )


def attentive_supervisor(tick: float, heartbeat_timeout: float) -> Wrong | None:
    """Deadlines are looked at once a tick, so a tick is shorter than the deadline."""
    if tick < heartbeat_timeout:
        return None
    return Wrong(
        f"tick {format_duration(tick)} with heartbeat_timeout {format_duration(heartbeat_timeout)}",
        "tick shorter than heartbeat_timeout",
    )


def previous_of_master(previous: tuple[Secret, ...], master: Secret | None) -> Wrong | None:
    """Old keys need a new one."""
    if previous and master is None:
        return Wrong("previous_keys without a master_key", "the new key in master_key: encryption can't be taken away")
    if master in previous:
        return Wrong("the same key in both", "the old key in previous_keys, and the new one in master_key")
    return None
