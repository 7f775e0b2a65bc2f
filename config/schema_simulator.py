"""How a simulated session behaves: its profile, and the script of troubles that come and go."""

from typing import Annotated, Literal

from pydantic import Field

from config.durations import Span
from config.ids import check_phone
from config.section import Section, Sequence, Text

Latency = Annotated[float, Span("0s", "1m")]
After = Annotated[float, Span("0s", "30d")]
Repeat = Annotated[float, Span("100ms", "30d")]
For = Annotated[float, Span("100ms", "30d")]

Rating = Literal["high", "medium", "low", "unknown"]

Phone = Annotated[str, Text(check_phone, 'a phone number in quotes, such as "15550100001"', personal=True)]


class FaultBase(Section):
    """When a trouble comes."""

    after: After
    """Counted from when the session first comes to the simulator."""

    repeat: Repeat | None = None
    """It comes again each time this much later; null for once."""


class PlainFault(FaultBase):
    """A trouble of one moment."""

    fault: Literal["drop", "restart_required", "replaced", "undecryptable"]
    """drop: the connection is closed · restart_required: 515 · replaced: 440 · undecryptable: a
    message arrives that can't be decrypted."""


class LastingFault(FaultBase):
    """A trouble that may last: the connection is ended or spoilt, and logins meet the same."""

    fault: Literal[
        "unavailable",
        "network",
        "rate_limited_http",
        "deaf",
        "half_open",
        "outbound_stuck",
        "stall",
        "timelock",
        "logged_out",
        "banned",
        "forbidden",
        "client_outdated",
        "bad_session",
    ]
    """unavailable: 503 · network: 408 · rate_limited_http: 429 at the upgrade · deaf: open, but nothing arrives
    any more · half_open: the peer is silent · outbound_stuck: messages leave and are never acknowledged ·
    stall: a login is never answered · timelock: 463, the
    account is restricted · logged_out: 401 · banned: 406 · forbidden: 403 · client_outdated: 405 · bad_session: 500."""

    lasting: For | None = Field(default=None, alias="for")
    """How long it lasts. Null: unavailable and bad_session are over at once, network takes 30 s,
    rate_limited_http a minute, deaf, half_open and outbound_stuck the connection's life, and the others stay."""


class Slow(FaultBase):
    """Answers take longer for a while."""

    fault: Literal["slow"]

    latency: Latency
    """The round-trip time meanwhile."""

    lasting: For = Field(alias="for")
    """How long it stays slow."""


class Nack(FaultBase):
    """The server refuses messages for a while."""

    fault: Literal["nack"]

    code: Annotated[int, Field(ge=400, le=599)]
    """The error in the acknowledgement, such as 463 (account restricted)."""

    lasting: For = Field(alias="for")
    """How long messages are refused."""


class TemporaryBan(FaultBase):
    """402: logins are refused until the ban expires."""

    fault: Literal["temporary_ban"]

    expire: Annotated[float, Span("1s", "30d")]
    """How long the ban lasts."""

    code: Annotated[str, Field(pattern="^10[0-9]$")] = "101"
    """WhatsApp's number of the reason, in quotes: 101 too many strangers, 102 blocked by many, 103 groups, 104 the same
    message, 106 broadcasts."""


class Close(FaultBase):
    """The connection ends with exactly this, for whatever has no name of its own."""

    fault: Literal["close"]

    code: Annotated[int, Field(ge=0, le=599)]
    """Status code as in the table of causes, 0 for none; such as 400, 409, 411, 413, 414, 415, 418, 501."""

    reason: Annotated[str, Field(pattern="^[a-z0-9_]{1,40}$")] = "login_failure"
    """As in the connector protocol: login_failure, stream_error, network, bad_frame, open_deadline, ..."""

    lasting: For | None = Field(default=None, alias="for")
    """How long logins are answered with the same. Null: it is over at once."""


class Rated(FaultBase):
    """The platform rates the number anew."""

    fault: Literal["quality"]

    rating: Rating
    """From then on. high, medium, low; unknown: it has none."""


Fault = Annotated[PlainFault | LastingFault | Slow | Nack | TemporaryBan | Close | Rated, Field(discriminator="fault")]


class SimulatorProfile(Section):
    """How simulated sessions behave by default."""

    latency: Latency = 0.04
    """The mean round-trip time."""

    jitter: Latency = 0.01
    """By how much a round-trip time differs from the mean at most."""

    drop_rate_per_hour: Annotated[float, Field(ge=0, le=3600)] = 0.0
    """Connections closed in an hour, evenly spread, in each session at moments of its own."""

    paired: bool = True
    """Whether a session begins paired; otherwise it asks for a QR or code first."""

    quality: Rating | None = None
    """How the platform rates the numbers at first; null: it rates none."""


class SessionProfile(Section):
    """How one simulated session behaves; what is null comes from `connectors.simulator.profile`."""

    latency: Latency | None = None
    """The mean round-trip time."""

    jitter: Latency | None = None
    """By how much a round-trip time differs from the mean at most."""

    drop_rate_per_hour: Annotated[float, Field(ge=0, le=3600)] | None = None
    """Connections closed in an hour, evenly spread, in each session at moments of its own."""

    paired: bool | None = None
    """Whether the session begins paired; otherwise it asks for a QR or code first."""

    quality: Rating | None = None
    """How the platform rates its number at first."""

    phone: Phone | None = Field(default=None, repr=False)
    """The phone number that it plays; null is made up from the id."""

    script: Sequence[Fault] = ()
    """Troubles that come, in any order."""
