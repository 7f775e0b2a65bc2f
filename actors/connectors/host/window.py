"""The numbers of what a connector told and the host has to confirm, and the bound on them.  Pure."""

from dataclasses import dataclass, replace

from actors.connectors.host.fault import ConnectorFault, FaultKind
from actors.connectors.protocol import WINDOW


@dataclass(frozen=True, slots=True)
class Window:
    """Of one host's link; numbers begin at 1 and have no gap."""

    numbered: bool = False
    """Whether the connector has the capability ``stored``; without it there are no numbers."""
    told: int = 0
    """The highest number so far."""
    confirmed: int = 0
    """Everything up to it was confirmed to the connector."""

    def heard(self, n: int | None) -> "Window":
        """The window after an event with that number.  Raises ConnectorFault."""
        if not self.numbered:
            if n is not None:
                raise ConnectorFault(FaultKind.MALFORMED, "an event has a number, but the connector can't 'stored'")
            return self
        if n != self.told + 1:
            got = "no number" if n is None else f"number {n}"
            raise ConnectorFault(FaultKind.MALFORMED, f"an event has {got} where {self.told + 1} was due")
        if n - self.confirmed > WINDOW:
            raise ConnectorFault(FaultKind.FLOOD, f"more than {WINDOW} events came that were not confirmed as stored")
        return replace(self, told=n)

    def confirming(self, upto: int) -> "Window":
        """The window once the connector is told that everything up to there is stored."""
        return replace(self, confirmed=max(self.confirmed, upto))
