from hypothesis import given
from hypothesis import strategies as st

from daemon.places import Places

CONNECTORS = st.sampled_from(["baileys", "simulator"])
IDS = st.integers(0, 8).map(lambda number: f"s{number}")
FLEETS = st.lists(st.dictionaries(IDS, CONNECTORS, max_size=8), max_size=8)


@given(FLEETS, st.integers(1, 3), st.data())
def test_a_shard_never_changes_its_connector(fleets: list[dict[str, str]], capacity: int, data: st.DataObject) -> None:
    places, kinds = Places(), dict[int, str]()
    for fleet in fleets:
        removed = data.draw(st.sampled_from([None, *sorted(places.at.keys() - fleet.keys())]))
        before = places
        places, moved = before.settle(fleet, lambda _: capacity, removed)
        for id, connector in fleet.items():
            assert places.at[id][0] == connector == kinds.setdefault(places.shard_of(id), connector)
        stayed = {id: where for id, where in before.at.items() if id not in moved and id != removed}
        assert places.at == {**stayed, **moved}
        assert removed is None or removed not in places.at


def test_the_place_of_one_that_comes_back_with_another_connector_stays_taken() -> None:
    places = Places()
    for fleet, removed in (({"a": "baileys"}, None), ({}, "a"), ({"a": "simulator"}, None), ({"b": "simulator"}, None)):
        places, _ = places.settle(fleet, lambda _: 1, removed)
    assert places.at["b"] != ("simulator", 0)


def test_a_session_that_comes_back_finds_its_place() -> None:
    first, _ = Places().settle({"a": "baileys", "b": "simulator"}, lambda _: 32)
    second, moved = first.settle({"b": "simulator"}, lambda _: 32)
    assert not moved
    assert second.settle({"c": "simulator", "a": "baileys", "b": "simulator"}, lambda _: 32)[0].shard_of("a") == 0
