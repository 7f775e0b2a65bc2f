"""What validation is told about the load that it is part of."""

from collections.abc import Mapping
from dataclasses import dataclass

from pydantic import ValidationInfo


@dataclass(frozen=True, slots=True)
class LoadContext:
    """Marks values as read from a configuration file.

    In a file a duration must carry its unit; Python code may also give plain seconds.
    """

    environ: Mapping[str, str]
    """Where `${NAME}` and `$CREDENTIALS_DIRECTORY` are looked up."""


def load_context(info: ValidationInfo) -> LoadContext | None:
    """The context of a load from a file, or None when Python code builds the model."""
    return info.context if isinstance(info.context, LoadContext) else None
