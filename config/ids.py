"""The rules for session ids, labels and other names, the same for the file and the API. Pure."""

import re

SESSION_ID_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"

RESERVED_SESSION_IDS = frozenset({"bulk", "health-summary", "episodes", "pauses"})
"""Ids that would collide with a route below `/api/whatsapp-status/` or `/api/recovery/`."""

PHONE_NUMBER_DIGITS = 7
"""From this many digits on, an id of nothing but digits and separators is taken for a phone number
(ITU-T E.164: up to 15 digits; hardly any with its area code has fewer than 7)."""

LABEL_NAME_PATTERN = r"^[a-zA-Z][a-zA-Z0-9_]{0,62}$"
LABEL_VALUE_LENGTH = 128

TOKEN_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"  # noqa: S105  # a name, not a token

PROXY_NAME_PATTERN = r"^[a-z0-9][a-z0-9_-]{0,62}$"

_PROXY_NAME = re.compile(PROXY_NAME_PATTERN.removesuffix("$"), re.ASCII)
_TOKEN_NAME = re.compile(TOKEN_NAME_PATTERN.removesuffix("$"), re.ASCII)
_PHONE = re.compile(r"[0-9]{7,15}", re.ASCII)
_SESSION_ID = re.compile(SESSION_ID_PATTERN.removesuffix("$"), re.ASCII)
_LABEL_NAME = re.compile(LABEL_NAME_PATTERN.removesuffix("$"), re.ASCII)
_ONLY_NUMBER = re.compile(r"[0-9_-]*", re.ASCII)


def looks_like_phone_number(session_id: str) -> bool:
    """Whether an id is nothing but digits, `-` and `_`, with at least 7 digits."""
    digits = sum(character.isdigit() for character in session_id)
    return digits >= PHONE_NUMBER_DIGITS and _ONLY_NUMBER.fullmatch(session_id) is not None


def check_session_id(session_id: str) -> None:
    """Accept a session id or say why not.

    An id appears in logs, metrics and URLs, so it must be plain, must not be a phone number
    (personal data), and must not collide with a route.

    Raises:
        ValueError: with a sentence for the operator; it does not repeat the id.
    """
    if looks_like_phone_number(session_id):
        raise ValueError(
            "a session id must not look like a phone number, because ids appear in logs and metrics; "
            "choose a name such as support-1"
        )
    if _SESSION_ID.fullmatch(session_id) is None:
        raise ValueError(
            "a session id has 1 to 63 characters of a-z, 0-9, - and _, and begins with a letter or a digit"
        )
    if session_id in RESERVED_SESSION_IDS:
        raise ValueError("this session id is reserved, because it is the name of an API route")


def check_label_name(name: str) -> None:
    """Accept the name of a label or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    if _LABEL_NAME.fullmatch(name) is None:
        raise ValueError("a label name has 1 to 63 letters, digits and _, and begins with a letter")


def check_label_value(value: str) -> None:
    """Accept the value of a label or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    if not 1 <= len(value) <= LABEL_VALUE_LENGTH or not value.isprintable():
        raise ValueError(f"a label value has 1 to {LABEL_VALUE_LENGTH} printable characters")


LABEL_PATTERN = r"^[A-Za-z][A-Za-z0-9_]{0,62}:."
"""Beginning of a label with its value, for editors."""


def check_label(label: str) -> None:
    """Accept a label with its value, ``name:value``, or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    name, colon, value = label.partition(":")
    if not colon:
        raise ValueError("a label and its value have a colon between them, such as priority:high")
    check_label_name(name)
    check_label_value(value)


def check_token_name(name: str) -> None:
    """Accept the name of an API token or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    if _TOKEN_NAME.fullmatch(name) is None:
        raise ValueError(
            "a token name has 1 to 63 characters of a-z, 0-9, - and _, and begins with a letter or a digit"
        )


def check_proxy_name(name: str) -> None:
    """Accept the name of a proxy or say why not.

    Raises:
        ValueError: with a sentence for the operator.
    """
    if _PROXY_NAME.fullmatch(name) is None:
        raise ValueError(
            "the name of a proxy has 1 to 63 characters of a-z, 0-9, - and _, and begins with a letter or a digit"
        )


def check_phone(phone: str) -> None:
    """Accept a phone number in international form without `+` (E.164: 7 to 15 digits) or say why not.

    Raises:
        ValueError: with a sentence for the operator; it does not repeat the number.
    """
    if _PHONE.fullmatch(phone) is None:
        raise ValueError("a phone number has 7 to 15 digits, with its country code and without +")
