"""Hides phone numbers and keys in what is written to logs or leaves the machine.  Pure.

A phone number has up to 15 digits (ITU-T E.164); JIDs and old group ids begin with one.  Any run of at least seven
digits is taken for one: a log that hides a message id too much is better than one that shows a customer.
"""

import re

HIDDEN = "•••"
"""Always three, so that not even the length shows."""

SHORTEST_NUMBER = 7
"""Digits from which on a run counts as a phone number."""

TAIL_DIGITS = 2
HEAD_DIGITS = 4
HIDDEN_DIGITS = 5
"""At least this many digits of each number are hidden: 100,000 candidates remain."""

_GROUPED = re.compile(r"\+[0-9](?:[ ().-]{0,2}[0-9]){6,19}", re.ASCII)
"""A number as people write it, with a plus and separators."""

_RUN = re.compile(rf"[0-9]{{{SHORTEST_NUMBER},}}", re.ASCII)


LONGEST_PLAIN = 10**7
"""Numbers that the code itself passes to a log line are masked from here on: pids, ports and counts are smaller."""

_PID = r"\b(?:pid|process)(?: |=)[1-4][0-9]{6}(?![0-9@:])|(?<=\[)[1-4][0-9]{6}(?=\])"
"""A pid of seven digits (the kernel's bound is 4,194,304) where the words around it say that it is one."""

_RUN_IN_LOG = re.compile(rf"(?P<pid>{_PID})|[0-9]{{{SHORTEST_NUMBER},}}", re.ASCII)

HIDDEN_KEY = "<hidden>"

PATH_SHARE = 0.7
"""At least this part of a path is small letters and separators."""

_NAMED_KEY = re.compile(r"(?i)\b(bearer +)[^\s\"',;]+|\b(whsec_)[A-Za-z0-9+/=_-]+")
_LOGIN_OF_URL = re.compile(r"(?<=://)[^\s/?#\"]*@")
"""User and password, RFC 3986 3.2.1; all of it, since a user name alone may be a customer's number or a key."""
_NAMES = r"(?:password|passwd|passphrase|secret|token|(?:api|access|private|master)[_-]?key)"
_NAMED_SECRET = re.compile(rf"(?i)(?<![\w./-])([\w-]*{_NAMES}\\?[\"']?\s*[=:]\s*)(?:\"[^\"]*\"|'[^']*'|[^\s\"',;&])+")
"""``password=…``, ``"apiKey": "…"``, also escaped; but not the path of a file, ``admin.token: …``."""
_AUTHORIZATION = re.compile(
    r"(?i)(authorization\\?[\"']?\s*[=:]\s*\\?[\"']?(?:(?:basic|bearer|digest|negotiate) +)?)[^\s\"',;]+"
)
_SECRET_FIELD = re.compile(rf"(?i)[\w-]*(?:{_NAMES}|authorization)")
_KEY = re.compile(r"(?<![A-Za-z0-9+/_-])[A-Za-z0-9+/_-]{32,}={0,2}", re.ASCII)
_HEX_KEY = re.compile(r"[0-9A-Fa-f]{32,}", re.ASCII)
_WORD_OF_A_PATH = re.compile(r"(?:^|/)[a-z_]{3,}(?:/|$)", re.ASCII)


def mask_number(digits: str) -> str:
    """The recognisable rest of a number: `15550100189` gives `1555•••89`, `5550100` gives `•••00`."""
    head = max(0, min(HEAD_DIGITS, len(digits) - HIDDEN_DIGITS - TAIL_DIGITS))
    return f"{digits[:head]}{HIDDEN}{digits[-TAIL_DIGITS:]}"


def mask_text(text: str) -> str:
    """The same text with every phone number in it masked, JIDs included.  Masking twice changes nothing."""
    text = _GROUPED.sub(lambda match: "+" + mask_number(re.sub("[^0-9]", "", match[0])), text)
    return _RUN.sub(lambda match: mask_number(match[0]), text)


def mask_log(text: str) -> str:
    """A line for a log: as ``mask_text``, but the pid of a process stays where words say that it is one."""
    text = _GROUPED.sub(lambda match: "+" + mask_number(re.sub("[^0-9]", "", match[0])), text)
    return hide_keys(_RUN_IN_LOG.sub(lambda match: match[0] if match["pid"] else mask_number(match[0]), text))


def mask_value(value: int) -> int | str:
    """A number that the code passes to a log line by itself.

    Pids, ports, counts and moments stay.  A moment in seconds or milliseconds has 10 or 13 digits and begins with 1
    (until 2033); no phone number does: those of country code 1 have 11 digits.
    """
    digits = str(abs(value))
    moment = len(digits) in {10, 13} and digits.startswith("1")
    return value if abs(value) < LONGEST_PLAIN or moment else mask_number(digits)


def hide_keys(text: str) -> str:
    """Replaces what stands where secrets stand, however short, and what looks like a token or a key.

    Places are the login of a URL, fields such as `password=…`, what follows `Authorization:`, `Bearer` or `whsec_`;
    keys are long hex and long base64 of mixed letters.
    """
    text = _LOGIN_OF_URL.sub(f"{HIDDEN_KEY}@", text)
    text = _NAMED_SECRET.sub(lambda match: match[1] + HIDDEN_KEY, text)
    text = _AUTHORIZATION.sub(lambda match: match[1] + HIDDEN_KEY, text)
    text = _NAMED_KEY.sub(lambda match: (match[1] or match[2]) + HIDDEN_KEY, text)
    return _KEY.sub(lambda match: HIDDEN_KEY if _is_key(match[0]) else match[0], text)


def is_secret_field(name: str) -> bool:
    """Whether a field of that name holds a secret: `password`, `proxyPassword`, `api-key`."""
    return _SECRET_FIELD.fullmatch(name) is not None


def _is_key(run: str) -> bool:
    if _HEX_KEY.search(run):
        return True
    mixed = all(any(kind(letter) for letter in run) for kind in (str.isdigit, str.isupper, str.islower))
    return mixed and not _is_path(run)


def _is_path(run: str) -> bool:
    """Of random base64 two fifths are small letters, of a path nearly all, and they form words."""
    small = sum(letter.islower() or letter in "/_-" for letter in run)
    return small >= PATH_SHARE * len(run) and _WORD_OF_A_PATH.search(run) is not None
