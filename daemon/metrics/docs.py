"""The page of metrics in the documentation, from the table.  `python -m daemon.metrics.docs` writes it."""

from pathlib import Path

from daemon.metrics.table import METRICS
from daemon.metrics.table.recovery import ACTION_OUTCOMES, EPISODE_OUTCOMES, ESCALATION_REASONS
from daemon.metrics.table.sessions import (
    CANARY_OUTCOMES,
    MESSAGE_RESULTS,
    QUANTILES,
    SEND_OUTCOMES,
    SESSION_LIVENESS,
    SESSION_STATUSES,
)

PAGE = Path(__file__).parents[2] / "docs" / "metrics.md"

HEAD = """\
# Metrics

`GET /metrics` answers in the Prometheus text format 0.0.4, compressed if the client accepts gzip; no token is needed.
It touches no database: 1,000 sessions take some milliseconds.

```yaml
scrape_configs:
  - job_name: wavigil
    scrape_interval: 15s
    static_configs: [{targets: ["127.0.0.1:9470"]}]
```

Session ids are labels; phone numbers, JIDs and the labels of sessions never are.

This page is generated from `daemon/metrics/table/` by `python -m daemon.metrics.docs`.

| metric | type | labels | series | meaning |
|---|---|---|---|---|
"""


def page() -> str:
    """The whole page.  Pure."""
    rows = "".join(
        f"| `{m.name}` | {m.kind} | {', '.join(f'`{label}`' for label in m.labels) or 'none'} | {m.when} | {m.help} |\n"
        for m in METRICS
    )
    return f"{HEAD}{rows}\n## Values of labels\n\n{_values()}"


def _values() -> str:
    quantiles = (quantile for _, quantile in QUANTILES)
    closed = {
        "status": SESSION_STATUSES,
        "liveness": SESSION_LIVENESS,
        "result": MESSAGE_RESULTS,
        "outcome": SEND_OUTCOMES,
        "quantile": quantiles,
    }
    lines = [f"- `{label}`: {', '.join(f'`{value}`' for value in values)}" for label, values in closed.items()]
    lines[3] += f"; of canaries {', '.join(f'`{value}`' for value in CANARY_OUTCOMES)}"
    lines[0] += "; of `wavigil_api_requests_total` the HTTP status"
    lines += [
        "- `cause`: [a name](causes.md)",
        "- `strategy`: reconnect, restart, failover, slow_lane, wait_until, pair_again, stop, none",
        f"- `outcome` of an episode: {', '.join(EPISODE_OUTCOMES)}; of an action: {', '.join(ACTION_OUTCOMES)}",
        f"- `reason`: {', '.join(f'`{reason}`' for reason in ESCALATION_REASONS)}",
        "- `route`: a template such as `/api/sessions/{sessionId}`, or `unmatched`",
        "- `level`: `raw`, `minute`, `hour`, `day`",
        "- `kind`, `state`: of a node of the supervision tree, as in `GET /api/supervision`",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
