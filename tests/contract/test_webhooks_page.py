"""What docs/webhooks.md says in figures and words is what the program does."""

from __future__ import annotations

import json
import re

from loansvc.cli.webhooks import webhooks as verbs
from loansvc.ledger.outbox import LEASE_MS
from loansvc.settings import Settings
from loansvc.web.webhooks import ABOUT
from loansvc.webhooks import JITTER, SCHEDULE_S, working
from loansvc.webhooks.sending import CONNECT_SECONDS, MOST_SECONDS
from tests.webhooks import PAGE

TEXT = PAGE.read_text("utf-8")


def in_words(seconds: int) -> str:
    if seconds < 60:
        return f"{seconds} s"
    return f"{seconds // 60} min" if seconds < 3600 else f"{seconds // 3600} h"


def test_every_bound_is_as_the_page_says() -> None:
    for text in (
        f"{CONNECT_SECONDS:.0f} s to connect to each address, {MOST_SECONDS:.0f} s from there",
        f"| {', '.join(map(in_words, SCHEDULE_S))}, each up to {JITTER * 100:.0f} % longer",
        f"| {len(SCHEDULE_S) + 1}, over 75 h 35 min at least",
        f"one message of an endpoint, {working.LANES} in all",
        f"goes out again after {LEASE_MS // 1000} s",
        f"{Settings().webhook_days} days after it was sent",
    ):
        assert text in TEXT, text
    assert sum(SCHEDULE_S) == 75 * 3600 + 35 * 60 + 5
    assert working.LOOK_SECONDS == 0.5, "twice a second"


def test_every_event_is_told_with_its_members() -> None:
    rows = dict(re.findall(r"^\| `([a-z.]+)` \| [^|]+ \| ([^|]+) \|", TEXT, re.M))
    assert {event: set(re.findall(r"`(\w+)`", of)) for event, of in rows.items()} == {
        event: set(data) for event, (_, _, data) in ABOUT.items()
    }
    [example] = re.findall(r"```json\n(.*?)\n```", TEXT, re.S)
    assert json.loads(example)["type"] in ABOUT


def test_every_verb_is_told() -> None:
    assert set(re.findall(r"^\$ loansvc webhooks (\w+)", TEXT, re.M)) == set(verbs.commands)
