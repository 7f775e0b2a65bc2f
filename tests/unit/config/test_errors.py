"""What is wrong with a file is named by path, line, column, what was found and what was expected."""

from dataclasses import dataclass
from pathlib import Path

import pytest

from config.loader import check_text
from config.problems import ConfigError, Problem


@dataclass(frozen=True)
class Case:
    """A wrong text and the one problem that it has."""

    text: str
    path: str
    place: tuple[int, int]
    found: str
    expected: str
    hint: str = ""


SIM = "sessions:\n  - id: a\n    connector: simulator\n    simulator:\n"
CASES = {
    "unknown key": Case("loging: {}", "loging", (1, 1), 'the unknown key "loging"', "one of state_dir", "mean log?"),
    "unknown nested key": Case(
        "http:\n  maxbody: 1KiB", "http.maxbody", (2, 3), 'the unknown key "maxbody"', "one of listen", "max_body?"
    ),
    "unknown key like nothing": Case("log: {zzz: 1}", "log.zzz", (1, 7), '"zzz"', "one of level, format"),
    "key twice": Case("log: {}\nhttp: {}\nlog: {}", "log", (3, 1), "the same key again as in line 1", "each key once"),
    "list for a mapping": Case("log: [1]", "log", (1, 6), "a list", "a mapping with the keys level, format"),
    "mapping for a list": Case("sessions: {a: b}", "sessions", (1, 11), "a mapping", "a list"),
    "text for the whole": Case("- 1", "", (1, 1), "a list", "a mapping with the keys state_dir"),
    "wrong choice": Case(
        "log:\n  level: warn", "log.level", (2, 10), '"warn"', "one of debug, info, warning, error", "mean warning?"
    ),
    "duration without unit": Case(
        "supervision: {tick: 1}", "supervision.tick", (1, 21), "the number 1", "from 10ms to 10s", "unit is missing"
    ),
    "duration of two units": Case(
        "supervision: {tick: 1s500ms}", "supervision.tick", (1, 21), '"1s500ms"', "a duration from 10ms to 10s"
    ),
    "duration out of bounds": Case("sends: {keep: 2000d}", "sends.keep", (1, 15), '"2000d"', "from 1m to 365d"),
    "size without unit": Case("http: {max_body: 65536}", "http.max_body", (1, 18), "the number 65536", "64KiB", "unit"),
    "text for a number": Case('http: {max_concurrent: "3"}', "http.max_concurrent", (1, 24), '"3"', "a whole number"),
    "number out of bounds": Case(
        "connectors: {baileys: {sessions_per_host: 51}}",
        "connectors.baileys.sessions_per_host",
        (1, 43),
        "the number 51",
        "a whole number from 1 to 50",
    ),
    "fraction for a whole number": Case(
        "health: {hysteresis: 1.5}", "health.hysteresis", (1, 22), "the number 1.5", "a whole number from 0 to 20"
    ),
    "not a number": Case(
        "http: {requests_per_second: .nan}", "http.requests_per_second", (1, 29), "the number nan", "a number over 0"
    ),
    "yes is text": Case("http: {insecure: yes}", "http.insecure", (1, 18), '"yes"', "true or false"),
    "null for a value": Case("log: {level: }", "log.level", (1, 13), "null", "one of debug"),
    "empty path": Case('state_dir: ""', "state_dir", (1, 12), '""', "a path"),
    "address without port": Case(
        "http: {listen: localhost}", "http.listen", (1, 16), '"localhost"', "127.0.0.1:9470", "ends with : and a port"
    ),
    "port too high": Case("http: {listen: '[::1]:70000'}", "http.listen", (1, 16), "70000", "[::1]:9470", "65535"),
    "IPv6 without brackets": Case('http: {listen: "::1:80"}', "http.listen", (1, 16), '"::1:80"', "[::1]", "between ["),
    "off loopback without TLS": Case(
        "http:\n  listen: 0.0.0.0:80", "http.listen", (2, 11), "not loopback, without TLS", "insecure: true"
    ),
    "half a TLS": Case("http: {tls: {key: /k}}", "http.tls.certificate", (1, 13), "nothing", "a path"),
    "TLS files absent": Case(
        "http: {tls: {key: /proc/version, certificate: /nonexistent/c}}",
        "http.tls.certificate",
        (1, 47),
        "can't be read: No such file",
        "a PEM file",
    ),
    "short token": Case(
        "http: {tokens: [{name: a, role: admin, token: short}]}",
        "http.tokens[0].token",
        (1, 47),
        "a secret of 5 characters",
        "at least 16 characters",
    ),
    "token of digits": Case(
        "http: {tokens: [{name: a, role: admin, token: 123456789012345678}]}",
        "http.tokens[0].token",
        (1, 47),
        "a number",
        "a secret",
        "in quotes",
    ),
    "secret elsewhere": Case(
        'vault: {master_key: "${NO_SUCH}"}',
        "vault.master_key",
        (1, 21),
        "leads nowhere",
        "${NAME}, file:/path or credential:name",
        "NO_SUCH is not set",
    ),
    "unknown role": Case(
        "http: {tokens: [{name: a, role: root, token: '0123456789abcdef'}]}",
        "http.tokens[0].role",
        (1, 33),
        "text",
        "one of viewer, operator, admin",
    ),
    "token names twice": Case(
        "http:\n  tokens:\n  - {name: a, role: admin, token: 0123456789abcdef}\n"
        "  - {name: a, role: admin, token: fedcba9876543210x}",
        "http.tokens",
        (3, 3),
        "2 tokens with the name a",
        "a different name for each",
    ),
    "secret twice": Case(
        "http:\n  tokens:\n  - {name: a, role: admin, token: 0123456789abcdef}\n"
        "  - {name: b, role: admin, token: 0123456789abcdef}",
        "http.tokens",
        (3, 3),
        "the same secret in the tokens a, b",
        "a different secret",
    ),
    "session without connector": Case(
        "sessions:\n  - id: a", "sessions[0].connector", (2, 5), "nothing", "one of baileys, simulator"
    ),
    "session without id": Case(
        "sessions:\n  - connector: baileys", "sessions[0].id", (2, 5), "nothing", "a session id such as support-1"
    ),
    "unknown connector": Case(
        "sessions:\n  - {id: a, connector: baily}",
        "sessions[0].connector",
        (2, 24),
        '"baily"',
        "one of baileys, simulator",
        "did you mean baileys?",
    ),
    "id in capitals": Case(
        "sessions: [{id: Support, connector: baileys}]", "sessions[0].id", (1, 17), '"Support"', "support-1", "a-z"
    ),
    "id of a route": Case(
        "sessions: [{id: bulk, connector: baileys}]", "sessions[0].id", (1, 17), '"bulk"', "support-1", "reserved"
    ),
    "id like a phone number": Case(
        'sessions: [{id: "49-170-1234567", connector: baileys}]',
        "sessions[0].id",
        (1, 17),
        '"<digits>"',
        "a session id",
        "must not look like a phone number",
    ),
    "id twice": Case(
        "sessions:\n  - {id: a, connector: baileys}\n  - {id: b, connector: baileys}\n  - {id: a, connector: baileys}",
        "sessions[2].id",
        (4, 10),
        'the session id "a" again, as in line 2',
        "a different id",
    ),
    "label name": Case(
        "sessions:\n  - {id: a, connector: baileys, labels: {a b: c}}",
        'sessions[0].labels["a b"]',
        (2, 42),
        'the key "a b"',
        "a label name such as team",
        "begins with a letter",
    ),
    "label number": Case(
        "sessions:\n  - {id: a, connector: baileys, labels: {floor: 3}}",
        "sessions[0].labels.floor",
        (2, 49),
        "the number 3",
        "text of 1 to 128",
        "put it in quotes",
    ),
    "profile on a real session": Case(
        "sessions:\n  - {id: a, connector: baileys, simulator: {latency: 1s}}",
        "sessions[0].simulator",
        (2, 44),
        "a simulator profile on a session with connector: baileys",
        "connector: simulator",
    ),
    "external session without a program": Case(
        "sessions:\n  - {id: a, connector: baileys}\n  - {id: b, connector: external}",
        "sessions",
        (2, 3),
        "session b with connector: external",
        "connectors.external.command: [PROGRAM, ...]",
    ),
    "external command as a text": Case(
        "connectors: {external: {command: node main.mjs}}",
        "connectors.external.command",
        (1, 34),
        '"node main.mjs"',
        "a list",
    ),
    "phone number as a number": Case(
        SIM + "      phone: 15550100001", "sessions[0].simulator.phone", (5, 14), "a number", "in quotes", "in quotes"
    ),
    "unknown fault": Case(
        SIM + "      script:\n        - {after: 1s, fault: drp}",
        "sessions[0].simulator.script[0].fault",
        (6, 30),
        '"drp"',
        "temporary_ban",
        "did you mean drop?",
    ),
    "step without fault": Case(
        SIM + "      script:\n        - {after: 1s}",
        "sessions[0].simulator.script[0].fault",
        (6, 11),
        "nothing",
        "one of",
    ),
    "step that is no mapping": Case(
        SIM + "      script: [drop]",
        "sessions[0].simulator.script[0]",
        (5, 16),
        '"drop"',
        "a mapping with fault: one of",
    ),
    "parameter of another fault": Case(
        SIM + "      script:\n        - {after: 1s, fault: drop, code: 463}",
        "sessions[0].simulator.script[0].code",
        (6, 36),
        'the unknown key "code"',
        "one of after, repeat, fault",
    ),
    "fault without its parameter": Case(
        SIM + "      script:\n        - {after: 1s, fault: nack, for: 1s}",
        "sessions[0].simulator.script[0].code",
        (6, 11),
        "nothing",
        "a whole number from 400 to 599",
    ),
    "plain ws off loopback": Case(
        "connectors:\n  baileys: {websocket_url: ws://example.com/ws}",
        "connectors.baileys.websocket_url",
        (2, 28),
        '"ws://example.com/ws"',
        "wss://web.whatsapp.com/ws/chat",
        "not encrypted",
    ),
    "short key": Case(
        "connectors: {baileys: {noise_root_key: abcd}}",
        "connectors.baileys.noise_root_key",
        (1, 40),
        '"abcd"',
        "a public key in 64 hexadecimal digits",
        "32 bytes",
    ),
    "version of two numbers": Case(
        "connectors: {baileys: {client_version: [2, 3000]}}",
        "connectors.baileys.client_version",
        (1, 40),
        "a list",
        "three whole numbers",
    ),
    "slow heartbeat answer": Case(
        "connectors: {baileys: {heartbeat: 5s}}",
        "connectors.baileys.heartbeat",
        (1, 35),
        "heartbeat_timeout 8s with a heartbeat every 5s",
        "heartbeat_timeout not longer than heartbeat",
    ),
    "impatient supervisor": Case(
        "supervision: {heartbeat: 20s}", "supervision.heartbeat", (1, 26), "35s with a heartbeat every 20s", "two"
    ),
    "sleepy supervisor": Case(
        "supervision: {tick: 2s, heartbeat: 100ms, heartbeat_timeout: 1s}",
        "supervision.tick",
        (1, 21),
        "tick 2s with heartbeat_timeout 1s",
        "tick shorter",
    ),
    "weights": Case(
        "health: {weights: {errors: 20}}", "health.weights.errors", (1, 28), "sum up to 105", "sum up to 100"
    ),
    "qualities": Case(
        "health: {quality: {good: 90}}", "health.quality.good", (1, 26), "good 90", "excellent > good > poor"
    ),
    "back-off upside down": Case(
        "recovery: {backoff: {min: 40s}}", "recovery.backoff.min", (1, 27), "min 40s and max 32s", "min not longer"
    ),
    "state directory too deep for sockets": Case(
        f"state_dir: /{'d' * 120}", "state_dir", (1, 12), "121 bytes", "a runtime_dir of at most 81 bytes"
    ),
    "tag": Case("log: !!map {}", "", (1, 6), "a YAML tag (!)", "no tags"),
    "undefined alias": Case("log: *nowhere", "", (1, 6), "(found undefined alias …)", "well-formed YAML"),
    "open quote": Case('log: "abc', "", (1, 10), "found unexpected end of stream", "well-formed YAML"),
    "tab": Case("log:\n\tlevel: info", "", (2, 1), "cannot start any token", "well-formed YAML"),
    "two documents": Case("log: {}\n---\nlog: {}", "", (2, 1), "found another document", "well-formed YAML"),
    "control character": Case("log: {}\n# \0", "", (2, 3), "a control character", "printable text"),
    "list as a key": Case("? [a]\n: b", "", (1, 3), "a list or mapping as a key", "a plain key"),
    "merge of text": Case("log: {<<: text}", 'log["<<"]', (1, 11), "a merge of something else", "alias of a mapping"),
    "endless alias": Case("log: &a [*a]", "", (1, 6), "nested too deeply", "moderate size"),
    "too deep": Case("[" * 5000, "", (1, 1), "nested too deeply", "as in the example"),
}


def problems_of(text: str) -> tuple[Problem, ...]:
    with pytest.raises(ConfigError) as raised:
        check_text(text, Path("/etc/w.yaml"), {"HOME": "/root"})
    return raised.value.problems


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_a_wrong_file_has_one_problem_at_its_place(case: Case) -> None:
    (problem,) = problems_of(case.text)
    assert (problem.path, (problem.line, problem.column)) == (case.path, case.place)
    assert case.found in problem.found
    assert case.expected in problem.expected
    assert case.hint in problem.hint
    assert bool(case.hint) <= bool(problem.hint)
    path = f"{case.path}: " if case.path else ""
    assert str(problem).startswith(f"/etc/w.yaml:{case.place[0]}:{case.place[1]}: {path}found ")


def test_all_problems_are_reported_in_order_of_lines() -> None:
    text = """
loging: {}
log: {level: loud, format: 3}
log: {}
sessions:
  - {id: Bad, connector: none}
  - {id: a, connector: baileys}
  - {id: a, connector: baileys, enabled: maybe}
http: {listen: 0.0.0.0:1, max_body: 1}
health: {weights: {errors: 99}, quality: {poor: 99}, hysteresis: x}
"""
    problems = problems_of(text)
    assert [(problem.line, problem.path) for problem in problems] == [
        (2, "loging"),
        (3, "log.level"),
        (3, "log.format"),
        (4, "log"),
        (6, "sessions[0].id"),
        (6, "sessions[0].connector"),
        (8, "sessions[2].id"),
        (8, "sessions[2].enabled"),
        (9, "http.listen"),
        (9, "http.max_body"),
        (10, "health.weights.errors"),
        (10, "health.quality.poor"),
        (10, "health.hysteresis"),
    ]


def test_a_wrong_value_makes_no_second_problem_of_what_needs_it() -> None:
    """Without its TLS the address would be wrong as well, but the operator did give a TLS."""
    (problem,) = problems_of("http: {listen: '0.0.0.0:1', tls: {certificate: 1, key: /k}}")
    assert problem.path == "http.tls.certificate"


def test_rules_of_the_same_section_are_all_reported() -> None:
    text = "supervision: {heartbeat: 20s, heartbeat_timeout: 30s, tick: 10s, park_retry: 1}"
    assert [problem.path for problem in problems_of(text)] == ["supervision.heartbeat", "supervision.park_retry"]
    text = "http: {listen: '0.0.0.0:1', tokens: [&t {name: a, role: admin, token: 0123456789abcdef}, *t]}"
    assert [problem.path for problem in problems_of(text)] == ["http.listen", "http.tokens"]


def test_long_values_and_numbers_are_not_repeated_in_full() -> None:
    problems = problems_of(f"log: {{level: {'x' * 500}, format: '+49 (170) 123-45-67'}}\nsends: {{keep: 4917012345}}")
    assert len(problems[0].found) < 70
    assert problems[1].found == '"+<digits>"'
    assert problems[2].found == "the number <digits>"


def test_a_bomb_of_aliases_is_refused() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    (problem,) = problems_of("\n".join(lines))
    assert "more than 200000 values" in problem.found


def test_problems_read_as_one_text() -> None:
    with pytest.raises(ConfigError) as raised:
        check_text("a: 1\nlog: {level: x}", Path("/etc/w.yaml"), {"HOME": "/root"})
    first, second = str(raised.value).splitlines()
    assert first.startswith('/etc/w.yaml:1:1: a: found the unknown key "a", expected one of state_dir')
    assert second == '/etc/w.yaml:2:14: log.level: found "x", expected one of debug, info, warning, error'
