"""`loansvc doctor`: what is amiss is named with what to do; what is well is said to be."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from loansvc.cli import doctor
from loansvc.ledger import keys
from loansvc.ledger.endpoints import disable
from loansvc.underwriting import Underwriting
from tests.e2e.service import free_port
from tests.shell import run as shell_run
from tests.small import NOON, an_application, small_models, small_underwriting
from tests.webhooks import a_message, add


class Place(NamedTuple):
    """A home that is in order, looked at on 23 November at noon."""

    home: Path
    models: Path
    root: Underwriting

    def look(self) -> dict[tuple[str, str], doctor.Finding]:
        """Findings by level and what they are about; the last one of each."""
        return {(one.level, one.about): one for one in doctor.findings(NOON)}


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    home, models = tmp_path / "home", small_models(tmp_path)
    monkeypatch.setenv("LOANSVC_HOME", str(home))
    monkeypatch.setenv("LOANSVC_MODELS", str(models))
    monkeypatch.setenv("LOANSVC_PORT", str(free_port()))
    root = small_underwriting(tmp_path, models=models)
    yield Place(home, models, root)
    root.ledger.close()


def test_it_is_told_in_lines_or_as_json_and_fails_if_anything_is_wrong(
    place: Place, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    status, out, err = shell_run(capfd, monkeypatch, "doctor")
    assert (status, out.splitlines()[-1], err) == (0, "nothing wrong", "")
    (place.home / "vault.json").chmod(0o644)
    status, out, err = shell_run(capfd, monkeypatch, "doctor")
    assert (status, out.splitlines()[-1], err) == (1, "1 wrong", "")
    assert "wrong  ledger    " in out
    status, out, err = shell_run(capfd, monkeypatch, "doctor", "--json")
    assert (status, err) == (1, "")
    assert [one["about"] for one in json.loads(out)["findings"] if one["level"] == "wrong"] == [
        "ledger"
    ]


def test_what_is_well_is_said_to_be(place: Place) -> None:
    """Nothing is wrong before the first client has a key; and nothing was changed by looking."""
    before = sorted(os.listdir(place.home))
    found = place.look()
    levels = {about: level for level, about in found if level != "note"}
    assert levels == dict.fromkeys(("settings", "home", "ledger", "clock", "editions"), "ok")
    assert found["note", "keys"].remedy == "loansvc keys create CLIENT"
    assert found["note", "service"].remedy == "loansvc serve"
    assert sorted(os.listdir(place.home)) == before


def test_a_home_that_is_not_there_is_told_once(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANSVC_HOME", str(place.home / "nowhere"))
    found = place.look()
    assert [about for level, about in found if level == "wrong"] == ["home"]
    assert found["wrong", "home"].remedy == "loansvc serve makes it; or set LOANSVC_HOME"
    assert not (place.home / "nowhere").exists()


def test_a_setting_that_is_none_is_all_there_is_to_say(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOANSVC_THREDS", "4")
    found = place.look()
    assert [*found] == [("wrong", "settings")]
    assert found["wrong", "settings"].says.startswith("LOANSVC_THREDS is not a setting.")


def test_keys_that_others_can_read(place: Place) -> None:
    (place.home / "vault.json").chmod(0o640)
    assert "chmod 600" in place.look()["wrong", "ledger"].says


def test_a_disk_that_is_nearly_full(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        free: int

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(free=10**8))
    assert place.look()["wrong", "home"].says.startswith("0.1 GB free")


def test_a_home_that_cannot_be_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Root may write anywhere: the refusal is made."""

    def refused(**_given: Any) -> Any:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(tempfile, "TemporaryFile", refused)
    assert "Permission denied" in place.look()["wrong", "home"].says


def test_keys_of_another_ledger(place: Place) -> None:
    place.root.ledger.close()
    vault = place.home / "vault.json"
    document = json.loads(vault.read_text())
    text = json.dumps(document)
    secret = next(word for word in text.split('"') if len(word) > 40)
    vault.write_text(text.replace(secret, ("A" if secret[0] != "A" else "B") + secret[1:]))
    assert "is not the one this ledger was written with" in place.look()["wrong", "ledger"].says


def test_a_clock_that_is_behind_the_ledger(place: Place) -> None:
    """Decisions would be recorded before those that came before them."""
    ahead = Underwriting(
        place.root.registry, place.root.ledger, clock=lambda: NOON + timedelta(hours=2)
    )
    ahead.decide(an_application(1), client="bank")
    found = place.look()["wrong", "clock"]
    assert found.remedy == "set the clock (NTP) before anything is decided"


def test_entries_that_nobody_signs_for(place: Place) -> None:
    place.root.decide(an_application(1), client="bank")
    assert place.look()["note", "ledger"].says == "1 entries are not signed for yet."


def test_a_key_that_is_about_to_end(place: Place) -> None:
    key, _ = keys.create(
        place.root.ledger, client="bank", scopes=("read",), now=NOON,
        expires_at=NOON + timedelta(days=3),
    )  # fmt: skip
    found = place.look()
    assert found["ok", "keys"].says == "1 of 1 clients"
    assert found["note", "keys"].remedy == f"loansvc keys rotate {key.key_id}"


def test_an_edition_that_was_changed(place: Place) -> None:
    card = next((place.models / "scorecards" / "credit_loan").glob("*.json"))
    card.write_text(card.read_text().replace("580", "581"))
    assert card.name in place.look()["wrong", "editions"].says


def test_issuers_that_cannot_be_read(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOANSVC_ISSUERS", str(place.home / "issuers.toml"))
    assert "issuers.toml" in place.look()["wrong", "keys"].says


def test_a_service_that_listens_for_others(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOANSVC_HOST", "192.0.2.1")  # nobody's address: nothing is asked of it
    monkeypatch.setattr(doctor, "_of_service", lambda _settings: iter(()))
    assert place.look()["note", "settings"].remedy.startswith("let a proxy speak TLS")


@pytest.mark.parametrize(
    ("status", "body", "level", "says"),
    [
        pytest.param(200, b'{"status":"ready"}', "ok", "ready at", id="ready"),
        pytest.param(503, b"{}", "wrong", "is not ready", id="not ready"),
        pytest.param(200, b"<html>", "wrong", "Something else answers", id="another program"),
    ],
)
def test_whoever_answers(
    place: Place, monkeypatch: pytest.MonkeyPatch, status: int, body: bytes, level: str, says: str
) -> None:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_given: object) -> None:
            """Nothing."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        monkeypatch.setenv("LOANSVC_PORT", str(server.server_port))
        assert says in place.look()[level, "service"].says
        thread.join()


def test_what_clients_are_not_told(place: Place) -> None:
    endpoint_id, _ = add(place.root)
    a_message(place.root)
    assert ("note", "webhooks") not in place.look()
    later = NOON + timedelta(minutes=6)
    [note] = [one for one in doctor.findings(later) if one.about == "webhooks"]
    assert (note.level, note.remedy) == ("note", "run a worker: loansvc worker")
    with place.root.ledger.writing() as ledger:
        disable(ledger, endpoint_id, "410", now=NOON, entry_id="adm_2", by="test")
    said = [one.says for one in doctor.findings(NOON) if one.about == "webhooks"]
    assert said == [
        f"{endpoint_id} of bank was disabled on 2026-11-23.",
        f"1 messages to {endpoint_id} of bank were given up.",
    ]
