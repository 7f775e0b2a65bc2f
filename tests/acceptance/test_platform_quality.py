"""How a platform rates numbers, in a whole daemon: from the connector to the score, the API and the metrics."""

from pathlib import Path
from typing import Any

import pytest

from actors.connectors.protocol import PROTOCOL
from actors.runtime.rpc import Link
from tests.fixtures_daemon import Daemon, running_daemon, until

pytestmark = [pytest.mark.acceptance, pytest.mark.timeout(180)]

CONFIG: dict[str, Any] = {
    "sessions": [
        {"id": "rated", "connector": "simulator", "simulator": {"quality": "medium"}},
        {"id": "unrated", "connector": "simulator"},
    ],
    "connectors": {
        "simulator": {
            "connects_per_second": 50,
            "heartbeat": "1s",
            "heartbeat_timeout": "1s",
            "profile": {"paired": True},
        }
    },
    "supervision": {"heartbeat": "200ms", "heartbeat_timeout": "4s", "tick": "100ms"},
}


async def until_points(daemon: Daemon, points: float) -> dict[str, Any]:
    """The status of the rated session as soon as its rating has so many points and it has lost no others."""
    last: dict[str, Any] = {}

    async def there() -> bool:
        last.clear()
        last.update(await daemon.status("rated"))
        part = last["statusMetadata"]["components"].get("platform", {})
        return bool(part.get("points") == points and last["healthScore"] == 80 + points)

    await until(f"the rating has {points} points", there)
    return last


def series(text: str) -> list[str]:
    """The lines of the metric."""
    return [line for line in text.splitlines() if line.startswith("wavigil_session_platform_quality{")]


async def test_a_rating_counts_where_there_is_one_and_nowhere_else(short_tmp: Path) -> None:
    async with running_daemon(short_tmp, CONFIG) as daemon:
        found = await until_points(daemon, 10)
        assert found["statusMetadata"]["platformQuality"]["rating"] == "medium"
        parts = found["statusMetadata"]["components"]
        assert (parts["connection"]["max"], parts["platform"]["max"]) == (32, 20)
        assert parts["platform"]["why"] == "the platform rates the number medium"

        async def whole() -> bool:
            return bool((await daemon.status("unrated"))["healthScore"] == 100)

        await until("the other session has all points", whole)
        other = (await daemon.status("unrated"))["statusMetadata"]
        assert other["platformQuality"] is None
        assert list(other["components"]) == ["connection", "latency", "acknowledgements", "errors", "stability"]
        _, metrics = await daemon.call("GET", "/metrics")
        assert series(metrics) == ['wavigil_session_platform_quality{session="rated"} 0.5']

        # a fresh actor for the session finds it in the connector's state: the connection stays, nothing is told anew
        at = found["statusMetadata"]["platformQuality"]["at"]
        marks = await daemon.marks("rated")
        await daemon.kill("rated")

        async def another() -> bool:
            now = await daemon.marks("rated")
            return bool(now["rated"][2] > marks["rated"][2])

        await until("another actor took over", another)
        assert (await until_points(daemon, 10))["statusMetadata"]["platformQuality"]["at"] == at

        drill = await Link.connect(str(daemon.state_dir / "shard-0.connector.sock"), on_event=lambda *_: None)
        await drill.request("hello", protocol=PROTOCOL, role="drill")
        await drill.request("fault", session="rated", fault="quality", rating="low")
        assert (await until_points(daemon, 0))["healthScore"] == 80
        await drill.request("fault", session="rated", fault="quality", rating="unknown")

        async def not_rated() -> bool:
            now = await daemon.status("rated")
            unknown = now["statusMetadata"]["platformQuality"]["rating"] == "unknown"
            return bool(unknown and "platform" not in now["statusMetadata"]["components"] and now["healthScore"] == 100)

        await until("it counts no more", not_rated)
        _, metrics = await daemon.call("GET", "/metrics")
        assert series(metrics) == []
        await drill.close()
