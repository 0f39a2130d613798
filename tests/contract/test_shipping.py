"""What is shipped beside the program: units of systemd, compose, and what they promise."""

from __future__ import annotations

import configparser
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from loansvc.cli import loansvc

ROOT = Path(__file__).parents[2]
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
SERVICES = [unit for unit in UNITS if unit.suffix == ".service"]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))


def unit_of(path: Path) -> configparser.ConfigParser:
    unit = configparser.ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment, method-assign]
    unit.read_string(path.read_text("utf-8"))
    return unit


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_writes_to_its_folder_alone_and_gains_nothing(path: Path) -> None:
    service = unit_of(path)["Service"]
    assert service["ProtectSystem"] == "strict"
    assert service["NoNewPrivileges"] == "yes"
    assert service["CapabilityBoundingSet"] == ""
    assert service["UMask"] == "0077"
    assert (service["User"], service["StateDirectory"]) == ("loansvc", "loansvc")


@pytest.mark.parametrize("path", SERVICES, ids=lambda path: path.name)
def test_a_unit_calls_a_verb_that_there_is(path: Path) -> None:
    verbs = re.findall(r"/opt/loansvc/bin/loansvc (\w+)", path.read_text("utf-8"))
    assert verbs
    assert set(verbs) <= set(loansvc.commands)


@pytest.mark.parametrize("path", [u for u in UNITS if u.suffix == ".timer"], ids=lambda p: p.name)
def test_a_timer_starts_a_unit_that_there_is(path: Path) -> None:
    assert path.with_suffix(".service") in SERVICES


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd-analyze here")
def test_systemd_takes_the_units() -> None:
    done = subprocess.run(
        ["systemd-analyze", "verify", *UNITS], capture_output=True, text=True, check=False
    )
    ours = [line for line in done.stderr.splitlines() if "not executable" not in line]
    assert [line for line in ours if "loansvc" in line] == []


@pytest.mark.parametrize("name", ["service", "worker", "backup"])
def test_a_container_of_ours_may_write_to_its_volumes_alone(name: str) -> None:
    service = COMPOSE["services"][name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not any("PASSWORD" in key for key in service["environment"])


def test_every_volume_and_secret_of_compose_is_declared() -> None:
    for service in COMPOSE["services"].values():
        for volume in service.get("volumes", []):
            assert volume.partition(":")[0] in COMPOSE["volumes"]
        assert set(service.get("secrets", [])) <= set(COMPOSE["secrets"])


def test_folders_of_volumes_belong_to_the_user_of_the_image() -> None:
    text = (ROOT / "Dockerfile").read_text("utf-8")
    for name in ("service", "backup"):
        for volume in COMPOSE["services"][name]["volumes"]:
            assert volume.split(":")[1] in text
