"""The whole configuration. An empty file is a valid one: everything has a default."""

import os
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Field

from config import rules
from config.durations import Span
from config.ids import (
    LABEL_NAME_PATTERN,
    LABEL_VALUE_LENGTH,
    PROXY_NAME_PATTERN,
    SESSION_ID_PATTERN,
    check_label_name,
    check_label_value,
    check_proxy_name,
    check_session_id,
)
from config.paths import default_runtime_dir, default_state_dir
from config.schema_actors import Health, Recovery, Supervision
from config.schema_connectors import Connectors
from config.schema_http import Http
from config.schema_proxies import Proxy
from config.schema_simulator import SessionProfile
from config.secrets import Secret, SecretText
from config.section import AbsolutePath, Rule, Section, Sequence, Text, Wrong

SessionId = Annotated[
    str,
    Text(check_session_id, "a session id such as support-1", pattern=SESSION_ID_PATTERN),
]

LabelName = Annotated[str, Text(check_label_name, "a label name such as team", pattern=LABEL_NAME_PATTERN)]
LabelValue = Annotated[
    str,
    Text(
        check_label_value,
        f"text of 1 to {LABEL_VALUE_LENGTH} characters, in quotes if it looks like a number",
        pattern=f"^.{{1,{LABEL_VALUE_LENGTH}}}$",
    ),
]

Labels = Annotated[dict[LabelName, LabelValue], BeforeValidator(lambda value: {} if value is None else value)]


class Log(Section):
    """What the processes write to their stderr."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    """The least severe lines that are written."""

    format: Literal["auto", "human", "json"] = "auto"
    """For the journal with its fields where stderr is connected to it, else for readers; `human` and `json` (one
    object a line) write to stderr in any case."""


class SessionSpec(Section):
    """One WhatsApp session of the fleet."""

    id: SessionId
    """Its name in the API, logs and metrics; not a phone number."""

    connector: Literal["baileys", "simulator", "external"]
    """What connects it: the real client, the built-in simulator, or the program of `connectors.external`."""

    labels: Labels = Field(default_factory=dict)
    """Free names and values to select sessions by, such as `team: support`."""

    enabled: bool = True
    """Whether it is started; a disabled session keeps its auth state and shows as stopped."""

    proxy: Annotated[str, Text(check_proxy_name, "the name of a proxy", pattern=PROXY_NAME_PATTERN)] | None = None
    """Name of the proxy in the section `proxies` that all of its traffic goes through; null is none."""

    simulator: SessionProfile | None = None
    """How the simulator plays this session; only for `connector: simulator`."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("simulator", "connector"), rules.profile_for_simulator),)


class Vault(Section):
    """Where auth states are kept."""

    master_key: Annotated[Secret, SecretText(32)] | None = None
    """Wraps the data keys of the sessions. Without it auth states are stored plain in files of mode 0600,
    and the log says so at each start. Make one with `openssl rand -hex 32`; without it
    nothing can be read again."""

    previous_keys: Sequence[Annotated[Secret, SecretText(32)]] = ()
    """Master keys before this one: they open what is not sealed anew yet. To rotate the key, put the old one here and
    the new one into `master_key`, reload, and take it out again when `wavigil vault status` says that it is done."""

    cross_checks: ClassVar[tuple[Rule, ...]] = (Rule(("previous_keys", "master_key"), rules.previous_of_master),)


class Sends(Section):
    """Messages sent over the API."""

    ack_timeout: Annotated[float, Span("1s", "10m")] = 60.0
    """How long the WhatsApp server may take to acknowledge a message before it counts as unconfirmed."""

    keep: Annotated[float, Span("1m", "365d")] = 7 * 86400.0
    """How long the state of a message can be asked for, and its id is not sent again."""


class Events(Section):
    """The event log."""

    keep: Annotated[float, Span("1m", "365d")] = 7 * 86400.0
    """How long events are kept for consumers that were away."""


class Audit(Section):
    """The audit log: who changed or was shown what."""

    keep: Annotated[float, Span("1d", "3650d")] = 400 * 86400.0
    """How long its entries are kept."""


def _runtime_dir(validated: dict[str, Any]) -> Path:
    return default_runtime_dir(os.environ, validated["state_dir"])


def _external_has_a_program(sessions: tuple[SessionSpec, ...], connectors: Connectors) -> Wrong | None:
    wanting = [spec.id for spec in sessions if spec.connector == "external"]
    return rules.external_has_a_program(wanting, connectors.external.command)


def _known_proxy(sessions: tuple[SessionSpec, ...], proxies: tuple[Proxy, ...]) -> Wrong | None:
    return rules.known_proxy(((spec.id, spec.proxy) for spec in sessions), (proxy.name for proxy in proxies))


class Config(Section):
    """The configuration of one wavigil daemon."""

    state_dir: AbsolutePath = Field(default_factory=lambda: default_state_dir(os.environ))
    """Databases, lock and admin token. Default: $STATE_DIRECTORY, else ~/.local/state/wavigil."""

    runtime_dir: AbsolutePath = Field(default_factory=_runtime_dir)
    """Unix sockets. Default: $RUNTIME_DIRECTORY, else the state directory."""

    log: Log = Field(default_factory=Log)
    http: Http = Field(default_factory=Http)
    sessions: Sequence[SessionSpec] = ()
    """The sessions that this file owns; more can be added over the API."""

    proxies: Sequence[Proxy] = ()
    """What sessions may go through, by name."""

    connectors: Connectors = Field(default_factory=Connectors)
    supervision: Supervision = Field(default_factory=Supervision)
    recovery: Recovery = Field(default_factory=Recovery)
    health: Health = Field(default_factory=Health)
    vault: Vault = Field(default_factory=Vault)
    sends: Sends = Field(default_factory=Sends)
    events: Events = Field(default_factory=Events)
    audit: Audit = Field(default_factory=Audit)

    cross_checks: ClassVar[tuple[Rule, ...]] = (
        Rule(("runtime_dir", "state_dir"), rules.room_for_sockets),
        Rule(("sessions",), lambda sessions: rules.distinct_ids(spec.id for spec in sessions)),
        Rule(("sessions", "connectors"), _external_has_a_program),
        Rule(("proxies",), lambda proxies: rules.distinct_proxies(proxy.name for proxy in proxies)),
        Rule(("sessions", "proxies"), _known_proxy),
    )
