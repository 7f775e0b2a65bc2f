"""What main and the gateway say to each other survives the way there."""

import math

from hypothesis import given
from hypothesis import strategies as st

from actors.gateway.protocol import plan_from_wire, plan_to_wire
from actors.messages.plans import FleetPlan, ProxyPlan, SessionPlan
from actors.runtime import frames
from actors.settings import Settings, settings_from
from config.loader import check_text
from config.secrets import Secret

SETTINGS = st.fixed_dictionaries(
    {
        "supervision": st.sampled_from(["{}", "{park_retry: 1m}"]),
        "health": st.sampled_from(["{}", "{stale_after: 20s, weights: {connection: 30, latency: 25}}"]),
        "recovery": st.sampled_from(["{}", "{backoff: {min: 2s}}"]),
        "connectors": st.sampled_from(["{}", "{baileys: {client_version: [2, 3000, 1]}, simulator: {seed: 7}}"]),
        "log": st.sampled_from(["{}", "{level: debug}"]),
        "vault": st.sampled_from(["{}", "{master_key: 0123456789abcdef0123456789abcdef}"]),
    }
)


def build(sections: dict[str, str]) -> Settings:
    text = "".join(f"{name}: {section}\n" for name, section in sections.items())
    return settings_from(check_text(text, None, {"HOME": "/h"}).config, "/usr/bin/node")


@given(SETTINGS, SETTINGS)
def test_a_plan_with_its_tuning(running: dict[str, str], wanted: dict[str, str]) -> None:
    before, after = build(running), build(wanted)
    sessions = (
        SessionPlan("a", "simulator", True, {"latency_ms": 1.5}, math.inf),
        SessionPlan("b", "simulator", False, paused_until=1.5e9, importance=-3),
        SessionPlan("c", "simulator", True),
        SessionPlan("d", "baileys", True, proxy=ProxyPlan("berlin", Secret("http://u:p@h"), "berlin.1", 1.5)),
        SessionPlan("e", "baileys", True, proxy=ProxyPlan("gone")),
    )
    plan = FleetPlan(3, {0: sessions}, after.tuning)
    frame = {"id": 1, "cmd": "plan", **plan_to_wire(plan)}
    decoded = frames.decode(frames.encode(frame)[4:])
    assert plan_from_wire(decoded) == plan
    tuned = before.tuned(plan.tuning)
    assert tuned.tuning == after.tuning
    assert (tuned.vault_keys, tuned.state_dir) == (before.vault_keys, before.state_dir)
    key = after.vault_keys.master
    assert key is None or key not in frames.encode(frame)
