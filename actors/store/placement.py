"""Which shard a session lives in: a pure decision."""

from collections.abc import Mapping, Sequence


def place(
    existing: Mapping[str, tuple[str, int]], sessions: Sequence[tuple[str, str]], capacity: int
) -> dict[str, int]:
    """The shard of each session, given the places it and others had: id -> (connector, shard).

    - A session that is placed stays, even in a shard above ``capacity`` (which may have been lowered).
    - A shard holds sessions of one connector.  A number that ``existing`` gives to a connector stays with it,
      also when
      none of its sessions is left.  A session whose connector changed moves.
    - A new session goes to the lowest shard of its connector that has room, else to the lowest free number.

    ``sessions`` is a sequence of (id, connector), each id once; ``capacity`` is at least 1 session a shard.
    """
    if capacity < 1:
        raise ValueError(f"a shard must hold at least one session, not {capacity}")
    kinds: dict[int, str] = {}
    for connector, shard in existing.values():
        kinds.setdefault(shard, connector)
    places: dict[str, int] = {}
    held: dict[int, int] = {}
    for session, connector in sessions:
        before = existing.get(session)
        if before is not None and before[0] == connector and kinds[before[1]] == connector:
            places[session] = before[1]
            held[before[1]] = held.get(before[1], 0) + 1
    for session, connector in sessions:
        if session in places:
            continue
        shard = 0
        while kinds.get(shard, connector) != connector or held.get(shard, 0) >= capacity:
            shard += 1
        kinds[shard] = connector
        places[session] = shard
        held[shard] = held.get(shard, 0) + 1
    return places
