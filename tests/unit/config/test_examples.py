"""The files beside the code: the example, the demonstration fleet and the JSON Schema."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema  # type: ignore[import-untyped]
import pytest

from config.document import read_document
from config.jsonschema import SCHEMA_FILE, config_schema, schema_text
from config.loader import check, check_text

CONFIG = Path(__file__).parents[3] / "config"
EXAMPLE = CONFIG / "wavigil.yaml"
DEMO = CONFIG / "demo.yaml"
ENVIRON = {"HOME": "/h"}


def uncommented() -> str:
    """The example with every setting in it switched on; those that are given twice only the second time."""
    # Prose has one blank behind its #, a setting has none or its indentation.
    lines = [re.sub(r"^#(?! \S)(?=.)", "", line) for line in EXAMPLE.read_text().splitlines()]
    kept = [line for line in lines if line.split("#")[0].strip() not in {"tls: null", "master_key: null"}]
    return "\n".join(kept)


def plain(text: str) -> Any:
    document = read_document(text)
    assert document.tree is not None, document.flaws
    return document.tree.plain()


def keys(schema: dict[str, Any], root: dict[str, Any]) -> Iterator[str]:
    """The names of all keys below a schema, as `section.key`, whatever list or variant they are in."""
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    for name, child in schema.get("properties", {}).items():
        yield name
        yield from (f"{name}.{below}" for below in keys(child, root))
    for child in (*schema.get("anyOf", ()), *schema.get("oneOf", ()), *filter(None, [schema.get("items")])):
        yield from keys(child, root)


def given_keys(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        for name, child in value.items():
            yield name
            yield from (f"{name}.{below}" for below in given_keys(child))
    if isinstance(value, list):
        for child in value:
            yield from given_keys(child)


def test_the_example_is_the_defaults() -> None:
    assert check(EXAMPLE, ENVIRON).config == check_text("", None, ENVIRON).config


def test_the_example_with_all_its_settings_is_valid(tmp_path: Path) -> None:
    for name in ("shop-token", "vault-key"):
        (tmp_path / name).write_text(name * 4)
    for name in ("tls.crt", "tls.key"):
        (tmp_path / name).touch()
    environ = {
        **ENVIRON,
        "GRAFANA_TOKEN": "0123456789abcdef",
        "PROXY_BERLIN_1": "socks5://user:secret@proxy.example:1080",
        "CREDENTIALS_DIRECTORY": str(tmp_path),
    }
    config = check_text(uncommented().replace("/etc/wavigil/tls", f"{tmp_path}/tls"), EXAMPLE, environ).config
    assert [spec.id for spec in config.sessions] == ["support-1", "trial-1"]
    assert [spec.proxy for spec in config.sessions] == ["berlin-1", None]
    assert config.vault.master_key is not None
    assert config.http.tls is not None
    assert [token.name for token in config.http.tokens] == ["grafana", "shop"]


def test_the_example_has_every_key_of_the_schema() -> None:
    root = config_schema()
    given = set(given_keys(plain(uncommented())))
    assert set(keys(root, root)) - given == set()


def test_the_demonstration_is_a_fleet_of_twelve_with_troubles() -> None:
    config = check(DEMO, ENVIRON).config
    assert len(config.sessions) == 12
    assert {spec.connector for spec in config.sessions} == {"simulator"}
    assert all({"team", "region"} <= set(spec.labels) for spec in config.sessions)
    faults = {step.fault for spec in config.sessions if spec.simulator for step in spec.simulator.script}
    assert len(faults) >= 10
    assert config.http.listen == "127.0.0.1:9470"
    assert config.state_dir == Path.cwd() / "var/demo"


def test_the_troubles_of_the_demonstration_come_and_go() -> None:
    stays = {"logged_out", "banned", "forbidden", "replaced", "client_outdated", "timelock", "stall"}
    for spec in check(DEMO, ENVIRON).config.sessions:
        for step in spec.simulator.script if spec.simulator else ():
            assert step.fault not in stays
            assert step.repeat is not None


def test_the_schema_file_is_the_schema_of_the_code() -> None:
    assert SCHEMA_FILE.read_text() == schema_text(), "run: python -m config.jsonschema"


def test_the_schema_is_one_and_editors_find_it() -> None:
    jsonschema.Draft202012Validator.check_schema(config_schema())
    for path in (EXAMPLE, DEMO):
        assert path.read_text().startswith(f"# yaml-language-server: $schema={SCHEMA_FILE.name}\n")


@pytest.mark.parametrize("text", [EXAMPLE.read_text(), DEMO.read_text(), uncommented()], ids=["example", "demo", "all"])
def test_editors_find_nothing_wrong_with_what_is_right(text: str) -> None:
    jsonschema.Draft202012Validator(config_schema()).validate(plain(text))


@pytest.mark.parametrize(
    "text", ["loging: {}", "log: {level: warn}", "sends: {keep: 7}", "sessions: [{id: Bad, connector: baileys}]"]
)
def test_editors_find_what_is_wrong(text: str) -> None:
    assert not jsonschema.Draft202012Validator(config_schema()).is_valid(plain(text))


def test_every_key_says_what_it_is_for() -> None:
    root = config_schema()
    for name, section in root["$defs"].items():
        assert section.get("description"), name
    undescribed = {
        f"{name}.{key}"
        for name, section in root["$defs"].items()
        for key, value in section["properties"].items()
        if "description" not in value and "$ref" not in value and "const" not in value
    }
    assert undescribed == {"Quality.excellent", "Quality.good", "Quality.poor"}, "the section says it for these"
