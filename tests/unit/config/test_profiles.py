"""What the simulator is told about a session is what the file says, and what the simulator takes."""

from pathlib import Path
from typing import Any, get_args

import pytest

from actors.connectors.simulator.profile import Profile
from actors.session.causes import Cause, classify
from config.loader import check, check_text
from config.profiles import simulator_profile
from config.schema import Config, SessionSpec
from config.schema_simulator import LastingFault, PlainFault

DEMO = Path(__file__).parents[3] / "config" / "demo.yaml"


def told(config: Config, spec: SessionSpec) -> dict[str, Any]:
    return simulator_profile(config.connectors.simulator, spec.id, spec.simulator)


def profile(simulator: str, connector: str = "") -> dict[str, Any]:
    text = f"""
connectors: {{simulator: {{{connector}}}}}
sessions: [{{id: a, connector: simulator, simulator: {simulator}}}]
"""
    config = check_text(text, None, {"HOME": "/h"}).config
    return told(config, config.sessions[0])


def test_without_one_the_fleets_profile_holds() -> None:
    assert profile("null") == {"latency_ms": 40.0, "jitter_ms": 10.0, "paired": True, "script": []}
    fleet = profile("null", "profile: {latency: 100ms, jitter: 0s, paired: false}")
    assert fleet == {"latency_ms": 100.0, "jitter_ms": 0.0, "paired": False, "script": []}


def test_its_own_values_win() -> None:
    own = profile("{latency: 1s, phone: '15550100001', paired: false}", "profile: {latency: 2s, jitter: 3ms}")
    assert own == {"latency_ms": 1000.0, "jitter_ms": 3.0, "paired": False, "phone": "15550100001", "script": []}


def test_a_rating_is_told_where_there_is_one() -> None:
    assert "quality" not in profile("{latency: 1s}")
    assert profile("null", "profile: {quality: high}")["quality"] == "high"
    own = profile("{quality: low}", "profile: {quality: high}")
    assert Profile.read(own).quality == own["quality"] == "low"


def test_faults_in_the_terms_of_the_protocol() -> None:
    script = """{script: [
        {after: 1s, fault: drop, repeat: 90s}, {after: 2s, fault: network, for: 5s}, {after: 3s, fault: deaf},
        {after: 4s, fault: slow, latency: 1s, for: 6s}, {after: 5s, fault: slow, latency: 1ms, for: 6s},
        {after: 6s, fault: nack, code: 463, for: 7s}, {after: 7s, fault: temporary_ban, expire: 1500ms},
        {after: 8s, fault: temporary_ban, expire: 1m, code: "104"},
        {after: 8s, fault: quality, rating: low},
        {after: 9s, fault: close, code: 413, for: 2s}, {after: 10s, fault: close, code: 0, reason: bad_frame}]}"""
    assert profile(script)["script"] == [
        {"after_s": 1.0, "fault": "drop", "repeat_s": 90.0},
        {"after_s": 2.0, "fault": "network", "for_s": 5.0},
        {"after_s": 3.0, "fault": "deaf"},
        {"after_s": 4.0, "fault": "slow", "for_s": 6.0, "added_ms": 960.0},
        {"after_s": 5.0, "fault": "slow", "for_s": 6.0, "added_ms": 0.0},
        {"after_s": 6.0, "fault": "nack", "for_s": 7.0, "error": 463},
        {"after_s": 7.0, "fault": "temporary_ban", "expire_s": 2, "ban_code": "101"},
        {"after_s": 8.0, "fault": "temporary_ban", "expire_s": 60, "ban_code": "104"},
        {"after_s": 8.0, "fault": "quality", "rating": "low"},
        {"after_s": 9.0, "fault": "close", "for_s": 2.0, "code": 413, "reason": "login_failure"},
        {"after_s": 10.0, "fault": "close", "code": 0, "reason": "bad_frame"},
    ]


def test_a_drop_rate_becomes_drops_at_moments_of_the_sessions_own() -> None:
    text = "connectors: {simulator: {profile: {drop_rate_per_hour: 12}}}\nsessions:\n"
    text += "\n".join(f"  - {{id: s-{n}, connector: simulator}}" for n in range(50))
    config = check_text(text, None, {"HOME": "/h"}).config
    drops = [told(config, spec)["script"] for spec in config.sessions]
    assert all(len(script) == 1 and script[0]["repeat_s"] == 300.0 for script in drops)
    moments = [script[0]["after_s"] for script in drops]
    assert all(0 <= moment <= 300 for moment in moments)
    assert len({int(moment / 30) for moment in moments}) >= 8
    assert profile("{drop_rate_per_hour: 12}") == profile("{drop_rate_per_hour: 12}")
    assert profile("{drop_rate_per_hour: 12}", "seed: 2") != profile("{drop_rate_per_hour: 12}")


@pytest.mark.parametrize(
    "fault",
    [
        *get_args(PlainFault.model_fields["fault"].annotation),
        *get_args(LastingFault.model_fields["fault"].annotation),
        "slow, latency: 1s, for: 1s",
        "nack, code: 463, for: 1s",
        "temporary_ban, expire: 1m",
        "close, code: 413",
        "quality, rating: unknown",
    ],
)
def test_the_simulator_takes_every_fault_of_the_schema(fault: str) -> None:
    wire = profile(f"{{script: [{{after: 1s, repeat: 10s, fault: {fault}}}]}}")
    assert len(Profile.read(wire).script) == 1


def test_the_simulator_takes_the_demonstration() -> None:
    config = check(DEMO, {"HOME": "/h"}).config
    for spec in config.sessions:
        profile = told(config, spec)
        assert len(Profile.read(profile).script) == len(profile["script"])


OURS = {
    *(Cause.VAULT_UNAVAILABLE, Cause.CONNECTOR_LOST, Cause.CONNECTOR_RECYCLED, Cause.CONNECTOR_FAULTY, Cause.FENCED),
    *(Cause.CRASH_LOOP, Cause.OPERATOR_STOP, Cause.OPERATOR_RECONNECT, Cause.CLOSED_BY_US, Cause.INTENTIONAL_LOGOUT),
    *(Cause.PAIRING_EXPIRED, Cause.DEAF, Cause.OUTBOUND_STUCK),
    *(Cause.PROXY_FAILED, Cause.PROXY_UNUSABLE, Cause.AUTH_TOO_LARGE),
}
"""What no server says; they come about by killing, filling, stopping, waiting and concluding."""


def test_a_script_can_bring_about_every_cause_that_a_server_can() -> None:
    texts = [f"close, code: {code}" for code in [*range(400, 420), 440, 500, 501, 503, 515, 599, 428, 408, 402, 0]]
    texts += [f"close, code: 428, reason: {reason}" for reason in ("network", "stream_error")]
    named = ("bad_frame", "heartbeat", "open_deadline", "backlog", "error", "http_403", "http_502", "http_418")
    texts += [f"close, code: 0, reason: {reason}" for reason in named]
    texts += ["network", "rate_limited_http", "logged_out", "temporary_ban, expire: 1m"]
    reached = set()
    for text in texts:
        (step,) = Profile.read(profile(f"{{script: [{{after: 1s, fault: {text}}}]}}")).script
        ends = [step.fault.cut, step.fault.refusal.close if step.fault.refusal else None]
        reached |= {classify(end.code, end.reason, end.data) for end in ends if end is not None}
    assert set(Cause) - reached - OURS == set()
