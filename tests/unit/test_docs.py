"""The documentation is held against the tree: paths, make targets, commands, settings, links; no traces of machines."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import typer

from actors.events import EventType
from config.schema import Config
from daemon.api.routes import ROUTES
from daemon.cli.app import app

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "tests/lab/README.md"])
FOLDERS = "config|actors|daemon|grafana|tests|docs"

FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")
SOURCE = re.compile(rf"\b(?:{FOLDERS})/[\w./*-]*[\w*/]")
HEADING = re.compile(r"^#+ +(.*)$", re.MULTILINE)
SHELL = re.compile(r"^```(?:sh|console)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FOREIGN = re.compile(r"(?:^|[\s\"'`(=])/(?:opt|root|srv|tmp|work)/|pypi|npmjs|registry\.|mirror", re.IGNORECASE)
SETTING = re.compile(
    r"(?:audit|connectors|events|health|http|log|recovery|sends|supervision|vault)(?!\.(?:db|sock)\b)(?:\.[a-z_]+)+"
)

ACTIONS = {route.audited.action for route in ROUTES if route.audited is not None}

pytestmark = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def prose(text: str) -> str:
    return FENCE.sub("", text)


def anchors(page: Path) -> set[str]:
    """The names that GitHub gives to headings."""
    found = set()
    for title in HEADING.findall(FENCE.sub("", page.read_text())):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").strip().lower()
        found.add(re.sub(r"[^\w\- ]", "", plain).replace(" ", "-"))
    return found


def commands(text: str, name: str) -> Iterator[list[str]]:
    """What is typed after ``name``: in code spans that begin with it, and in lines of shell blocks."""
    lines = [span for span in CODE.findall(prose(text)) if span.startswith(f"{name} ")]
    for block in SHELL.findall(text):
        for line in block.splitlines():
            lines += re.findall(rf"(?:^(?:\$ )?|&& |/bin/|\$\(){name} ([^|&)#]*)", line)
    for line in lines:
        words = line.removeprefix(f"{name} ").replace("[", "").replace("]", "").replace("…", "ELLIPSIS")
        yield shlex.split(words.replace("'", "").replace('"', ""))


def test_every_link_leads_somewhere(page: Path) -> None:
    for target in LINK.findall(FENCE.sub("", page.read_text())):
        if re.match(r"[a-z]+://", target):
            continue
        name, _, anchor = unquote(target).partition("#")
        found = (page.parent / name).resolve() if name else page
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        if anchor:
            assert anchor in anchors(found), target


def test_every_path_exists(page: Path) -> None:
    spans = [span for span in CODE.findall(prose(page.read_text())) if not span.startswith("/")]
    for path in (path for span in spans for path in SOURCE.findall(span)):
        assert list(ROOT.glob(path.rstrip("/"))), path


def test_every_make_target_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for words in commands(page.read_text(), "make"):
        named = [word for word in words if "=" not in word and not word.startswith("-")]
        assert set(named[:1]) <= targets, words


def test_every_command_exists(page: Path) -> None:
    root = typer.main.get_command(app)
    for words in commands(page.read_text(), "wavigil"):
        if words[0] == "COMMAND":
            continue  # any of them
        check(root, words)


def check(command: Any, words: list[str]) -> None:
    """The words name a command, and options that it has."""
    rest = list(words)
    while hasattr(command, "commands") and not (command.invoke_without_command and (not rest or rest[0][0] == "-")):
        name = rest.pop(0) if rest else ""
        assert name in command.commands, words
        command = command.commands[name]
    options = {option for parameter in command.params for option in parameter.opts} | {"--help", "-h"}
    assert {word.partition("=")[0] for word in rest if word.startswith("-")} <= options, words


def test_every_setting_exists(page: Path) -> None:
    for name in CODE.findall(prose(page.read_text())):
        if SETTING.fullmatch(name) and name not in set(EventType) | ACTIONS:
            section: Any = Config
            for key in name.split("."):
                assert key in section.model_fields, name
                section = section.model_fields[key].annotation


def test_modules_that_are_run_exist(page: Path) -> None:
    for module in re.findall(r"python -m ((?:config|actors|daemon)[\w.]*)", page.read_text()):
        path = ROOT / module.replace(".", "/")
        assert path.with_suffix(".py").exists() or (path / "__main__.py").exists(), module


def test_no_traces_of_a_machine(page: Path) -> None:
    found = FOREIGN.search(page.read_text())
    assert found is None, found


def test_phone_numbers_are_made_up(page: Path) -> None:
    for number in re.findall(r"(?<![\w.#:-])\+?(\d{10,15})(?![\w.-])", page.read_text()):
        assert number.startswith("1555"), number
