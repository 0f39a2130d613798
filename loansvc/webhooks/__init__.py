"""Webhooks: messages of the outbox signed, and sent until their receivers take them.

Source: Standard Webhooks 1.0.0, https://www.standardwebhooks.com, symmetric signatures (`v1`).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Callable, Iterable

from loansvc import __version__

# Seconds after each attempt that failed until the next; 75 h 35 min in all, ten attempts. Source:
# the example of the specification, "Deliverability and reliability".
SCHEDULE_S = (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400)
JITTER = 0.1  # of a wait, at most, on top of it: those who failed at once do not come at once again


def signature(secret: bytes, message_id: str, sent_at_s: int, body: bytes) -> str:
    """The signature of a message, as its header has it.

    >>> secret = base64.b64decode("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    >>> signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}')
    'v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE='
    """
    signed = f"{message_id}.{sent_at_s}.".encode() + body
    digest = hmac.digest(secret, signed, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"


def headers(
    message_id: str, body: bytes, secrets: Iterable[bytes], *, sent_at_s: int
) -> dict[str, str]:
    """The header fields of one attempt; `secrets`: all that sign, the newest first.

    Whoever gets it needs only one of them to fit, so that a secret is replaced without a gap.
    """
    signatures = (signature(secret, message_id, sent_at_s, body) for secret in secrets)
    return {
        "Content-Type": "application/json",
        "User-Agent": f"loansvc/{__version__}",
        "webhook-id": message_id,
        "webhook-timestamp": str(sent_at_s),
        "webhook-signature": " ".join(signatures),
    }


def wait_s(n_failed: int, *, chance: Callable[[], float], asked_s: int = 0) -> float | None:
    """Seconds until the next attempt after so many that failed; None: there is none.

    `chance` gives 0 to 1. `asked_s`: what the receiver asked to be left alone for; a day at most.

    >>> [wait_s(n, chance=lambda: 0.0) for n in (1, 2, 9, 10)]
    [5.0, 300.0, 86400.0, None]
    >>> wait_s(1, chance=lambda: 1.0), wait_s(1, chance=lambda: 0.0, asked_s=60)
    (5.5, 60.0)
    """
    if n_failed > len(SCHEDULE_S):
        return None
    own_s = SCHEDULE_S[n_failed - 1] * (1 + JITTER * chance())
    return max(own_s, float(min(asked_s, SCHEDULE_S[-1])))
