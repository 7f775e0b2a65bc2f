"""What the API answers about auth states and backups."""

from daemon.api.fields import Time
from daemon.api.models import Response


class VaultRotation(Response):
    """A rotation of the master key that is under way."""

    started_at: Time
    sessions: int
    """That there were when it began."""
    left: int
    """That are still sealed with a key before."""
    damaged: int
    """That no configured key opens."""


class Vault(Response):
    """How auth states are sealed."""

    sealed: bool
    """False: they lie plain, since no master key is configured."""
    rotation: VaultRotation | None
    """Null if none is under way."""


class BackupFile(Response):
    """A database in a backup."""

    name: str
    bytes: int


class Backup(Response):
    """A backup that was made."""

    directory: str
    made_at: Time
    """All databases are as they were at that moment."""
    files: list[BackupFile]


class AuthState(Response):
    """An auth state of Baileys. Whoever has it is the device."""

    session_id: str
    entries: dict[str, str]
    """`creds`, and `type/id`, to the JSON text that Baileys writes for it."""


class AuthImported(Response):
    """What an import did."""

    session_id: str
    entries: int
    """How many the auth state has."""
    changed: int
    """How many of them were not there before, or otherwise, or are gone."""
