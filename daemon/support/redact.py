"""One redaction for everything that leaves in a bundle.  Pure.

Numbers stay numbers: in JSON and metrics they are counts, sizes and moments; phone numbers are texts everywhere in
wavigil.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from actors.masking import HIDDEN_KEY, is_secret_field, mask_log
from config.secrets import HIDDEN

SHORTEST_SECRET = 8
"""Characters: what is shorter would be found in every other word, which would also tell it.

Such a one is hidden where secrets stand: in fields of their name, and in the login of a URL.
"""

_SAMPLE = re.compile(r"(.*[}\w]) ([^ ]+)")
"""A line of the metrics' text format: name with labels, value."""


class Redactor:
    """Hides given secrets wherever they stand, and whatever looks like a phone number, JID, token or key."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = {form for secret in secrets if len(secret) >= SHORTEST_SECRET for form in _forms(secret)}
        longest_first = sorted(known, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, longest_first))) if known else None

    def text(self, text: str) -> str:
        """Any text."""
        if self._known is not None:
            text = self._known.sub(HIDDEN_KEY, text)
        return mask_log(text)

    def value(self, value: Any) -> Any:
        """JSON types: texts are redacted, names of keys too, numbers stay."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self._field(str(name), item) for name, item in value.items()}
        if isinstance(value, list | tuple):
            return [self.value(item) for item in value]
        return value

    def _field(self, name: str, value: Any) -> Any:
        return _hidden(value) if is_secret_field(name) else self.value(value)

    def metrics(self, text: str) -> str:
        """Prometheus' text format: labels and comments are redacted, values stay."""
        return "".join(f"{self._sample(line)}\n" for line in text.splitlines())

    def _sample(self, line: str) -> str:
        match = None if line.startswith("#") else _SAMPLE.fullmatch(line)
        return self.text(line) if match is None else f"{self.text(match[1])} {_number(match[2]) or self.text(match[2])}"


def _hidden(value: Any) -> Any:
    """The same shape without a text in it; that of a secret of the configuration says already that it is one."""
    if isinstance(value, str):
        return value if value in {"", HIDDEN} else HIDDEN_KEY
    if isinstance(value, dict):
        return {HIDDEN_KEY: [_hidden(item) for item in value.values()]} if value else {}
    return [_hidden(item) for item in value] if isinstance(value, list | tuple) else value


def _number(text: str) -> str | None:
    try:
        float(text)
    except ValueError:
        return None
    return text


def _forms(secret: str) -> tuple[str, str]:
    """As it is, and as it stands in JSON."""
    return secret, json.dumps(secret, ensure_ascii=False)[1:-1]
