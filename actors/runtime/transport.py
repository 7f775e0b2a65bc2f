"""Thespian's TCP transport, bound to loopback and authenticated.

Plain Thespian binds 0.0.0.0 and unpickles whatever arrives: anyone who reaches a port runs code.  Here every
packet carries an HMAC-SHA256 under a key made anew for each actor system, and nothing is unpickled before it is
checked, nor is more than ``MAX_PACKET`` kept of it.  This replaces names inside a library, so the version is pinned and
a test shows that the attack fails.
"""

import hmac
import os
import pickle
from importlib.metadata import version
from typing import Any

import thespian.system.transport.IPBase as ip_base
import thespian.system.transport.streamBuffer as stream_buffer
import thespian.system.transport.TCPTransport as tcp_transport

SUPPORTED = "4.0.1"
LOOPBACK = "127.0.0.1"
MAC_BYTES = 32
MAX_PACKET = 16 * 1024 * 1024
"""Bytes; the plan of a fleet of 10,000 sessions takes a tenth of it."""
HEADER_BYTES = 20
"""More than the digits of any length."""


class TransportError(Exception):
    """The transport can't be made safe, or a packet was not signed with this system's key."""


class _Signed:
    """Drop-in for the pickle module inside TCPTransport."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def dumps(self, value: Any) -> bytes:
        body = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        return hmac.digest(self._key, body, "sha256") + body

    def loads(self, packet: bytes) -> Any:
        packet = bytes(packet)
        mac, body = packet[:MAC_BYTES], packet[MAC_BYTES:]
        if not hmac.compare_digest(hmac.digest(self._key, body, "sha256"), mac):
            raise TransportError("a packet without a valid signature was dropped")
        return pickle.loads(body)  # noqa: S301 - authenticated above


class _Bounded(stream_buffer.ReceiveBuffer):
    """A packet on its way in.  One that announces an impossible length ends its connection before any of it is kept."""

    def addMore(self, buf: bytes) -> None:  # noqa: N802 - Thespian's name
        super().addMore(buf)
        if self._size is None:
            if len(self._buf) > HEADER_BYTES:
                raise TransportError("a packet without a length was dropped")
        elif not 0 < self._size <= MAX_PACKET:
            raise TransportError("a packet of an impossible length was dropped")


def harden(key: bytes) -> None:
    """Installs the signed loopback transport in this process and all that it forks.

    ``key`` is at least 32 random bytes.  Raises TransportError for any other Thespian than the one this was written
    for.
    """
    found = version("thespian")
    if found != SUPPORTED:
        raise TransportError(f"the hardened transport is written for thespian {SUPPORTED}, found {found}")
    if len(key) < MAC_BYTES:
        raise TransportError(f"the transport key needs at least {MAC_BYTES} bytes")
    os.environ["THESPIAN_BASE_IPADDR"] = LOOPBACK  # the advertised address, without a probe of the default route
    ip_base.thisSystem.add_local_addr(LOOPBACK)
    plain_init = getattr(ip_base.IPActorAddress, "plain_init", ip_base.IPActorAddress.__init__)

    def bind_loopback(self: Any, *args: Any, **kwargs: Any) -> None:
        plain_init(self, *args, **kwargs)
        if self.bindname[0] in {"", "0.0.0.0"}:  # noqa: S104 - this is what is refused
            self.bindname = (LOOPBACK, self.bindname[1])

    ip_base.IPActorAddress.plain_init = plain_init
    ip_base.IPActorAddress.__init__ = bind_loopback
    signed = _Signed(key)
    tcp_transport.serializer = signed
    tcp_transport.ReceiveBuffer = _Bounded
    tcp_transport.ackMsg = stream_buffer.toSendBuffer(stream_buffer.ackPacket, signed.dumps)
    tcp_transport.ackDataErrMsg = stream_buffer.toSendBuffer(stream_buffer.ackDataErrPacket, signed.dumps)
