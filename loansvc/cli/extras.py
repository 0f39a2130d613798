"""Extras: what a command says where the packages are missing that only some installs have."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from loansvc.errors import SetupRefused


@contextmanager
def needs(extra: str, who: str) -> Iterator[None]:
    """Around what needs that extra; `who` needs it, in a word or two.

    Raises:
        SetupRefused: a package of others cannot be imported. One of ours is our own mistake.
    """
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] == "loansvc":
            raise
        raise SetupRefused(
            f"{who} needs more packages ({error.name or error}). "
            f"Run: pip install 'loansvc[{extra}]', or make dev in a checkout"
        ) from error
