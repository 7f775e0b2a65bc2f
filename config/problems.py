"""What is wrong with a configuration, in words that lead an operator to the place."""

import re
from dataclasses import dataclass
from pathlib import Path

from config.document import KeyPath

LONGEST_ECHO = 60
"""Characters of a wrong value that an error repeats."""

_PLAIN_KEY = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*", re.ASCII)
# Seven digits or more, with what people write between them: perhaps a phone number.
_NUMBER = re.compile(r"[0-9](?:[ ()./_-]{0,2}[0-9]){6,}")

# User name and password of a URL.
_USER = re.compile(r"//[^/\s]*@")


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong."""

    file: str
    line: int
    """From 1; 0 when the file as a whole is meant."""

    column: int
    """From 1; 0 when the file as a whole is meant."""

    path: str
    """Such as `sessions[2].connector`; empty for the whole document."""

    found: str
    expected: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}:{self.column}" if self.line else self.file
        path = f"{self.path}: " if self.path else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{place}: {path}found {self.found}, expected {self.expected}{hint}"


class ConfigError(Exception):
    """A configuration that can't be used. `problems` has all that is wrong with it, in order of lines."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__(problems)
        self.problems = problems

    def __str__(self) -> str:
        return "\n".join(str(problem) for problem in self.problems)


def unreadable(path: Path | str, found: str, expected: str, hint: str = "") -> ConfigError:
    """The error for a file that can't be read at all."""
    return ConfigError((Problem(str(path), 0, 0, "", found, expected, hint),))


def path_text(path: KeyPath) -> str:
    """`("sessions", 2, "labels", "a b")` as `sessions[2].labels["a b"]`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
        elif _PLAIN_KEY.fullmatch(part):
            text += f".{part}" if text else part
        else:
            text += f"[{echo(part)}]"
    return text


def echo(text: str) -> str:
    """A text from the file in quotes, shortened and printable, long numbers and passwords in URLs masked."""
    masked = _NUMBER.sub("<digits>", _USER.sub("//<user>@", text))
    if len(masked) > LONGEST_ECHO:
        masked = masked[: LONGEST_ECHO - 1] + "…"
    return '"' + "".join(character if character.isprintable() else "·" for character in masked) + '"'
