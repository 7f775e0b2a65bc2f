"""Cursors of lists that are ordered by session id.  Pure.

A cursor says after which id to go on, so a page is right even if that session was removed in between.  It is
bound to the filter that it was made with: a cursor of another query would silently skip sessions.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Mapping
from typing import Any

from config.ids import check_session_id

_DIGEST_BYTES = 8


def encode(after: str, query: Mapping[str, Any]) -> str:
    """The opaque text for "after this id, with this filter"."""
    return base64.urlsafe_b64encode(_digest(query) + after.encode()).decode().rstrip("=")


def decode(text: str, query: Mapping[str, Any]) -> str:
    """The id that a cursor stands after.

    Raises:
        ValueError: with a sentence for the caller: not a cursor, or one of another filter.
    """
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        after = raw[_DIGEST_BYTES:].decode("ascii")
        check_session_id(after)
    except (binascii.Error, ValueError):
        raise ValueError("this is not a cursor; use nextCursor of the page before") from None
    if raw[:_DIGEST_BYTES] != _digest(query):
        raise ValueError("this cursor belongs to a query with another filter; begin again without a cursor")
    return after


def _digest(query: Mapping[str, Any]) -> bytes:
    canonical = json.dumps(query, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).digest()[:_DIGEST_BYTES]
