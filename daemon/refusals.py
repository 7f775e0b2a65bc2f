"""What is refused of the changes that somebody wants of the fleet over the API; beside it, for proxies, `proxies`."""

from actors.settings import Settings
from actors.store.records import Desired
from daemon import wanted
from daemon.backend import BackendError, SessionRecord

CONNECTORS = ("baileys", "simulator", "external")


def refuse_unusable(record: SessionRecord, known: SessionRecord | None, settings: Settings) -> None:
    """A new session that exists already, or whose connector can't run.  Raises BackendError."""
    if known is not None:
        raise BackendError("conflict", f"session {record.id!r} exists already, by {known.source or 'the API'}")
    if record.connector not in CONNECTORS:
        raise BackendError("invalid", f"the connector is one of {', '.join(CONNECTORS)}")
    if record.connector == "baileys" and settings.node is None:
        raise BackendError("invalid", "no Node.js of version 20 or later was found, which Baileys needs")
    if record.connector == "external" and not settings.connectors.external.command:
        raise BackendError("invalid", "there is no external connector: connectors.external.command is not set")


def refuse_held(session: str, wish: Desired | None, enabled: bool) -> None:
    """To start a session whose keys came out of a backup.  Raises BackendError ``refused``."""
    if enabled and wanted.is_held(wish):
        raise BackendError(
            "refused",
            f"the keys of session {session!r} came out of a backup and may be older than the device's",
            remedy="If nothing else runs this device, and nothing newer is to be had: "
            f"wavigil sessions start {session} --accept-stale-keys",
        )


def refuse_file_owned(record: SessionRecord) -> None:
    """To change over the API what the file owns.  Raises BackendError ``file_owned``."""
    if record.origin == "file":
        raise BackendError(
            "file_owned",
            f"session {record.id!r} belongs to {record.source}: change it there and run wavigil reload",
            source=record.source,
        )
