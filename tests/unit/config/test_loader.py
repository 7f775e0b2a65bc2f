"""Finding, reading and keeping track of the configuration file."""

import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from config import loader
from config.document import read_document
from config.loader import check, check_text, find
from config.problems import ConfigError, Problem
from config.schema import Config

HOME = {"HOME": "/home/someone"}


def write(path: Path, content: str | bytes) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.fixture
def no_default(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A default path of this test's own, where no file is yet."""
    path = tmp_path / "etc" / "wavigil.yaml"
    monkeypatch.setattr(loader, "DEFAULT_PATH", path)
    return path


def test_the_order_of_the_places(no_default: Path) -> None:
    asked, variable = Path("/a.yaml"), {"WAVIGIL_CONFIG": "/b.yaml"}
    assert find(None, {}) is None
    assert find(None, {"WAVIGIL_CONFIG": ""}) is None
    no_default.parent.mkdir()
    no_default.touch()
    assert find(None, {}) == no_default
    assert find(None, variable) == Path("/b.yaml")
    assert find(asked, variable) == asked


def test_without_a_file_there_are_the_defaults(no_default: Path) -> None:
    loaded = check(None, HOME)
    assert loaded.source is None
    assert loaded.session_lines == {}
    assert loaded.config.state_dir == Path("/home/someone/.local/state/wavigil")
    assert loaded.config.runtime_dir == loaded.config.state_dir


@pytest.mark.parametrize("content", ["", "# nothing\n", "---\n", "http:\nsessions:\nhealth: {weights: }\n", "\ufeff"])
def test_a_file_without_settings_is_the_defaults(tmp_path: Path, content: str) -> None:
    loaded = check(write(tmp_path / "w.yaml", content), HOME)
    assert loaded.config == check_text("", None, HOME).config


def test_the_model_has_the_same_defaults_in_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("RUNTIME_DIRECTORY", raising=False)
    monkeypatch.setenv("STATE_DIRECTORY", "/var/lib/wavigil")
    assert Config() == check_text("", None, os.environ).config


@pytest.mark.parametrize(
    ("environ", "text", "state", "runtime"),
    [
        ({"STATE_DIRECTORY": "/s"}, "", "/s", "/s"),
        ({"STATE_DIRECTORY": "/s:/t", "RUNTIME_DIRECTORY": "/r:/q"}, "", "/s", "/r"),
        ({"STATE_DIRECTORY": "/s", "RUNTIME_DIRECTORY": "/r"}, "state_dir: /x", "/x", "/r"),
        ({"STATE_DIRECTORY": "/s"}, "state_dir: /x", "/x", "/x"),
        ({"STATE_DIRECTORY": "/s"}, "runtime_dir: /y/../z", "/s", "/z"),
    ],
)
def test_directories_come_from_file_then_systemd(environ: dict[str, str], text: str, state: str, runtime: str) -> None:
    config = check_text(text, None, environ).config
    assert (config.state_dir, config.runtime_dir) == (Path(state), Path(runtime))


def test_a_relative_directory_counts_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert check_text("state_dir: ./var", None, HOME).config.state_dir == tmp_path / "var"


def test_sessions_know_their_file_and_line(tmp_path: Path) -> None:
    text = """\
sessions:
  - id: a
    connector: simulator

  - {id: b, connector: baileys}
  -
    connector: baileys
    id: c
"""
    path = write(tmp_path / "w.yaml", text)
    loaded = check(path, HOME)
    assert loaded.session_lines == {"a": 2, "b": 5, "c": 7}
    assert loaded.session_origin("b") == f"{path}:5"
    assert loaded.session_origin("z") is None
    assert loaded.lines["sessions", 0, "connector"] == 3


def test_the_digest_tells_whether_the_file_changed(tmp_path: Path) -> None:
    path = write(tmp_path / "w.yaml", "log: {level: debug}")
    first = check(path, HOME)
    assert check(path, HOME).digest == first.digest
    assert check(write(path, "log: {level: error}"), HOME).digest != first.digest


def test_anchors_and_merges_save_repetition() -> None:
    text = """
sessions:
  - &first
    id: a
    connector: simulator
    labels: &labels {team: support}
  - {<<: *first, id: b, labels: {<<: *labels, region: eu}}
"""
    first, second = check_text(text, None, HOME).config.sessions
    assert (first.id, second.id, second.connector) == ("a", "b", "simulator")
    assert second.labels == {"team": "support", "region": "eu"}


def test_scalars_are_those_of_yaml_1_2() -> None:
    text = "a: no\nb: 012\nc: 0x10\nd: 0o17\ne: 1e3\nf: 2024-01-01\ng: 1:30\nh: ~\ni: 'true'\nj: True\nk: .5\nl: =\n"
    tree = read_document(text).tree
    assert tree is not None
    expected = ["no", 12, 16, 15, 1000.0, "2024-01-01", "1:30", None, "true", True, 0.5, "="]
    assert tree.plain() == dict(zip("abcdefghijkl", expected, strict=True))


def test_a_long_number_stays_text() -> None:
    key = "1" * 64
    config = check_text(f"connectors: {{baileys: {{noise_root_key: {key}}}}}", None, HOME).config
    assert config.connectors.baileys.noise_root_key == key


@pytest.mark.parametrize(
    ("content", "found"),
    [(b"a: \xff", "a byte that is not UTF-8"), (b"#" * (loader.LONGEST_FILE + 1), "more than 4194304 bytes")],
)
def test_a_file_that_is_no_configuration(tmp_path: Path, content: bytes, found: str) -> None:
    with pytest.raises(ConfigError, match=found) as raised:
        check(write(tmp_path / "w.yaml", content), HOME)
    assert str(raised.value).startswith(str(tmp_path))


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path, found in (
        (tmp_path / "absent.yaml", "No such file"),
        (tmp_path, "Is a directory"),
        (tmp_path / "fifo", "not a regular file"),
    ):
        with pytest.raises(ConfigError, match=found):
            check(path, HOME)
    with pytest.raises(ConfigError, match=r"absent\.yaml: found .*No such file"):
        check(None, {"WAVIGIL_CONFIG": str(tmp_path / "absent.yaml")})


def test_the_configuration_does_not_change_once_read() -> None:
    config = check_text("", None, HOME).config
    with pytest.raises(ValueError, match="frozen"):
        config.http.listen = "0.0.0.0:1"  # type: ignore[misc]


WORDS = st.sampled_from(
    [
        *("http", "sessions", "id", "listen", "tokens", "connector", "simulator", "script", "fault", "drop", "nack"),
        *("a", "1", "10s", "null", "{", "}", "[", "]", ",", "#", "'", '"', "<<", "- ", ": ", "\n", "  "),
        *("&x ", "*x", "!t "),
    ]
)


def problems_of(text: str) -> tuple[Problem, ...]:
    try:
        check_text(text, Path("w.yaml"), HOME)
    except ConfigError as error:
        return error.problems
    return ()


@given(st.one_of(st.text(), st.lists(WORDS, max_size=30).map("".join)))
def test_any_text_is_accepted_or_refused_with_places(text: str) -> None:
    # Besides \n, YAML 1.1 ends lines at these.
    lines = 2 + sum(text.count(end) for end in "\n\r\x85\u2028\u2029")
    for problem in problems_of(text):
        assert problem.found
        assert problem.expected
        assert 1 <= problem.line <= lines


VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just("10s")),
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=3), inner, max_size=3)),
    max_leaves=5,
)
SECTIONS = st.sampled_from(list(Config.model_fields))


@given(st.dictionaries(SECTIONS, VALUES, max_size=4))
def test_any_value_in_any_section_is_accepted_or_refused(values: dict[str, object]) -> None:
    for problem in problems_of(yaml.safe_dump(values, allow_unicode=True)):
        assert problem.line >= 1
        assert problem.found
