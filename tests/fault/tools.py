"""What a fault needs of the machine: a test that does not find it is skipped, and says why."""

from __future__ import annotations

import shutil

import pytest


def needs(*programs: str) -> None:
    """Skip the test where a program is missing."""
    for program in programs:
        if shutil.which(program) is None:
            pytest.skip(f"no {program}")
