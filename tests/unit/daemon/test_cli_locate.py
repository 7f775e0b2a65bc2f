from pathlib import Path

import pytest

from config.loader import Loaded, check_text
from daemon.cli.errors import CliError
from daemon.cli.locate import Target, address, check_url, locate, read_token


@pytest.fixture
def state(tmp_path: Path) -> Path:
    (tmp_path / "admin.token").write_text("from-the-state-directory\n")
    return tmp_path


def loader(state: Path, listen: str = "127.0.0.1:9471", more: str = "") -> "tuple[list[Path | None], object]":
    asked: list[Path | None] = []

    def load(path: Path | None) -> Loaded:
        asked.append(path)
        return check_text(f"state_dir: {state}\nhttp: {{listen: '{listen}'{more}}}\n", Path("wavigil.yaml"), {})

    return asked, load


def find(state: Path, environ: dict[str, str] | None = None, **options: object) -> Target:
    _, load = loader(state)
    chosen: dict[str, object] = {"url": None, "token_file": None, "config": None, "load": load} | options
    return locate(environ=environ or {}, **chosen)  # type: ignore[arg-type]  # a table of options


def test_all_from_the_configuration(state: Path) -> None:
    target = find(state)
    assert (target.url, target.token) == ("http://127.0.0.1:9471", "from-the-state-directory")
    assert target.token_source == str(state / "admin.token")
    assert target.start == "wavigil run --config wavigil.yaml"


def test_the_environment_goes_before_the_configuration(state: Path) -> None:
    target = find(state, {"WAVIGIL_URL": "http://localhost:1/", "WAVIGIL_TOKEN": "from-the-environment"})
    assert (target.url, target.token, target.token_source) == (
        "http://localhost:1",
        "from-the-environment",
        "$WAVIGIL_TOKEN",
    )


def test_options_go_before_the_environment(state: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("from-the-option")
    environ = {"WAVIGIL_URL": "http://localhost:1", "WAVIGIL_TOKEN": "from-the-environment"}
    target = find(state, environ, url="http://localhost:2", token_file=other)
    assert (target.url, target.token) == ("http://localhost:2", "from-the-option")


def test_the_configuration_is_not_read_without_need(state: Path) -> None:
    asked, load = loader(state)
    find(state, {"WAVIGIL_TOKEN": "t"}, url="http://localhost:2", load=load)
    assert asked == []


def test_this_machines_token_is_not_sent_to_another(state: Path) -> None:
    with pytest.raises(CliError, match="another machine"):
        find(state, url="https://wavigil.example")
    assert find(state, url="http://[::1]:5").token == "from-the-state-directory"


@pytest.mark.parametrize(
    ("host", "port", "secure", "url"),
    [
        ("127.0.0.1", 9470, False, "http://127.0.0.1:9470"),
        ("0.0.0.0", 9470, False, "http://127.0.0.1:9470"),  # noqa: S104  # nothing listens
        ("::", 9470, True, "https://[::1]:9470"),
        ("::1", 1, False, "http://[::1]:1"),
        ("wavigil.internal", 443, True, "https://wavigil.internal:443"),
    ],
)
def test_addresses(host: str, port: int, secure: bool, url: str) -> None:
    assert address(host, port, secure=secure) == url


def test_a_port_that_only_the_daemon_knows() -> None:
    with pytest.raises(CliError, match="port 0"):
        address("127.0.0.1", 0, secure=False)


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:9470", "ftp://x", "http://", "http://x:y", "http://a?b", "http://me:pw@x", "http://["]
)
def test_what_is_no_address(url: str) -> None:
    with pytest.raises(CliError) as caught:
        check_url(url)
    assert caught.value.status == 2


def test_token_files_that_do_not_serve(tmp_path: Path) -> None:
    with pytest.raises(CliError) as missing:
        read_token(tmp_path / "none", "wavigil run")
    assert "wavigil run" in missing.value.text
    for content in ("", "\n", "two\nlines", "é"):
        (tmp_path / "token").write_text(content)
        with pytest.raises(CliError, match="holds no token"):
            read_token(tmp_path / "token")
    (tmp_path / "token").write_bytes(b"\xff")
    with pytest.raises(CliError, match="not text"):
        read_token(tmp_path / "token")
    with pytest.raises(CliError, match="can't be read"):
        read_token(tmp_path)


def test_a_token_file_of_another_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_args: object, **_options: object) -> str:
        raise PermissionError(13, "Permission denied")

    # Root may read everything, so the refusal is made up.
    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(CliError) as caught:
        read_token(tmp_path / "token")
    assert "sudo -u" in caught.value.text
