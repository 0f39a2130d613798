"""What a fault needs: of the machine, where a test is skipped and says why; and writers to kill."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence

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


def begun_together(code: str, arguments: Sequence[Sequence[str]]) -> list[subprocess.Popen[str]]:
    """Processes of that code, one for each row of arguments, let go in the same moment.

    Each says "ready" and reads a line before it begins.
    """
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", code, *row],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )
        for row in arguments
    ]  # fmt: skip
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("\n")
        writer.stdin.flush()
    return writers
