"""Session: who is signed in to the console, as a cookie that opens nothing else.

It names a key by its id, when it began and when it ends, under a mark that only this service can
make (the vault's). The key itself is in it in no form: whoever steals it may use the console until
the session ends, and nothing beside it. The server keeps no list of sessions but of those that were
ended before their time.
"""

from __future__ import annotations

import hmac
import re
import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loansvc.ledger import Ledger, nonces
from loansvc.ledger.vault import Vault

IDLE = timedelta(minutes=30)
LONGEST = timedelta(hours=10)  # a working day
ENDED = "console session"  # what stands for a key among the nonces
_FORM = re.compile(r"([A-Za-z0-9_-]{22})\.([0-9a-f]{12})?\.([0-9]{10})\.([0-9]{10})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Session:
    """One session. `key_id` is "" before somebody has signed in."""

    session_id: str
    key_id: str
    began_at: datetime
    until: datetime

    @classmethod
    def begin(cls, key_id: str, *, now: datetime) -> Session:
        """A new one, which no earlier cookie can be."""
        return cls(secrets.token_urlsafe(16), key_id, now, now + IDLE)

    @classmethod
    def read(cls, cookie: str, vault: Vault, *, now: datetime) -> Session | None:
        """The session of a cookie; None where it is none of ours, or over."""
        text, _, mark = cookie.rpartition("~")
        match = _FORM.fullmatch(text)
        if match is None or not _same(mark, vault.session_mark(text)):
            return None
        began_at, until = (datetime.fromtimestamp(int(s), now.tzinfo) for s in match.group(3, 4))
        return cls(match[1], match[2] or "", began_at, until) if now < until else None

    def renewed(self, *, now: datetime) -> Session:
        """The same for a while longer, and never longer than a working day."""
        return replace(self, until=min(now + IDLE, self.began_at + LONGEST))

    def cookie(self, vault: Vault) -> str:
        """What the browser keeps."""
        began, until = (int(at.timestamp()) for at in (self.began_at, self.until))
        text = f"{self.session_id}.{self.key_id}.{began}.{until}"
        return f"{text}~{vault.session_mark(text)}"

    def form_token(self, vault: Vault) -> str:
        """What every form of this session carries, and no other page can know."""
        return vault.session_mark(f"form {self.session_id}")

    def owns(self, form_token: str, vault: Vault) -> bool:
        """Whether a form came from a page of this session."""
        return _same(form_token, self.form_token(vault))

    def end(self, ledger: Ledger, *, now: datetime) -> None:
        """Let no copy of its cookie be taken any more."""
        until = self.began_at + LONGEST
        nonces.is_new(ledger, ENDED, self.session_id, now=now, expires_at=until)

    def has_ended(self, ledger: Ledger) -> bool:
        """Whether its person has signed out."""
        return nonces.is_known(ledger, ENDED, self.session_id)


def _same(given: str, expected: str) -> bool:
    return hmac.compare_digest(given.encode(), expected.encode())
