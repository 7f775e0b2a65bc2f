"""The table of causes, held against what was measured, and the page generated from it."""

import pickle
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actors.session.causes import BAN_REASONS, Cause, Disposition, State, cause_named, classify, explain

AT_ONCE, BACK_OFF, FEW, WAIT, HALT, BLOCK, IDLE, NONE = (
    Disposition.AT_ONCE,
    Disposition.BACK_OFF,
    Disposition.FEW_TRIES,
    Disposition.WAIT_UNTIL,
    Disposition.HALT,
    Disposition.BLOCK,
    Disposition.IDLE,
    Disposition.NONE,
)

MEASURED = [
    (515, "stream_error", {}, Cause.RESTART_REQUIRED, AT_ONCE),
    (401, "stream_error", {"conflict": "device_removed"}, Cause.DEVICE_REMOVED, HALT),
    (440, "stream_error", {"conflict": "device_removed"}, Cause.DEVICE_REMOVED, HALT),
    (440, "stream_error", {"type": "device_removed"}, Cause.DEVICE_REMOVED, HALT),
    (440, "stream_error", {"conflict": "replaced"}, Cause.CONNECTION_REPLACED, HALT),
    (440, "stream_error", {}, Cause.CONNECTION_REPLACED, HALT),
    (401, "login_failure", {}, Cause.LOGGED_OUT, HALT),
    (402, "login_failure", {"code": "101", "expire": "86400"}, Cause.TEMPORARY_BAN, WAIT),
    (403, "login_failure", {}, Cause.LOCKED, BLOCK),
    (405, "login_failure", {}, Cause.CLIENT_OUTDATED, HALT),
    (406, "login_failure", {}, Cause.BANNED, BLOCK),
    (409, "login_failure", {}, Cause.BAD_USER_AGENT, FEW),
    (413, "login_failure", {}, Cause.TOKEN_EXPIRED, FEW),
    (414, "login_failure", {}, Cause.TOKEN_INVALID, FEW),
    (415, "login_failure", {}, Cause.NOT_FOUND, FEW),
    (418, "login_failure", {}, Cause.CLIENT_UNKNOWN, FEW),
    (499, "login_failure", {}, Cause.UNKNOWN_REFUSAL, FEW),
    (599, "login_failure", {}, Cause.UNKNOWN, BACK_OFF),
    (411, "login_failure", {}, Cause.MULTIDEVICE_MISMATCH, HALT),
    (411, "stream_error", {}, Cause.MULTIDEVICE_MISMATCH, HALT),
    (400, "login_failure", {}, Cause.GENERIC_FAILURE, BACK_OFF),
    (500, "login_failure", {}, Cause.BAD_SESSION, BACK_OFF),
    (500, "stream_error", {}, Cause.BAD_SESSION, BACK_OFF),
    (501, "login_failure", {}, Cause.EXPERIMENTAL, BACK_OFF),
    (503, "login_failure", {}, Cause.SERVICE_UNAVAILABLE, BACK_OFF),
    (503, "stream_error", {}, Cause.SERVICE_UNAVAILABLE, BACK_OFF),
    (428, "network", {}, Cause.CONNECTION_CLOSED, BACK_OFF),
    (428, "network", {"errno": "ECONNRESET"}, Cause.CONNECTION_CLOSED, BACK_OFF),
    (408, "network", {"errno": "ECONNREFUSED"}, Cause.NETWORK_UNREACHABLE, BACK_OFF),
    (408, "network", {"code": "ECONNRESET"}, Cause.NETWORK_UNREACHABLE, BACK_OFF),
    (0, "network", {"errno": "ENOTFOUND"}, Cause.NETWORK_UNREACHABLE, BACK_OFF),
    (0, "network", {}, Cause.CONNECTION_LOST, BACK_OFF),
    (408, "network", {}, Cause.CONNECTION_LOST, BACK_OFF),
    (408, "open_deadline", {}, Cause.OPEN_DEADLINE, BACK_OFF),
    (0, "http_403", {}, Cause.HTTP_FORBIDDEN, BACK_OFF),
    (403, "http_403", {}, Cause.HTTP_FORBIDDEN, BACK_OFF),
    (0, "http_429", {}, Cause.HTTP_RATE_LIMITED, BACK_OFF),
    (0, "http_503", {}, Cause.HTTP_UNAVAILABLE, BACK_OFF),
    (0, "http_302", {}, Cause.HTTP_REFUSED, BACK_OFF),
    (0, "http_", {}, Cause.HTTP_REFUSED, BACK_OFF),
    (0, "bad_frame", {}, Cause.BAD_FRAME, BACK_OFF),
    (0, "error", {}, Cause.PROTOCOL_ERROR, BACK_OFF),
    (401, "intentional_logout", {}, Cause.INTENTIONAL_LOGOUT, IDLE),
    (408, "heartbeat", {}, Cause.HEARTBEAT_LOST, BACK_OFF),
    (0, "vault_unavailable", {}, Cause.VAULT_UNAVAILABLE, BACK_OFF),
    (0, "auth_too_large", {"vault": "limit"}, Cause.AUTH_TOO_LARGE, BACK_OFF),
    (0, "fenced", {}, Cause.FENCED, NONE),
    (0, "closed_by_us", {}, Cause.CLOSED_BY_US, BACK_OFF),
    (408, "pairing_expired", {}, Cause.PAIRING_EXPIRED, IDLE),
    (0, "", {}, Cause.UNKNOWN, BACK_OFF),
]
"""What Baileys 7.0.0-rc14 was seen to emit for each injected fault, and what the connector adds."""


@pytest.mark.parametrize(("code", "reason", "data", "cause", "disposition"), MEASURED)
def test_each_measured_ending_has_its_cause_and_its_action(
    code: int, reason: str, data: Mapping[str, str], cause: Cause, disposition: Disposition
) -> None:
    assert classify(code, reason, data) is cause
    assert cause.disposition is disposition


REASONS = [row[1] for row in MEASURED]
values = st.none() | st.integers() | st.text(max_size=8) | st.sampled_from(["device_removed", "replaced", "EIO"])
data = st.dictionaries(st.sampled_from(["conflict", "type", "errno", "code", "expire"]) | st.text(), values)


@given(code=st.integers(), reason=st.sampled_from(REASONS) | st.text(), data=data)
def test_whatever_arrives_has_a_cause(code: int, reason: str, data: dict[str, Any]) -> None:
    cause = classify(code, reason, data)
    assert isinstance(cause, Cause)
    assert explain(cause, data)


@given(code=st.integers(), data=data)
def test_what_a_proxy_says_never_condemns_an_account(code: int, data: dict[str, Any]) -> None:
    assert not classify(code, "http_403", data).is_blocked


def test_codes_and_names_are_unique() -> None:
    codes = [code for cause in Cause for code in cause.codes]
    assert len(codes) == len(set(codes))
    assert all(cause_named(cause.value) is cause for cause in Cause)
    assert cause_named("nonsense") is None


def test_every_row_is_complete() -> None:
    for cause in Cause:
        assert cause.sentence.endswith(".")
        assert cause.remedy.endswith(".")
        assert cause.disposition.state in State


def test_only_what_whatsapp_blocks_is_blocked() -> None:
    assert {c for c in Cause if c.is_blocked} == {Cause.TEMPORARY_BAN, Cause.LOCKED, Cause.BANNED}
    assert all(c.state is State.BLOCKED for c in Cause if c.is_blocked)


def test_only_halted_causes_need_pairing() -> None:
    needing = {c for c in Cause if c.needs_pairing}
    assert needing == {Cause.LOGGED_OUT, Cause.DEVICE_REMOVED, Cause.MULTIDEVICE_MISMATCH}
    assert all(c.state is State.HALTED for c in needing)


def test_a_cause_travels_as_its_name() -> None:
    assert pickle.loads(pickle.dumps(Cause.LOCKED)) is Cause.LOCKED  # noqa: S301  what we pickled ourselves
    assert f"{Cause.LOCKED}" == "locked"


@pytest.mark.parametrize(("code", "text"), BAN_REASONS.items())
def test_a_ban_says_why(code: str, text: str) -> None:
    assert text in explain(Cause.TEMPORARY_BAN, {"code": code})


def test_a_ban_without_a_known_reason_is_still_explained() -> None:
    assert explain(Cause.TEMPORARY_BAN, {"code": "199"}) == Cause.TEMPORARY_BAN.sentence
