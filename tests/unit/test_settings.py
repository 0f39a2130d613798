"""Every setting is an environment variable, read once, refused when wrong."""

from pathlib import Path

import pytest

from loansvc.errors import SetupRefused
from loansvc.settings import Settings


def test_plain_settings_serve_on_loopback_from_var() -> None:
    settings = Settings.from_environment({})
    assert (settings.host, settings.port, settings.home) == ("127.0.0.1", 8000, Path("var"))
    assert settings.url.startswith("sqlite:////")


def test_variables_set_what_their_name_says() -> None:
    settings = Settings.from_environment({"LOANSVC_PORT": "8123", "LOANSVC_HOME": "/tmp/x"})
    assert (settings.port, settings.url) == (8123, "sqlite:////tmp/x/ledger.db")


@pytest.mark.parametrize(
    ("environ", "workers"),
    [({}, 2), ({"WEB_CONCURRENCY": "5"}, 5), ({"WEB_CONCURRENCY": "5", "LOANSVC_WORKERS": "3"}, 3)],
)
def test_workers_follow_web_concurrency_unless_set(environ: dict[str, str], workers: int) -> None:
    assert Settings.from_environment(environ).workers == workers


@pytest.mark.parametrize(
    "environ",
    [
        {"LOANSVC_PROT": "1"},
        {"LOANSVC_PORT": "http"},
        {"LOANSVC_PORT": "０"},
        {"LOANSVC_PORT": "0"},
    ],
)
def test_a_wrong_setting_is_refused_by_name(environ: dict[str, str]) -> None:
    with pytest.raises(SetupRefused, match=r"LOANSVC_PR?O"):
        Settings.from_environment(environ)


def test_an_ipv6_host_is_an_address_in_brackets() -> None:
    assert Settings.from_environment({"LOANSVC_HOST": "::1"}).address == "[::1]:8000"
    assert Settings.from_environment({}).address == "127.0.0.1:8000"


def test_a_secret_is_never_listed() -> None:
    listed = list(Settings.from_environment({"LOANSVC_VAULT_KEYS": "topsecret"}).listed())
    assert ("LOANSVC_VAULT_KEYS", "(set)") in [(name, value) for name, value, _ in listed]
    assert "topsecret" not in str(listed)


def test_links_that_an_orchestrator_sets_are_nobodys_settings() -> None:
    environ = {"LOANSVC_SERVICE_HOST": "10.0.0.1", "LOANSVC_PORT": "tcp://10.0.0.1:80"}
    assert Settings.from_environment(environ) == Settings()


def test_a_database_password_is_never_listed() -> None:
    settings = Settings.from_environment({"LOANSVC_DATABASE_URL": "sqlite://u:s3cr3t@/x"})
    assert "s3cr3t" not in str(list(settings.listed()))


@pytest.mark.parametrize(
    ("name", "wrong", "right"),
    [
        ("ACCESS", ["", "keys", "key,", "key;token", "none"], ["key", "signature, token"]),
        ("PUBLIC_URL", ["x.cn", "ftp://x.cn", "https://x.cn/", "https://x.cn/?a", "https://a b"],
         ["https://x.cn", "http://[::1]:80", "https://x.cn/loans"]),
        ("METRICS", ["all", "10.1.2.3/8", "10.1.2.3,", "10.0.0.0/33", "None"],
         ["none", "10.1.2.3", "10.0.0.0/8, ::1"]),
        ("LOG_REQUESTS", ["true", "Yes", "1"], ["yes", "no"]),
    ],
)  # fmt: skip
def test_a_word_or_address_is_held_to_its_form(
    name: str, wrong: list[str], right: list[str]
) -> None:
    for text in right:
        Settings.from_environment({f"LOANSVC_{name}": text})
    for text in filter(None, wrong):
        with pytest.raises(SetupRefused, match=f"LOANSVC_{name}"):
            Settings.from_environment({f"LOANSVC_{name}": text})


def test_all_ways_are_taken_unless_said_otherwise() -> None:
    assert Settings.from_environment({}).ways == ("key", "signature", "token", "console")
    assert Settings.from_environment({"LOANSVC_ACCESS": "signature, token"}).ways == (
        "signature", "token",
    )  # fmt: skip
