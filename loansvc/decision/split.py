"""Split: which applicants a challenger decides instead of the champion. Pure, whole numbers.

Each applicant falls into one of 10,000 buckets for a product, by a digest of their keyed pseudonym
and the product: the same for every application, worker and day, and another for another product.
Each challenger with a share holds buckets of its own, so that no two of them pick the same person.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Any

from loansvc.editions import Edition

BUCKETS = 10_000
PERCENT = BUCKETS // 100
MOST_SHARE_PERCENT = 50  # of all challengers of a product together: the champion decides most


def bucket_of(mark: str, salt: str) -> int:
    """The bucket of an applicant, 0 to 9,999; `mark` is a keyed pseudonym, `salt` the product.

    2^256 is no multiple of 10,000: the buckets differ in size by less than 2^-240.

    >>> bucket_of("v1:00", "credit_loan"), bucket_of("v1:00", "talent_loan")
    (1634, 1405)
    """
    digest = hashlib.sha256(f"{salt}\0{mark}".encode()).digest()
    return int.from_bytes(digest) % BUCKETS


def decider_of(bucket: int, challengers: Iterable[Edition[Any]]) -> Edition[Any] | None:
    """The challenger that decides the applicants of this bucket; None: the champion."""
    return next((c for c in challengers if holds(c, bucket)), None)


def holds(challenger: Edition[Any], bucket: int) -> bool:
    """Whether a bucket is one of the challenger's; after the last comes the first."""
    behind = (bucket - challenger.share_from_percent * PERCENT) % BUCKETS
    return behind < challenger.share_percent * PERCENT
