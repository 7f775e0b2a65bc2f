"""What a reload would change, for any two configurations."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from config.diff import Difference, changed_paths, difference, in_effect, is_live
from config.schema import Config

TOKEN = {"name": "grafana", "role": "viewer", "token": "0123456789abcdef"}
TLS = {"certificate": "/etc/tls.crt", "key": "/etc/tls.key"}
SETTINGS: dict[str, list[Any]] = {
    "log.level": ["info", "debug"],
    "log.format": ["human", "json"],
    "http.listen": ["127.0.0.1:9470", "127.0.0.1:9471"],
    "http.max_body": ["64KiB", "1MiB"],
    "http.tokens": [[], [TOKEN], [{**TOKEN, "token": "fedcba9876543210"}]],
    "http.tls": [None, TLS, {**TLS, "key": "/etc/other.key"}],
    "state_dir": ["/var/lib/wavigil", "/srv/wavigil"],
    "supervision.heartbeat": ["10s", "1s"],
    "supervision.park_retry": ["5m", "1m"],
    "connectors.simulator.profile.latency": ["40ms", "1s"],
    "connectors.baileys.client_version": [None, [2, 3000, 1]],
    "health.weights": [{}, {"connection": 30, "latency": 25}],
    "vault.master_key": ["k" * 32, "m" * 32],
    "vault.previous_keys": [[], ["o" * 32]],
}
SPECS = st.fixed_dictionaries(
    {"connector": st.sampled_from(["baileys", "simulator"]), "enabled": st.booleans()},
    optional={"labels": st.just({"team": "a"})},
)


def build(settings: dict[str, Any], sessions: dict[str, Any]) -> Config:
    tree: dict[str, Any] = {"runtime_dir": "/run/w", "sessions": [{"id": id, **spec} for id, spec in sessions.items()]}
    for path, value in settings.items():
        *sections, name = path.split(".")
        place = tree
        for section in sections:
            place = place.setdefault(section, {})
        place[name] = value
    return Config.model_validate(tree)


CONFIGS = st.builds(
    build,
    st.fixed_dictionaries({path: st.sampled_from(values) for path, values in SETTINGS.items()}),
    st.dictionaries(st.sampled_from("abcde"), SPECS),
)


@given(CONFIGS, CONFIGS)
def test_what_is_in_effect_is_valid_and_only_a_restart_is_left(running: Config, wanted: Config) -> None:
    effect = in_effect(running, wanted)
    Config.model_validate(effect.model_dump(by_alias=True))
    left = difference(effect, wanted)
    assert left.restart_needed == difference(running, wanted).restart_needed
    assert not left.settings
    assert effect.sessions == wanted.sessions
    assert difference(running, effect).restart_needed == ()
    assert in_effect(running, effect) == effect


@given(CONFIGS, CONFIGS)
def test_every_difference_is_named_once(running: Config, wanted: Config) -> None:
    found = difference(running, wanted)
    paths = [path for path in changed_paths(running, wanted) if path != "sessions"]
    assert sorted((*found.settings, *found.restart_needed)) == sorted(paths)
    assert all(is_live(path) for path in found.settings)
    named = (found.added, found.removed, found.changed, found.settings, found.restart_needed)
    assert found.nothing is not any(named)
    before, after = {spec.id for spec in running.sessions}, {spec.id for spec in wanted.sessions}
    assert set(found.added) == after - before
    assert set(found.removed) == before - after
    assert set(found.changed) <= before & after
    assert len(found.changed) + found.unchanged == len(before & after)
    back = difference(wanted, running)
    assert set(back.added) == set(found.removed)
    assert set(back.changed) == set(found.changed)


@given(CONFIGS)
def test_the_same_configuration_changes_nothing(config: Config) -> None:
    found = difference(config, config)
    assert found.nothing
    assert found == Difference(unchanged=len(config.sessions))
    assert in_effect(config, config) == config


def test_the_order_of_sessions_does_not_matter() -> None:
    spec = {"connector": "simulator"}
    one, other = build({}, {"a": spec, "b": spec}), build({}, {"b": spec, "a": spec})
    assert difference(one, other).nothing


def test_fields_and_paths_are_named() -> None:
    one = build({"http.tokens": [TOKEN]}, {"a": {"connector": "simulator"}, "b": {"connector": "baileys"}})
    other = build(
        {"http.tokens": [{**TOKEN, "token": "fedcba9876543210"}], "state_dir": "/srv/w", "http.tls": TLS},
        {"a": {"connector": "simulator", "enabled": False, "labels": {"team": "b"}}, "c": {"connector": "baileys"}},
    )
    assert difference(one, other) == Difference(
        added=("c",),
        removed=("b",),
        changed={"a": ("labels", "enabled")},
        unchanged=0,
        settings=("http.tokens",),
        restart_needed=("state_dir", "http.tls"),
    )
    assert "fedcba" not in repr(difference(one, other))


def test_what_is_not_named_needs_a_restart() -> None:
    assert not is_live("something.new")
    assert not is_live("log.level_of_detail")
    assert is_live("http.tls.key")
    assert not is_live("http.tls")
