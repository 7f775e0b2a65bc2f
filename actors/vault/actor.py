"""The vault actor: runs the vault's server in a supervised process."""

from pathlib import Path

from actors.messages.supervision import ServiceSample
from actors.runtime.worker import Worker
from actors.settings import SOCKET_VAULT, Settings
from actors.vault.server import VaultServer


class VaultActor(Worker):
    """The only writer of vault.db, and the only process that is given the master key."""

    async def on_init(self, args: Settings) -> None:
        """Opens the database and the socket; an error ends the actor, and its supervisor tries again."""
        socket = Path(args.socket(SOCKET_VAULT))
        self._server = VaultServer(args.database("vault"), socket, args.vault_keys, patient=True)
        await self._server.start()

    def sample(self) -> ServiceSample:
        return ServiceSample(self._server.store())

    async def on_stop(self) -> None:
        """Commits what is queued."""
        await self._server.stop()
