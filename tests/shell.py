"""The command line, run in this process."""

from __future__ import annotations

import sys

import pytest

from loansvc import cli


def run(
    capfd: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch, *arguments: object
) -> tuple[int, str, str]:
    """Exit status, standard output and standard error of `loansvc ARGUMENTS`."""
    patch.setattr(sys, "argv", ["loansvc", *map(str, arguments)])
    capfd.readouterr()
    with pytest.raises(SystemExit) as left:
        cli.main()
    out, err = capfd.readouterr()
    return int(left.value.code or 0), out, err
