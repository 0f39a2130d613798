"""What a fault needs of the machine: a test that does not find it is skipped, and says why."""

from __future__ import annotations

import os
import shutil

import pytest


def needs(*programs: str) -> None:
    """Skip the test where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")


def needs_root() -> None:
    """Skip the test where it has not the rights for mounts, tracing and other users."""
    if os.geteuid() != 0:
        pytest.skip("not root")
