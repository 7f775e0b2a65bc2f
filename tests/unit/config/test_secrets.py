"""Secrets are resolved from where they are kept, and never show."""

import copy
import os
import pickle
import traceback
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from config.loader import check_text
from config.problems import ConfigError
from config.schema_http import Token
from config.secrets import Secret, resolve_secret
from config.show import plain, show

VALUE = "Zk7-the-very-secret-value-Zk7"


@given(st.text(min_size=1))
def test_no_way_of_printing_shows_the_value(value: str) -> None:
    secret = Secret(value)
    shown = {repr(secret), str(secret), f"{secret}", f"{secret!r:>5}", "%s" % secret, format(secret, "")}  # noqa: UP031
    assert shown == {"<secret>"}
    assert secret.reveal() == value


def test_containers_and_models_do_not_show_it_either() -> None:
    token = Token(name="a", role="viewer", token=Secret(VALUE))
    for text in (repr(token), str(token), token.model_dump_json(), str(token.model_dump()), repr([token.token])):
        assert VALUE not in text
        assert "<secret>" in text


def test_it_compares_hashes_copies_and_travels() -> None:
    secret = Secret(VALUE, "${A}")
    assert secret == Secret(VALUE)
    assert secret != Secret("other")
    assert secret != VALUE
    assert {secret, Secret(VALUE)} == {secret}
    for twin in (pickle.loads(pickle.dumps(secret)), copy.deepcopy(secret)):  # noqa: S301  # its own pickle
        assert (twin.reveal(), twin.source) == (VALUE, "${A}")
    assert bool(Secret(""))
    assert len(secret) == len(VALUE)


def test_plain_text_is_the_secret_itself() -> None:
    secret = resolve_secret(VALUE, {})
    assert (secret.reveal(), secret.source) == (VALUE, "text")


def test_an_environment_variable() -> None:
    secret = resolve_secret("${TOKEN_1}", {"TOKEN_1": VALUE})
    assert (secret.reveal(), secret.source) == (VALUE, "${TOKEN_1}")


def test_a_file_without_its_line_end(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text(f"{VALUE}\r\n")
    secret = resolve_secret(f"file:{path}", {})
    assert (secret.reveal(), secret.source) == (VALUE, f"file:{path}")


def test_a_systemd_credential(tmp_path: Path) -> None:
    (tmp_path / "vault-key").write_text(VALUE)
    environ = {"CREDENTIALS_DIRECTORY": str(tmp_path)}
    assert resolve_secret("credential:vault-key", environ).reveal() == VALUE


@pytest.mark.parametrize(
    ("reference", "why"),
    [
        ("${MISSING}", "the environment variable MISSING is not set or empty"),
        ("${EMPTY}", "the environment variable EMPTY is not set or empty"),
        ("prefix-${HOME}", "must stand alone"),
        ("$HOME", "with braces"),
        ("file:relative", "absolute path"),
        ("file:/nonexistent/token", "No such file"),
        ("file:/", "can't be read|not a regular file"),
        ("credential:name", "LoadCredential="),
        ("credential:../name", "plain name"),
    ],
)
def test_a_reference_that_leads_nowhere_says_why(reference: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        resolve_secret(reference, {"EMPTY": "", "HOME": "/root"})


@pytest.mark.parametrize(
    ("content", "why"),
    [(b"", "is empty"), (b"\n\n", "is empty"), (b"\xff\xfe", "not UTF-8"), (b"x" * 70_000, "longer than")],
)
def test_a_file_that_holds_no_secret_says_why(tmp_path: Path, content: bytes, why: str) -> None:
    path = tmp_path / "token"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=why):
        resolve_secret(f"file:{path}", {})


def test_a_fifo_is_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    with pytest.raises(ValueError, match="not a regular file"):
        resolve_secret(f"file:{tmp_path / 'fifo'}", {})


def test_the_shown_configuration_hides_it() -> None:
    text = f"""
http:
  tokens: [{{name: a, role: admin, token: {VALUE}}}]
vault: {{master_key: "${{KEY}}"}}
"""
    loaded = check_text(text, Path("w.yaml"), {"KEY": VALUE * 2, "HOME": "/root"})
    assert loaded.config.http.tokens[0].token.reveal() == VALUE
    for shown in (show(loaded), show(loaded, origins=True), str(plain(loaded.config)), repr(loaded)):
        assert VALUE not in shown
        assert shown.count("<secret>") == 2


MISPLACED = [
    f"vault: {VALUE}",
    f"vault: [{VALUE}]",
    f"vault: {{master_key: [{VALUE}]}}",
    f"vault: {{masterkey: {VALUE}}}",
    f"vault: {{{VALUE}: }}",
    f"vault: {{master_key: x{VALUE[:10]}}}",
    f"http: {VALUE}",
    f"http: {{tokens: {VALUE}}}",
    f"http: {{tokens: [{VALUE}]}}",
    f"http: {{tokens: [{{name: a, role: admin {VALUE}, token: x}}]}}",
    f"http:\n  tokens:\n    - name: a\n      role: admin\n        token:{VALUE}",
    f"http: {{tokens: [{{name: {VALUE} x, role: admin, token: x}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, {VALUE}}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, token: '{VALUE[:12]}'}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, token: *{VALUE}}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, token: !{VALUE} x}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, token: '{VALUE}' {VALUE}}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, token: prefix${{{VALUE}}}}}]}}",
    f"http: {{tokens: [{{name: a, role: admin, token: {VALUE}}}, {{name: b, role: admin, token: {VALUE}}}]}}",
    f"connectors: {{baileys: {{websocket_url: 'wss://user:{VALUE}@host/'}}}}",
    VALUE,
]


@pytest.mark.parametrize("text", MISPLACED)
def test_no_error_repeats_what_may_be_a_secret(text: str) -> None:
    with pytest.raises(ConfigError) as raised:
        check_text(text, Path("w.yaml"), {"HOME": "/root"})
    error = raised.value
    # The traceback with its chain of causes, as Python itself prints it.
    for shown in (str(error), repr(error), repr(error.problems), *traceback.format_exception(error)):
        assert VALUE[:10] not in shown


def test_pydantic_itself_does_not_repeat_it() -> None:
    with pytest.raises(ValidationError) as raised:
        Token.model_validate({"name": "a", "role": VALUE, "token": VALUE[:12]})
    assert VALUE[:10] not in str(raised.value)
