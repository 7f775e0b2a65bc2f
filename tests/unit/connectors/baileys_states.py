"""Auth states as Baileys has them, made from few numbers, and what happens to them in the course of their life."""

import base64
import json
import random
from typing import Any

from hypothesis import strategies as st

State = dict[str, Any]
"""Entries by the vault's keys, as values and not yet as text."""


def buffer(content: bytes) -> dict[str, str]:
    """As BufferJSON writes bytes."""
    return {"type": "Buffer", "data": base64.b64encode(content).decode()}


def pair(seed: int) -> dict[str, Any]:
    """A key pair."""
    return {"private": buffer(bytes([seed]) * 32), "public": buffer(bytes([seed + 1]) * 32)}


def paired(seed: int = 1) -> State:
    """A device just after its first login."""
    creds = {
        "noiseKey": pair(seed),
        "signedIdentityKey": pair(seed + 2),
        "signedPreKey": {"keyPair": pair(seed + 4), "signature": buffer(b"s" * 64), "keyId": 1},
        "registrationId": seed,
        "account": {"details": "CAE="},
        "me": {"id": "15550100189:1@s.whatsapp.net"},
        "nextPreKeyId": 9,
        "firstUnuploadedPreKeyId": 9,
        "accountSyncCounter": 0,
    }
    return {"creds": creds} | {f"pre-key/{number}": pair(number) for number in range(1, 9)}


def app_state(size: int) -> dict[str, Any]:
    """A collection of the app state of so many contacts, chats or stars: two codes for each, which hardly compress."""
    rng = random.Random(size)
    codes = [base64.b64encode(rng.randbytes(32)).decode() for _ in range(2 * size)]
    values = ({"valueMac": {"type": "Buffer", "data": code}} for code in codes[size:])
    indexed = dict(zip(codes, values, strict=False))
    return {"version": size, "hash": buffer(rng.randbytes(128)), "indexValueMap": indexed}


def entries(state: State) -> dict[str, bytes]:
    """As the vault has them."""
    return {key: json.dumps(value).encode() for key, value in state.items()}


def _record(used: int, counter: int) -> dict[str, Any]:
    chains = {"our-chain": {"chainKey": {"counter": counter}, "chainType": 1}}
    return {"_sessions": {"base": {"indexInfo": {"used": used}, "_chains": chains}}, "version": "v1"}


def _written(state: State, contact: int) -> State:
    key = f"session/1555{contact}.0"
    session = state.get(key, _record(0, -1))["_sessions"]["base"]
    counter = session["_chains"]["our-chain"]["chainKey"]["counter"]
    return state | {key: _record(session["indexInfo"]["used"], counter + 1)}


def _read(state: State, contact: int) -> State:
    key = f"session/1555{contact}.0"
    used = state.get(key, _record(0, -1))["_sessions"]["base"]["indexInfo"]["used"]
    return state | {key: _record(used + 1000, -1)}  # a new ratchet, with a new sending chain


def _pre_key_used(state: State, which: int) -> State:
    keys = sorted(key for key in state if key.startswith("pre-key/"))
    return {key: value for key, value in state.items() if not keys or key != keys[which % len(keys)]}


def _pre_keys_made(state: State, number: int) -> State:
    first = state["creds"]["nextPreKeyId"]
    made = {f"pre-key/{first + index}": pair(index) for index in range(number + 1)}
    creds = state["creds"] | dict.fromkeys(("nextPreKeyId", "firstUnuploadedPreKeyId"), first + number + 1)
    return state | made | {"creds": creds}


def _to_group(state: State, group: int) -> State:
    key = f"sender-key/{group}@g.us::1555::0"
    before = json.loads(base64.b64decode(state[key]["data"])) if key in state else []
    iteration = before[0]["senderChainKey"]["iteration"] + 1 if before else 0
    text = json.dumps([{"senderKeyId": 7, "senderChainKey": {"iteration": iteration}}])
    return state | {key: buffer(text.encode())}


def _synced(state: State, kind: int) -> State:
    key = f"app-state-sync-version/kind_{kind}"
    return state | {key: {"version": state.get(key, {"version": 0})["version"] + 1}}


_STEPS = (_written, _read, _pre_key_used, _pre_keys_made, _to_group, _synced)


def life(steps: list[tuple[int, int]]) -> list[State]:
    """Every state of a device, oldest first; a step is what happens, and to which contact, key or group."""
    states = [paired()]
    for kind, which in steps:
        states.append(_STEPS[kind](states[-1], which))
    return states


lives = st.lists(st.tuples(st.integers(0, len(_STEPS) - 1), st.integers(0, 2)), max_size=12).map(life)
