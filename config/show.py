"""The effective configuration as YAML: secrets and phone numbers hidden, durations in human form."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

from config.document import KeyPath
from config.loader import Loaded
from config.schema import Config
from config.schema_simulator import SessionProfile
from config.secrets import Secret
from config.section import Section

HIDDEN_PHONE = "<phone>"
_INDENT = "  "


def plain(config: Config) -> dict[str, Any]:
    """The configuration as JSON types: what `show` prints, for `--json` and for support bundles."""
    values = config.model_dump(mode="json", by_alias=True)
    for spec, session in zip(config.sessions, values["sessions"], strict=True):
        if isinstance(spec.simulator, SessionProfile) and spec.simulator.phone is not None:
            session["simulator"]["phone"] = HIDDEN_PHONE
    return values


def secrets_of(value: object) -> Iterator[Secret]:
    """Every secret in a configuration, or in a part of it."""
    if isinstance(value, Secret):
        yield value
    elif isinstance(value, Section):
        for name in type(value).model_fields:
            yield from secrets_of(getattr(value, name))
    elif isinstance(value, tuple):
        for item in value:
            yield from secrets_of(item)


def show(loaded: Loaded, *, origins: bool = False) -> str:
    """The effective configuration as YAML.

    Args:
        loaded: what to show.
        origins: whether each value that the file gives is followed by a comment that names its line.
    """
    source = loaded.source if origins else None
    return "\n".join(_mapping(plain(loaded.config), (), _Origins(source, loaded.lines))) + "\n"


class _Origins:
    """The comment behind a value."""

    def __init__(self, source: Path | None, lines: Mapping[KeyPath, int]) -> None:
        self.name = source.name if source is not None else ""
        self.lines = lines

    def comment(self, path: KeyPath) -> str:
        line = self.lines.get(path)
        return f"  # {self.name}:{line}" if self.name and line is not None else ""


def _mapping(values: Mapping[str, Any], path: KeyPath, origins: _Origins) -> Iterator[str]:
    for key, value in values.items():
        below = (*path, key)
        name = _scalar(key)
        if value and isinstance(value, dict):
            yield f"{name}:"
            yield from _indented(_mapping(value, below, origins))
        elif value and isinstance(value, list):
            yield f"{name}:"
            yield from _indented(_list(value, below, origins))
        else:
            yield f"{name}: {_scalar(value)}{origins.comment(below)}"


def _list(values: list[Any], path: KeyPath, origins: _Origins) -> Iterator[str]:
    for index, value in enumerate(values):
        below = (*path, index)
        if value and isinstance(value, dict):
            # The first key stands behind the dash, the others below it.
            lines = _mapping(value, below, origins)
            yield f"- {next(lines)}"
            yield from _indented(lines)
        else:
            yield f"- {_scalar(value)}{origins.comment(below)}"


def _indented(lines: Iterator[str]) -> Iterator[str]:
    return (_INDENT + line for line in lines)


def _scalar(value: object) -> str:
    """One value in one line, with quotes where YAML needs them."""
    text: str = yaml.safe_dump(value, default_flow_style=True, allow_unicode=True, width=10**9)
    return text.removesuffix("\n").removesuffix("\n...")
