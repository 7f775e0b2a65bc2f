"""The effective configuration as an operator sees it."""

from pathlib import Path

import yaml

from config.loader import check_text
from config.show import plain, show

TEXT = """\
log: {level: debug}
http:
  max_body: 128KiB
sessions:
  - id: a
    connector: simulator
    labels: {floor: "3", answer: "no"}
    simulator:
      phone: "15550100001"
      script:
        - {after: 90s, fault: slow, latency: 1500ms, for: 1h}
connectors:
  baileys: {client_version: [2, 3000, 1]}
"""


def load() -> "tuple[str, str]":
    loaded = check_text(TEXT, Path("/etc/wavigil/wavigil.yaml"), {"HOME": "/h"})
    return show(loaded), show(loaded, origins=True)


def test_it_is_yaml_of_all_values_in_human_form() -> None:
    text, _ = load()
    loaded = check_text(TEXT, None, {"HOME": "/h"})
    values = yaml.safe_load(text)
    assert values == plain(loaded.config)
    assert values["supervision"]["tick"] == "1s"
    assert values["http"]["max_body"] == "128KiB"
    assert values["sessions"][0]["labels"] == {"floor": "3", "answer": "no"}
    assert values["sessions"][0]["simulator"]["script"][0]["for"] == "1h"
    assert values["connectors"]["baileys"]["client_version"] == [2, 3000, 1]
    assert values["vault"] == {"master_key": None, "previous_keys": []}


def test_it_reads_back_as_the_same_configuration() -> None:
    text, annotated = load()
    first = check_text(TEXT, None, {"HOME": "/h"}).config
    for shown in (text, annotated):
        again = check_text(shown.replace("<phone>", '"15550100001"'), None, {"HOME": "/h"}).config
        assert again == first


def test_phone_numbers_are_hidden() -> None:
    assert all("15550100001" not in text for text in load())
    loaded = check_text(TEXT, None, {"HOME": "/h"})
    assert "15550100001" not in repr(loaded)


def test_origins_name_the_line_of_what_the_file_gives_and_only_that() -> None:
    _, text = load()
    commented = [line.strip() for line in text.splitlines() if "#" in line]
    assert commented == [
        "level: debug  # wavigil.yaml:1",
        "max_body: 128KiB  # wavigil.yaml:3",
        "- id: a  # wavigil.yaml:5",
        "connector: simulator  # wavigil.yaml:6",
        "floor: '3'  # wavigil.yaml:7",
        "answer: 'no'  # wavigil.yaml:7",
        "phone: <phone>  # wavigil.yaml:9",
        "- after: 90s  # wavigil.yaml:11",
        "fault: slow  # wavigil.yaml:11",
        "latency: 1.5s  # wavigil.yaml:11",
        "for: 1h  # wavigil.yaml:11",
        "- 2  # wavigil.yaml:13",
        "- 3000  # wavigil.yaml:13",
        "- 1  # wavigil.yaml:13",
    ]
