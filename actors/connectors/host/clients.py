"""What client the connector shows WhatsApp: with another one, sessions whose client was outdated try once more."""

import time

from actors.connectors.host.connectors import Connectors
from actors.connectors.host.gatekeeper import Gatekeeper
from actors.connectors.host.notices import Notices
from actors.connectors.host.outdated import Outdated
from actors.settings import Settings


class Clients:
    """Acts on what ``outdated`` finds: it orders sessions to reconnect, and lets the gate forget what was refused."""

    def __init__(
        self, connectors: Connectors, outdated: Outdated, gate: Gatekeeper, notices: Notices, settings: Settings
    ) -> None:
        self._connectors = connectors
        self._outdated = outdated
        self._gate = gate
        self._notices = notices
        self._version = settings.connectors.baileys.client_version

    def presented(self) -> None:
        """The connector has answered, or another one took its place: what connects from now on has its client."""
        if self._connectors.current is None:
            return
        hello = self._connectors.current.uplink.hello
        # what the connector tells WhatsApp that it is, and what else may make a difference
        self._outdated.use(f"{hello.connector} {hello.version} {'.'.join(map(str, self._version or ()))}".rstrip())

    def use(self, settings: Settings) -> bool:
        """New settings; returns whether they name another version.  The connector has yet to be told."""
        before, self._version = self._version, settings.connectors.baileys.client_version
        return self._version != before

    def retry(self) -> None:
        """The connector has another version now."""
        self._gate.try_again()
        self.look()

    def look(self) -> None:
        """What WhatsApp thought of the version before says nothing about the new one."""
        due = self._outdated.due(time.time())
        if any(due.values()):  # else the client may be the one that was refused
            self._gate.try_again()
        for session in due:
            self._notices.reconnect(session)
