from pathlib import Path
from typing import Any

import pytest

from actors.connectors.fields import BadField, Fields
from actors.connectors.simulator.faults import FAULT_NAMES, Close, Mode, read_fault
from actors.session.causes import Cause, classify


def read(**values: Any) -> Any:
    return read_fault(Fields(values))


CUTS = {
    "drop": (428, "network", Cause.CONNECTION_CLOSED),
    "restart_required": (515, "stream_error", Cause.RESTART_REQUIRED),
    "replaced": (440, "stream_error", Cause.CONNECTION_REPLACED),
    "unavailable": (503, "stream_error", None),
    "bad_session": (500, "stream_error", None),
    "network": (428, "network", Cause.CONNECTION_CLOSED),
    "rate_limited_http": (428, "network", Cause.CONNECTION_CLOSED),
    "logged_out": (401, "stream_error", Cause.DEVICE_REMOVED),
    "forbidden": (403, "login_failure", Cause.LOCKED),
    "client_outdated": (405, "login_failure", Cause.CLIENT_OUTDATED),
    "banned": (406, "login_failure", Cause.BANNED),
    "temporary_ban": (402, "login_failure", Cause.TEMPORARY_BAN),
}


@pytest.mark.parametrize("name", CUTS)
def test_cut_is_what_the_real_client_reports(name: str) -> None:
    code, reason, cause = CUTS[name]
    cut = read(fault=name).cut
    assert (cut.code, cut.reason) == (code, reason)
    if cause is not None:
        assert classify(cut.code, cut.reason, cut.data) is cause


REFUSALS = {
    "network": (408, "network", 30.0, Cause.NETWORK_UNREACHABLE),
    "rate_limited_http": (429, "http_429", 60.0, Cause.HTTP_RATE_LIMITED),
    "logged_out": (401, "login_failure", None, Cause.LOGGED_OUT),
    "forbidden": (403, "login_failure", None, Cause.LOCKED),
    "client_outdated": (405, "login_failure", None, Cause.CLIENT_OUTDATED),
    "banned": (406, "login_failure", None, Cause.BANNED),
    "temporary_ban": (402, "login_failure", 86400.0, Cause.TEMPORARY_BAN),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_logins_meet_the_same(name: str) -> None:
    code, reason, seconds, cause = REFUSALS[name]
    refusal = read(fault=name).refusal
    assert (refusal.close.code, refusal.close.reason, refusal.seconds) == (code, reason, seconds)
    assert classify(code, reason, refusal.close.data) is cause


@pytest.mark.parametrize("name", ["drop", "restart_required", "replaced", "unavailable", "bad_session"])
def test_what_is_over_at_once_refuses_no_login(name: str) -> None:
    assert read(fault=name).refusal is None


def test_lasting_is_a_parameter() -> None:
    assert read(fault="unavailable", for_s=5).refusal.seconds == 5
    assert read(fault="banned", for_s=0).refusal is None
    assert read(fault="network", for_s=None).refusal.seconds is None
    assert read(fault="deaf", for_s=5).seconds == 5


def test_modes() -> None:
    assert {read(fault=mode.value).mode for mode in Mode} == set(Mode)
    assert read(fault="nack").value == 463
    assert read(fault="nack", error=479).value == 479
    assert read(fault="slow", added_ms=300).value == 300


def test_close_says_anything() -> None:
    fault = read(fault="close", code=411, reason="login_failure", message="m", data={"a": "b"}, for_s=None)
    assert fault.cut == Close(411, "login_failure", "m", {"a": "b"})
    assert fault.refusal.close == fault.cut


@pytest.mark.parametrize(
    ("values", "key"),
    [
        ({"fault": "flood"}, "fault"),
        ({}, "fault"),
        ({"fault": "drop", "for_s": 1}, "for_s"),
        ({"fault": "deaf", "for_s": -1}, "for_s"),
        ({"fault": "deaf", "for_s": float("nan")}, "for_s"),
        ({"fault": "nack", "error": "463"}, "error"),
        ({"fault": "close", "reason": "error"}, "code"),
        ({"fault": "close", "code": 1, "reason": "error", "data": {"a": 1}}, "data.a"),
        ({"fault": "temporary_ban", "expire_s": 0}, "expire_s"),
        ({"fault": "undecryptable", "count": True}, "count"),
    ],
)
def test_bad_fault_names_the_key(values: dict[str, Any], key: str) -> None:
    with pytest.raises(BadField) as caught:
        read(**values)
    assert caught.value.path == key


def test_names_are_those_of_the_table() -> None:
    assert {*CUTS, *(mode.value for mode in Mode), "undecryptable", "quality", "close"} == set(FAULT_NAMES)


def test_every_fault_stands_in_the_docs() -> None:
    page = (Path(__file__).parents[4] / "docs" / "connector-simulator.md").read_text(encoding="utf-8")
    assert [name for name in FAULT_NAMES if f"`{name}`" not in page] == []
