"""What the API accepts: bodies and query strings.

JSON keys are camelCase, and an unknown key is an error.
"""

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from daemon.api.fields import (
    COMMAS,
    LONGEST_TEXT,
    REPEATED,
    LabelFilter,
    Labels,
    MessageId,
    Moment,
    Phone,
    ProxyName,
    Recipient,
    SessionId,
    Wait,
    Window,
)
from daemon.api.models import Quality, Status

Connector = Literal["baileys", "simulator", "external"]


class Request(BaseModel):
    """Base of bodies: strict types, no unknown keys."""

    model_config = ConfigDict(
        alias_generator=to_camel,
        extra="forbid",
        strict=True,
        frozen=True,
        hide_input_in_errors=True,
        use_attribute_docstrings=True,
    )


class Query(Request):
    """Base of query strings: everything is text there, so numbers and flags are read from it."""

    model_config = ConfigDict(strict=False)


class NoQuery(Query):
    """A route without query parameters."""


class AnyQuery(Query):
    """A route that ignores its query: monitoring systems append parameters of their own."""

    model_config = ConfigDict(extra="ignore")


class NoBody(Request):
    """A route without a body."""


class Page(Query):
    """A page of a list that is ordered by session id."""

    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Sessions on a page."""
    cursor: Annotated[str, Field(min_length=1, max_length=256)] | None = None
    """`nextCursor` of the page before."""
    label: Annotated[tuple[LabelFilter, ...], REPEATED] = ()
    """Only sessions with this label; given several times, with all of them."""


class SessionsQuery(Page):
    """Which sessions to list."""


class StatusQuery(Page):
    """Whose status to answer; filters of different kinds are joined by *and*."""

    ids: Annotated[tuple[SessionId, ...] | None, COMMAS] = None
    """Only these sessions; those that don't exist are left out."""
    status: Annotated[tuple[Status, ...] | None, COMMAS] = None
    """Only sessions with one of these."""
    quality: Annotated[tuple[Quality, ...] | None, COMMAS] = None
    """Only sessions with one of these."""


class DeleteQuery(Query):
    """How to remove a session."""

    purge: bool = False
    """Also delete its auth state; else a session with the same id can go on with it."""


class AuthImport(Request):
    """An auth state of Baileys: its entries by the vault's keys."""

    entries: Annotated[dict[str, str], Field(min_length=1)]
    """`creds`, and `type/id` such as `session/15550100189.0`, to the JSON text that Baileys writes for it."""


class StartQuery(Query):
    """How to start a session."""

    accept_stale_keys: bool = False
    """Also one whose keys came out of a backup, and may be older than the device's."""


class BackupCreate(Request):
    """Where a backup goes."""

    directory: Annotated[str, Field(min_length=2, max_length=4096, pattern=r"^/[^\x00]+$")]
    """A folder that is to be made, by its absolute path on the daemon's machine; the daemon's user must be able to."""


class PairingQuery(Query):
    """How to wait for a QR code."""

    wait: Annotated[Wait, Field(json_schema_extra={"default": "10s"})] = 10.0
    """How long to wait for the QR code, 0s to 60s."""


class AuditQuery(Query):
    """Which entries of the audit log; filters are joined by *and*."""

    since: Moment | None = None
    """Only entries of this time or later."""
    until: Moment | None = None
    """Only entries before this time."""
    who: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    """Only what was done with the token of this name; `wavigil` is the daemon itself."""
    action: Annotated[str, Field(pattern=r"^[a-z_]{1,32}(\.[a-z_]{1,32})?$")] | None = None
    """Only this action; `session` stands for all that begin with `session.`."""
    target: Annotated[str, Field(min_length=1, max_length=63)] | None = None
    """Only what was done to this session; `-` for what concerns no single one."""
    limit: Annotated[int, Field(ge=1, le=1000)] = 100
    """Entries on a page."""
    cursor: Annotated[str, Field(pattern=r"^[0-9]{1,18}$")] | None = None
    """`nextCursor` of the page before."""


class InterventionsQuery(Query):
    """Which interventions to count."""

    window: Annotated[Window, Field(json_schema_extra={"default": "24h"})] = 86400.0
    """How far back, 1h to 31d; counts are kept by the hour, so it begins with a full one."""


class ReloadQuery(Query):
    """How to reload the configuration."""

    dry_run: bool = False
    """Only say what would change."""


class SessionCreate(Request):
    """A new session."""

    id: SessionId
    connector: Connector = "baileys"
    """What connects it: the real client, the built-in simulator, or the program of `connectors.external`."""
    labels: Labels = Field(default_factory=dict)
    enabled: bool = True
    """Whether to start it."""
    proxy: ProxyName | None = None
    """Name of a proxy of the configuration that all of its traffic goes through."""


class SessionPatch(Request):
    """Changes of a session; what is left out stays."""

    labels: Labels | None = None
    """Replaces all labels."""
    enabled: bool | None = None
    """False stops it, over restarts too; true starts it."""
    proxy: ProxyName | None = None
    """Name of another proxy of the configuration; null: none any more. Its connection moves over at once."""


class PairingCodeCreate(Request):
    """For which phone a pairing code is to be made."""

    phone: Phone
    """The phone that is to be linked."""


class MessageCreate(Request):
    """One text to send."""

    id: MessageId | None = None
    """The caller's id, unique in the session: the same id never sends twice."""
    to: Recipient
    """A phone number, or a JID."""
    text: Annotated[str, Field(min_length=1, max_length=LONGEST_TEXT)]
    wait: Annotated[Wait, Field(json_schema_extra={"default": "10s"})] = 10.0
    """How long to wait for the server's acknowledgement, 0s to 60s."""
