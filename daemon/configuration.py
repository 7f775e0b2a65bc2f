"""What a reload of the configuration answers: a port of plain records between the API and what carries it out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Protocol

from config.problems import Problem


@dataclass(frozen=True, slots=True)
class Reloaded:
    """What a reload changed, or with ``dry_run`` what it would change.  Sessions are by id."""

    source: str | None
    """The file; None for the defaults alone."""
    digest: str
    """SHA-256 of its text in hex."""
    dry_run: bool = False
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    """No longer there; their auth states are kept."""
    changed: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Session -> the fields that changed."""
    unchanged: int = 0
    taken_over: tuple[str, ...] = ()
    """The API's until now, the file's from now on."""
    given_back: tuple[str, ...] = ()
    """The API's again, as they were before the file named them."""
    settings: tuple[str, ...] = ()
    """Paths of other settings that changed and are in effect, such as ``http.tokens``."""
    restart_needed: tuple[str, ...] = ()
    """Paths of settings that take effect at the next start of the daemon."""

    def detail(self) -> dict[str, Any]:
        """For the audit log: names of sessions and settings, no values."""
        left_out = {"source", "dry_run", "unchanged"}
        found = {name: value for name, value in asdict(self).items() if value and name not in left_out}
        return {name: list(value) if isinstance(value, tuple) else value for name, value in found.items()}

    def summary(self) -> str:
        """One line for the log."""
        named = {
            "added": self.added,
            "removed": self.removed,
            "changed": tuple(self.changed),
            "taken over from the API": self.taken_over,
            "given back to the API": self.given_back,
            "in effect": self.settings,
        }
        parts = [f"{what} {', '.join(which)}" for what, which in named.items() if which]
        return "; ".join([*parts, f"{self.unchanged} sessions unchanged"])


@dataclass(frozen=True, slots=True)
class ConfigStatus:
    """For the metrics."""

    digest: str = ""
    successful: bool = True
    """Whether the last reload, or the start, took the file over."""
    at: float = 0.0
    """When a file was last taken over, seconds since 1970."""
    restart_needed: bool = False


class WrongConfigurationError(Exception):
    """The file can't be used; nothing was changed."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class Configuration(Protocol):
    """Implemented by ``daemon.reload.Reloader``."""

    async def reload(self, who: str, *, dry_run: bool = False) -> Reloaded:
        """Reads the file again and takes it over.  Raises WrongConfigurationError, BackendError: nothing changed."""
        ...
