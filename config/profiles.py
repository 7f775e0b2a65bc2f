"""What a simulator process is told about a session, in the terms of its protocol. Pure."""

import math
import zlib
from typing import Any

from config.schema_connectors import Simulator
from config.schema_simulator import Close, Fault, LastingFault, Nack, Rated, SessionProfile, Slow, TemporaryBan

SECONDS_PER_HOUR = 3600.0


def simulator_profile(simulator: Simulator, session_id: str, own: SessionProfile | None) -> dict[str, Any]:
    """The `profile` of the simulator's `hello` (docs/connector-protocol.md) for one session.

    `own` is the session's `simulator` section, None where it has none; its values win over those of
    `connectors.simulator.profile`. Only JSON types: `latency_ms`, `jitter_ms`, `paired`, `script` (steps with
    `after_s`, `fault` and what the fault takes) and, where they are given, `phone` and `quality`.
    """
    merged = simulator.profile.model_dump()
    if own is not None:
        merged |= own.model_dump(exclude={"script"}, exclude_none=True)
    script = [_step(fault, merged["latency"]) for fault in (own.script if own is not None else ())]
    if merged["drop_rate_per_hour"] > 0:
        script.append(_drops(merged["drop_rate_per_hour"], f"{simulator.seed}:{session_id}"))
    profile = {
        "latency_ms": _milliseconds(merged["latency"]),
        "jitter_ms": _milliseconds(merged["jitter"]),
        "paired": merged["paired"],
        "script": script,
    }
    if "phone" in merged:
        profile["phone"] = merged["phone"]
    if merged["quality"] is not None:
        profile["quality"] = merged["quality"]
    return profile


def _step(fault: Fault, usual_latency: float) -> dict[str, Any]:
    step: dict[str, Any] = {"after_s": fault.after, "fault": fault.fault}
    if fault.repeat is not None:
        step["repeat_s"] = fault.repeat
    if isinstance(fault, (LastingFault, Slow, Nack, Close)) and fault.lasting is not None:
        step["for_s"] = fault.lasting
    if isinstance(fault, Slow):
        # The file gives the round-trip time meanwhile, the protocol what is added to the usual one.
        step["added_ms"] = _milliseconds(max(0.0, fault.latency - usual_latency))
    if isinstance(fault, Nack):
        step["error"] = fault.code
    if isinstance(fault, TemporaryBan):
        step |= {"expire_s": math.ceil(fault.expire), "ban_code": fault.code}
    if isinstance(fault, Close):
        step |= {"code": fault.code, "reason": fault.reason}
    if isinstance(fault, Rated):
        step["rating"] = fault.rating
    return step


def _drops(per_hour: float, name: str) -> dict[str, Any]:
    """Drops at a steady rate; the name decides when the first one is, so that a fleet is not in step."""
    period = SECONDS_PER_HOUR / per_hour
    share = zlib.crc32(name.encode()) / 2**32
    return {"after_s": round(period * share, 3), "fault": "drop", "repeat_s": round(period, 3)}


def _milliseconds(seconds: float) -> float:
    return round(seconds * 1000, 3)
