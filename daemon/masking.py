"""Hides phone numbers in what is written to logs.  Pure.

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


def mask_number(digits: str) -> str:
    """The recognisable rest of a number: `15550100189` gives `1555•••89`, `5550100` gives `•••00`."""
    head = max(0, min(HEAD_DIGITS, len(digits) - HIDDEN_DIGITS - TAIL_DIGITS))
    return f"{digits[:head]}{HIDDEN}{digits[-TAIL_DIGITS:]}"


def mask_text(text: str) -> str:
    """The same text with every phone number in it masked, JIDs included.  Masking twice changes nothing."""
    text = _GROUPED.sub(lambda match: "+" + mask_number(re.sub("[^0-9]", "", match[0])), text)
    return _RUN.sub(lambda match: mask_number(match[0]), text)
