"""Where each session lives, while the fleet changes.  Pure; the rule by which a shard is chosen is `place`."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from actors.store.placement import place

Place = tuple[str, int]
"""The connector and the number of a shard."""


@dataclass(frozen=True, slots=True)
class Places:
    """The places of all sessions, also of those that are in no file and may come back."""

    at: Mapping[str, Place] = field(default_factory=dict)
    """By session."""
    left: Mapping[str, Place] = field(default_factory=dict)
    """Places that sessions left: while the actors run, a shard's number is not given to another connector."""

    def shard_of(self, session: str) -> int:
        """Where a session lives."""
        return self.at[session][1]

    def shards(self, sessions: Collection[str]) -> set[int]:
        """The shards that hold one of them."""
        return {self.shard_of(session) for session in sessions}

    def settle(
        self, connectors: Mapping[str, str], capacity: Callable[[str], int], gone: str | None = None
    ) -> tuple["Places", dict[str, Place]]:
        """The places that a change leads to, and those among them that are new.

        ``connectors`` is the connector of each session of the fleet, ``capacity`` says how many sessions a shard of a
        connector holds, ``gone`` is the session that was removed.
        """
        before = {id: where for id, where in self.at.items() if id != gone}
        left = {**self.left, gone: self.at[gone]} if gone is not None else dict(self.left)
        after = dict(before)
        for connector in sorted(set(connectors.values())):
            kin = [(id, connector) for id, used in connectors.items() if used == connector]
            for id, shard in place({**left, **after}, kin, capacity(connector)).items():
                after[id] = (connector, shard)
        moved = {id: after[id] for id in connectors if before.get(id) != after[id]}
        stay = {id: where for id, where in left.items() if id not in moved}
        # a session that came back elsewhere has left its place for good, and still nobody else's connector gets it
        former = [(id, known[id]) for known in (left, before) for id in moved if id in known]
        stay |= {f"{id} in {where[1]}": where for id, where in former if where != after[id]}
        return Places(after, stay), moved
