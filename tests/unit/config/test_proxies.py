"""Proxies: what a URL of one is, who may name which, and that its password shows nowhere."""

import base64
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.diff import difference
from config.loader import check_text
from config.problems import ConfigError
from config.schema import Config
from config.schema_proxies import check_proxy_url, secrets_in
from config.show import plain, secrets_of, show
from daemon.support.redact import Redactor

PASSWORD = "Zk7-secret"
URL = f"socks5://user:{PASSWORD}@proxy.example:1080"
PROXIES = f"proxies:\n  - name: berlin-1\n    url: {URL}\n"


def problems(text: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        check_text(text, None, {"HOME": "/h"})
    assert PASSWORD not in str(caught.value)
    return [str(problem) for problem in caught.value.problems]


@pytest.mark.parametrize(
    "url",
    [
        *("http://10.0.0.1:3128", "https://proxy.example", "socks5h://a@[::1]:1", URL, "http://u:p%40%2f@h:1/"),
        *("socks5://user:@h", "http://xn--bcher-kva.example:1", "http://under_score.a1:1", "http://h.:1"),
    ],
)
def test_what_a_proxy_may_be(url: str) -> None:
    check_proxy_url(url)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("proxy.example:3128", "begins with"),
        ("socks4://h:1", "begins with"),
        ("ftp://h", "begins with"),
        ("http://:3128", "a host"),
        ("http://h:0", "a host"),
        ("http://h:99999", "not a URL"),
        ("http://[::1", "not a URL"),
        ("http://256.1.1.1:80", "IP address"),
        ("http://1.2.3:80", "IP address"),
        ("http://a.0x7f:80", "IP address"),
        ("http://a^b:1", "IP address"),
        ("http://a|b:1", "IP address"),
        ("http://a%2fb:1", "IP address"),
        ("http://xn--a:1", "IP address"),
        ("http://h/path", "nothing stands behind"),
        ("http://u:p#1@h:1", "URL|behind"),
        ("http://u:p%@h", "%25"),
        ("http://u:%ff@h", "%25"),
        ("http://u:ä@h", "ASCII"),
        ("http://u:p q@h", "ASCII"),
        (f"http://{'u' * 256}@h", "255"),
        (f"http://{'h' * 3000}", "ASCII"),
    ],
)
def test_what_it_may_not_be(url: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        check_proxy_url(url)


@given(st.text(alphabet=string.printable) | st.text())
def test_any_text_is_taken_or_refused_without_being_repeated(text: str) -> None:
    for url in (text, f"http://user:{text}@host", f"socks5://{text}"):
        try:
            check_proxy_url(url)
        except ValueError as error:
            assert len(text) < 12 or text not in str(error)  # noqa: PT017 - both are fine


def test_a_session_names_one_of_them() -> None:
    text = f"{PROXIES}sessions: [{{id: a, connector: simulator, proxy: berlin-1}}, {{id: b, connector: simulator}}]"
    config = check_text(text, None, {}).config
    assert [spec.proxy for spec in config.sessions] == ["berlin-1", None]
    assert config.proxies[0].url.reveal() == URL


def test_an_unknown_one_is_named_with_its_place() -> None:
    text = f"{PROXIES}sessions:\n  - {{id: a, connector: simulator, proxy: berlim-1}}\n"
    (problem,) = problems(text)
    assert 'configuration:5:42: sessions[0].proxy: found the unknown proxy "berlim-1"' in problem
    assert "expected one of the proxies berlin-1 (did you mean berlin-1?)" in problem
    (problem,) = problems("sessions: [{id: a, connector: simulator, proxy: x}]")
    assert "there are none in the section proxies" in problem


def test_a_wrong_one_is_one_problem_and_its_url_is_not_repeated() -> None:
    text = (
        f"proxies: [{{name: a, url: 'socks4://u:{PASSWORD}@h'}}]\nsessions: [{{id: s, connector: simulator, proxy: a}}]"
    )
    (problem,) = problems(text)
    assert "proxies[0].url: found another secret, expected the URL of a proxy" in problem
    assert "http://, https://, socks5://, socks5h://" in problem
    (problem,) = problems("proxies: [{name: a, url: '${NOT_SET}'}]")
    assert "NOT_SET is not set" in problem
    (problem,) = problems(f"proxies: [{{name: a, url: 'http://h', {PASSWORD}: 1}}]")
    (problem,) = problems(f"{PROXIES}  - {{name: berlin-1, url: 'http://h'}}")
    assert "2 proxies with the name berlin-1" in problem


def test_its_password_is_nowhere_shown() -> None:
    loaded = check_text(PROXIES, None, {})
    for text in (show(loaded), str(plain(loaded.config)), repr(loaded.config), loaded.config.model_dump_json()):
        assert PASSWORD not in text
        assert "proxy.example" not in text
    assert [secret.reveal() for secret in secrets_of(loaded.config)] == [URL]


def test_a_bundle_hides_the_password_also_by_itself() -> None:
    basic = base64.b64encode(b"u:a@bcdefgh").decode()
    assert secrets_in("http://u:a%40bcdefgh@h") == ("a%40bcdefgh", "a@bcdefgh", "u:a@bcdefgh", basic)
    assert secrets_in("http://u@h") == ()
    redactor = Redactor([URL, *secrets_in(URL)])
    assert PASSWORD not in redactor.text(f"of {URL}, or {PASSWORD} alone")


def test_another_address_is_another_setting_that_a_reload_applies() -> None:
    def config(url: str) -> Config:
        return check_text(f"proxies: [{{name: a, url: '{url}'}}]", None, {}).config

    found = difference(config("http://h:1"), config("http://h:2"))
    assert (found.settings, found.restart_needed) == (("proxies",), ())
