"""The split: who is decided by a challenger, as a pure function of a mark and the product."""

from dataclasses import replace
from datetime import date
from itertools import product
from math import sqrt

import pytest

from loansvc.decision.split import BUCKETS, bucket_of, decider_of, holds
from loansvc.editions import Edition, Head

HEAD = Head("scorecard", "credit_loan", date(2026, 7, 1), "test", None)


def challenger(share_percent: int, *, first: int, digest: str = "a") -> Edition[None]:
    return Edition(
        kind="scorecard", product="credit_loan", role="challenger", valid_from=HEAD.valid_from,
        approver="test", digest=digest, path=digest, head=HEAD, content=None,
        share_percent=share_percent, share_from_percent=first,
    )  # fmt: skip


@pytest.mark.parametrize("first", [0, 40, 95])
def test_a_share_holds_exactly_its_part_of_the_buckets(first: int) -> None:
    """Also where its places go on from the last bucket to the first."""
    one = challenger(10, first=first)
    assert sum(holds(one, bucket) for bucket in range(BUCKETS)) == BUCKETS // 10


def test_a_larger_share_keeps_everybody_of_the_smaller_one() -> None:
    small = challenger(10, first=95)
    large = replace(small, share_percent=30)
    assert all(holds(large, b) for b in range(BUCKETS) if holds(small, b))


def test_two_challengers_never_pick_the_same_person() -> None:
    one, other = challenger(30, first=90), challenger(20, first=20, digest="b")
    picked = [decider_of(b, [one, other]) for b in range(BUCKETS)]
    assert picked == [decider_of(b, [other, one]) for b in range(BUCKETS)]
    assert [picked.count(c) for c in (one, other, None)] == [3000, 2000, 5000]


def test_who_shadows_only_decides_nobody() -> None:
    assert {decider_of(b, [challenger(0, first=0)]) for b in range(BUCKETS)} == {None}


def test_people_fall_into_every_tenth_alike() -> None:
    """20,000 marks: a tenth within five standard errors, for every tenth and two products."""
    n = 20_000
    counts = dict.fromkeys(product(("credit_loan", "fast_loan"), range(10)), 0)
    for i, salt in product(range(n), ("credit_loan", "fast_loan")):
        counts[salt, bucket_of(f"v1:{i:064x}", salt) // (BUCKETS // 10)] += 1
    most = 5 * sqrt(n * 0.1 * 0.9)
    assert max(abs(count - n / 10) for count in counts.values()) <= most


def test_two_products_share_people_out_apart() -> None:
    """Of those in the first tenth for one product, a tenth is in it for another."""
    n, first = 20_000, BUCKETS // 10
    both = sum(
        bucket_of(mark, "credit_loan") < first and bucket_of(mark, "fast_loan") < first
        for mark in (f"v1:{i:064x}" for i in range(n))
    )
    assert abs(both - n / 100) <= 5 * sqrt(n * 0.01 * 0.99)
