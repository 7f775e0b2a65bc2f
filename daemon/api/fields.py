"""How the values in requests and responses are written.  Pure."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainSerializer, WithJsonSchema

from config.durations import parse_duration
from config.ids import (
    PROXY_NAME_PATTERN,
    SESSION_ID_PATTERN,
    check_label_name,
    check_label_value,
    check_proxy_name,
    check_session_id,
)

LONGEST_WAIT = 60.0
"""Seconds that a request may wait for a result."""

LONGEST_TEXT = 4096
"""Characters of a message; at most 16 KiB, as UTF-8 takes no more than 4 bytes for one."""

MOST_LABELS = 32

LAST_MOMENT = 253_402_300_799.9995
"""Seconds since 1970: the end of the year 9999, the last that RFC 3339 can write."""

PHONE_PATTERN = r"^\+?[0-9]{7,15}$"
MESSAGE_ID_PATTERN = r"^[A-Za-z0-9._-]{1,64}$"
NUMBER_PATTERN = r"^[0-9]{1,18}$"
WAIT_PATTERN = r"^[0-9]{1,10}(\.[0-9]{1,6})?(ms|s|m)$"
RECIPIENT_PATTERN = r"^(\+?[0-9]{7,15}|[0-9]{7,15}@s\.whatsapp\.net|[0-9]{5,20}(-[0-9]{5,20})?@g\.us|[0-9]{5,20}@lid)$"

SHORTEST_WINDOW = 3600.0
LONGEST_WINDOW = 31 * 86400.0
"""Seconds."""
WINDOW_PATTERN = r"^[0-9]{1,6}(m|h|d)$"
TIME_PATTERN = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-][0-9]{2}:[0-9]{2})$"

_WINDOW = re.compile(WINDOW_PATTERN.removesuffix("$"), re.ASCII)
_TIME = re.compile(TIME_PATTERN.removesuffix("$"), re.ASCII)
_PHONE = re.compile(r"\+?([0-9]{7,15})", re.ASCII)
_MESSAGE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_WAIT = re.compile(WAIT_PATTERN.removesuffix("$"), re.ASCII)
_RECIPIENT = re.compile(RECIPIENT_PATTERN.removesuffix("$"), re.ASCII)


def parse_phone(text: str) -> str:
    """The digits of a phone number in international form, with or without a plus.

    Raises:
        ValueError: with a sentence for the caller.
    """
    match = _PHONE.fullmatch(text)
    if match is None:
        raise ValueError(
            "a phone number has 7 to 15 digits with the country code, without blanks; a + may precede them"
        )
    return match[1]


def parse_recipient(text: str) -> str:
    """The JID of a recipient.

    One spelling for each, so that a repeated request is recognised whichever was used.

    Raises:
        ValueError: with a sentence for the caller.
    """
    if _RECIPIENT.fullmatch(text) is None:
        raise ValueError(
            "a recipient is a phone number of 7 to 15 digits with the country code, "
            "or a JID: number@s.whatsapp.net, group@g.us or number@lid, without a device"
        )
    return text if "@" in text else f"{parse_phone(text)}@s.whatsapp.net"


def parse_message_id(text: str) -> str:
    """An id that the caller chose for a message; it can stand in a URL.

    Raises:
        ValueError: with a sentence for the caller.
    """
    # "." and ".." are removed from URLs by every client (RFC 3986, 5.2.4).
    if _MESSAGE_ID.fullmatch(text) is None or text in {".", ".."}:
        raise ValueError("a message id has 1 to 64 characters of A-Z, a-z, 0-9, '.', '_' and '-'")
    return text


def parse_wait(value: object) -> float:
    """Seconds to wait for a result, 0 to 60.

    Raises:
        ValueError: with a sentence for the caller.
    """
    if isinstance(value, str) and _WAIT.fullmatch(value):
        seconds = parse_duration(value)
        if seconds <= LONGEST_WAIT:
            return seconds
    raise ValueError("a wait is a duration from 0s to 60s, written like 500ms or 10s")


def parse_window(value: object, longest: float = LONGEST_WINDOW) -> float:
    """Seconds of a window of time, 1 hour to ``longest``.

    Raises:
        ValueError: with a sentence for the caller.
    """
    if isinstance(value, str) and _WINDOW.fullmatch(value):
        seconds = parse_duration(value)
        if SHORTEST_WINDOW <= seconds <= longest:
            return seconds
    raise ValueError(f"a window is a duration from 1h to {longest / 86400:.0f}d, written like 24h or 7d")


def parse_time(value: object) -> float:
    """Seconds since 1970 of a moment in RFC 3339, which has a time zone.

    Raises:
        ValueError: with a sentence for the caller.
    """
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and _TIME.fullmatch(value) else None
        if moment is not None and moment.tzinfo is not None:
            return moment.timestamp()
    except (ValueError, OverflowError):  # no such day
        pass
    raise ValueError("a time is written like 2026-01-31T08:15:30Z or 2026-01-31T09:15:30.125+01:00")


def parse_label_filter(text: str) -> tuple[str, str]:
    """Name and value of `name:value`; the value may contain colons.

    Raises:
        ValueError: with a sentence for the caller.
    """
    name, separator, value = text.partition(":")
    if not separator:
        raise ValueError("a label filter is written name:value")
    check_label_name(name)
    check_label_value(value)
    return name, value


def check_labels(labels: dict[str, str]) -> dict[str, str]:
    """Accept a session's labels.

    Raises:
        ValueError: with a sentence for the caller.
    """
    if len(labels) > MOST_LABELS:
        raise ValueError(f"a session has at most {MOST_LABELS} labels")
    for name, value in labels.items():
        check_label_name(name)
        check_label_value(value)
    return labels


def format_time(at: float) -> str:
    """A moment in seconds since 1970 as RFC 3339 in UTC, to the millisecond: `2026-01-31T08:15:30.125Z`.

    It never raises, so that no value of one session costs an answer about many: what is out of the years 1970 to 9999
    is written as the nearest moment of these, and what is no number as 1970.
    """
    moment = datetime.fromtimestamp(min(max(0.0, at), LAST_MOMENT), UTC)  # max(0.0, NaN) is 0.0
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"


def _checked(check: Callable[[str], None]) -> Callable[[str], str]:
    def accept(value: str) -> str:
        check(value)
        return value

    return accept


def _split(value: object) -> object:
    return [part for part in value.split(",") if part] if isinstance(value, str) else value


def _listed(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _schema(kind: str, **keywords: Any) -> WithJsonSchema:
    return WithJsonSchema({"type": kind, **keywords})


COMMAS = BeforeValidator(_split)
"""Marks a query parameter whose values are separated by commas."""

REPEATED = BeforeValidator(_listed)
"""Marks a query parameter that may be given several times."""

SessionId = Annotated[
    str,
    AfterValidator(_checked(check_session_id)),
    _schema("string", pattern=SESSION_ID_PATTERN, examples=["support-1"]),
]
ProxyName = Annotated[
    str,
    AfterValidator(_checked(check_proxy_name)),
    _schema("string", pattern=PROXY_NAME_PATTERN, examples=["berlin-1"]),
]
Phone = Annotated[str, AfterValidator(parse_phone), _schema("string", pattern=PHONE_PATTERN, examples=["+15550100189"])]
Recipient = Annotated[
    str,
    AfterValidator(parse_recipient),
    _schema("string", pattern=RECIPIENT_PATTERN, examples=["15550100189", "120363025246125486@g.us"]),
]
MessageId = Annotated[
    str,
    AfterValidator(parse_message_id),
    _schema("string", pattern=MESSAGE_ID_PATTERN, examples=["order-1234"]),
]
Wait = Annotated[float, BeforeValidator(parse_wait), _schema("string", pattern=WAIT_PATTERN, examples=["10s"])]
Window = Annotated[float, BeforeValidator(parse_window), _schema("string", pattern=WINDOW_PATTERN, examples=["24h"])]
Moment = Annotated[
    float,
    BeforeValidator(parse_time),
    _schema("string", format="date-time", pattern=TIME_PATTERN, examples=["2026-01-31T08:15:30Z"]),
]
LabelFilter = Annotated[
    tuple[str, str],
    BeforeValidator(lambda value: parse_label_filter(value) if isinstance(value, str) else value),
    _schema("string", pattern=r"^[a-zA-Z][a-zA-Z0-9_]{0,62}:", examples=["team:support"]),
]
Labels = Annotated[dict[str, str], AfterValidator(check_labels)]
Time = Annotated[
    float,
    PlainSerializer(format_time, return_type=str, when_used="json"),
    _schema("string", format="date-time", examples=["2026-01-31T08:15:30.125Z"]),
]
"""Seconds since 1970 in code, RFC 3339 in UTC with milliseconds in JSON."""
