"""Reject inference: what the turned-away would have done, as a band of assumptions.

Nobody saw their outcomes, and no method can bring them back: each replaces them by an assumption.

    accepted only   a model of the accepted speaks for the rejected of the same characteristics
    augmentation    the same, each accepted case standing for 1 / P(accepted | band) applicants
    parcelling k    in each band the rejected are k times as bad as the accepted: every one enters
                    as a part bad and a part good, so nothing is drawn

A band is a tenth of all applicants by the model of the accepted (or by scores the caller gives),
joined to its neighbour until enough accepted cases stand in it.

The result is the band these assumptions span, never one number. The truth need not lie in it: what
the old rule saw and the characteristics do not show moves the rejected by an unknown amount.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from html import escape
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loansvc.training.validation import auc, out_of_fold

FACTORS = (1.0, 1.5, 2.0, 3.0)  # a rejected case of a band against an accepted one
N_BANDS = 10
LEAST_ACCEPTED = 100  # in a band: fewer do not carry a bad rate of a few percent
LEAST_CHANCE = 0.01  # of being accepted: nobody stands for more than a hundred applicants
N_FOLDS = 5
CAVEAT = (
    "The band spans assumptions, not sampling error. The truth need not lie in it: nobody saw the "
    "outcomes of the rejected."
)

Predict: TypeAlias = Callable[[pd.DataFrame], NDArray[np.float64]]
Fitter: TypeAlias = Callable[[pd.DataFrame, NDArray[np.float64], NDArray[np.float64]], Predict]


class Band(NamedTuple):
    """The least and the most that the assumptions give."""

    low: float
    high: float

    def holds(self, value: float) -> bool:
        """Whether the value lies in the band."""
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True)
class Inferred:
    """What one assumption gives. Rates are shares of cases; `auc_door` None without a check."""

    method: str
    factor: float | None
    rejected_bad_rate: float
    door_bad_rate: float
    auc_door: float | None


@dataclass(frozen=True, slots=True)
class RejectBand:
    """The rejected under each assumption. The band need not hold the truth.

    `true_…`: only where the outcomes of everybody are known, as in the synthetic county.
    `n_thin`: rejected cases in tenths with fewer than LEAST_ACCEPTED accepted ones; for them every
    assumption is guesswork.
    """

    rows: tuple[Inferred, ...]
    n_accepted: int
    n_rejected: int
    n_thin: int
    accepted_bad_rate: float
    true_rejected_bad_rate: float | None
    true_door_bad_rate: float | None

    def band(self, of: str = "door_bad_rate") -> Band:
        """Least and most of `door_bad_rate`, `rejected_bad_rate` or `auc_door`.

        Raises:
            ValueError: `auc_door` was not checked.
        """
        values = [getattr(row, of) for row in self.rows]
        if None in values:
            raise ValueError(f"{of} is not known: give `check`, cases whose outcome is known")
        return Band(min(values), max(values))

    def to_dict(self) -> dict[str, Any]:
        """Everything, as plain values, the bands and the caveat with it."""
        has_auc = all(row.auc_door is not None for row in self.rows)
        measures = ("rejected_bad_rate", "door_bad_rate", *(("auc_door",) if has_auc else ()))
        bands = {of: self.band(of)._asdict() for of in measures}
        return asdict(self) | {"bands": bands, "caveat": CAVEAT}

    def _repr_html_(self) -> str:
        true = (self.true_rejected_bad_rate, self.true_door_bad_rate)
        lines = [
            _html_row(
                _name(r), [_percent(r.rejected_bad_rate), _percent(r.door_bad_rate)], r.auc_door
            )
            for r in self.rows
        ]
        bands = [self.band(of) for of in ("rejected_bad_rate", "door_bad_rate")]
        spans = [f"<b>{_percent(b.low)} to {_percent(b.high)}</b>" for b in bands]
        lines.append(_html_row("<b>band</b>", spans))
        if None not in true:
            lines.append(_html_row("truth (synthetic only)", [_percent(rate) for rate in true]))
        thin = (
            f" {self.n_thin:,} of the rejected stand where fewer than {LEAST_ACCEPTED} were "
            "accepted."
            if self.n_thin
            else ""
        )
        return (
            f"<p>{self.n_accepted:,} accepted, {_percent(self.accepted_bad_rate)} of them bad; "
            f"{self.n_rejected:,} rejected, outcome unknown.</p>"
            "<table><thead><tr><th>assumption</th><th>bad rate of the rejected</th>"
            "<th>through the door</th><th>AUC through the door</th></tr></thead>"
            f"<tbody>{''.join(lines)}</tbody></table><p>{escape(CAVEAT + thin)}</p>"
        )


def infer(
    frame: pd.DataFrame,
    is_bad: NDArray[Any],
    accepted: NDArray[np.bool_],
    *,
    fit: Fitter,
    scores: NDArray[Any] | None = None,
    p_accepted: NDArray[np.float64] | None = None,
    factors: Sequence[float] = FACTORS,
    truth: NDArray[np.bool_] | None = None,
    check: tuple[pd.DataFrame, NDArray[np.bool_]] | None = None,
    seed: int = 0,
) -> RejectBand:
    """The band over accepted only, augmentation, and parcelling with each factor.

    Args:
        frame: everybody who applied, accepted or not.
        is_bad: outcomes; those of the rejected are never looked at.
        accepted: whose outcome is known. Leave out accepted loans that are too young to tell.
        fit: `fit(X, y, sample_weight)` gives a function from a frame to PDs; see `of_estimator`.
        scores: for the bands, higher is safer. Default: a model of the accepted, out of fold.
        p_accepted: for augmentation, the chance of each row to be accepted, by a model of the old
            rule. Default: the share accepted in its band.
        factors: of parcelling, each at least 1: the old rule saw something.
        truth: outcomes of everybody, where they are known.
        check: other cases through the door with their outcome, for the AUC.
        seed: of the folds.
    """
    _refuse_what_cannot_be(frame, accepted, factors)
    x, rejected = frame[accepted], frame[~accepted]
    y = np.asarray(is_bad)[accepted].astype(np.float64)
    base = fit(x, y, np.ones(len(y)))
    risk = _risk(frame, accepted, y, fit, base, seed) if scores is None else -np.asarray(scores)
    bands = _Bands.of(risk, accepted, y)
    chance = bands.p_accepted[bands.of_row] if p_accepted is None else p_accepted
    weight = 1 / np.maximum(chance[accepted], LEAST_CHANCE)

    def inferred(method: str, factor: float | None, rate: float, predict: Predict) -> Inferred:
        door = (y.sum() + rate * len(rejected)) / len(frame)
        reached = auc(-predict(check[0]), check[1]) if check is not None else None
        return Inferred(method, factor, float(rate), float(door), reached)

    def rows() -> Iterator[Inferred]:
        yield inferred("accepted only", None, base(rejected).mean(), base)
        weighted = fit(x, y, weight * len(y) / weight.sum())
        yield inferred("augmentation", None, weighted(rejected).mean(), weighted)
        for factor in factors:
            parts = np.minimum(factor * bands.bad_rate[bands.of_row[~accepted]], 1.0)
            model = fit(*_parcelled(x, y, rejected, parts))
            yield inferred("parcelling", factor, parts.mean(), model)

    known = None if truth is None else np.asarray(truth, dtype=bool)
    return RejectBand(
        rows=tuple(rows()),
        n_accepted=len(x),
        n_rejected=len(rejected),
        n_thin=bands.n_thin,
        accepted_bad_rate=float(y.mean()),
        true_rejected_bad_rate=None if known is None else float(known[~accepted].mean()),
        true_door_bad_rate=None if known is None else float(known.mean()),
    )


def _refuse_what_cannot_be(
    frame: pd.DataFrame, accepted: NDArray[np.bool_], factors: Sequence[float]
) -> None:
    if accepted.dtype != np.bool_ or accepted.shape != (len(frame),):
        raise ValueError("accepted must be true or false for each row of frame")
    if accepted.all() or accepted.sum() < LEAST_ACCEPTED:
        raise ValueError(f"needs rejected cases, and at least {LEAST_ACCEPTED} accepted ones")
    if len(set(factors)) < 2 or min(factors) < 1:
        raise ValueError("factors must be at least two, none below 1: one assumption is no band")


def of_estimator(make: Callable[[], Any]) -> Fitter:
    """`fit` for `infer`, from a factory of estimators in the manner of scikit-learn.

    They take `fit(X, y, sample_weight=…)` and give `predict_proba`.
    """

    def fit(x: pd.DataFrame, y: NDArray[np.float64], weight: NDArray[np.float64]) -> Predict:
        model = make().fit(x, y, sample_weight=weight)
        return lambda frame: np.asarray(model.predict_proba(frame)[:, 1], dtype=np.float64)

    return fit


def _risk(
    frame: pd.DataFrame,
    accepted: NDArray[np.bool_],
    y: NDArray[np.float64],
    fit: Fitter,
    base: Predict,
    seed: int,
) -> NDArray[np.float64]:
    """PD of everybody by models that have not seen the case, so that bands mean the same."""
    x = frame[accepted]

    def predict(train: NDArray[np.int64], rest: NDArray[np.int64]) -> NDArray[np.float64]:
        return fit(x.iloc[train], y[train], np.ones(len(train)))(x.iloc[rest])

    risk = np.empty(len(frame))
    risk[accepted] = out_of_fold(predict, y.astype(bool), n_folds=N_FOLDS, seed=seed)
    risk[~accepted] = base(frame[~accepted])
    return risk


@dataclass(frozen=True, slots=True)
class _Bands:
    """Bands of risk: in which each row stands, and by band the share accepted and its bad rate."""

    of_row: NDArray[np.int64]
    p_accepted: NDArray[np.float64]
    bad_rate: NDArray[np.float64]
    n_thin: int

    @classmethod
    def of(
        cls, risk: NDArray[np.float64], accepted: NDArray[np.bool_], y: NDArray[np.float64]
    ) -> _Bands:
        edges = np.unique(np.quantile(risk, np.linspace(0, 1, N_BANDS + 1)[1:-1]))
        tenth = np.searchsorted(edges, risk, side="right")
        n_tenth = np.bincount(tenth[accepted], minlength=len(edges) + 1)
        of_row = _joined(n_tenth)[tenth]
        n = np.bincount(of_row)
        n_accepted = np.bincount(of_row[accepted], minlength=len(n))
        return cls(
            of_row=of_row,
            p_accepted=n_accepted / n,
            bad_rate=np.bincount(of_row[accepted], weights=y, minlength=len(n)) / n_accepted,
            n_thin=int((n_tenth[tenth[~accepted]] < LEAST_ACCEPTED).sum()),
        )


def _joined(n_accepted: NDArray[np.int64]) -> NDArray[np.int64]:
    """The band of each tenth: from the safest on, as few tenths as have enough accepted cases.

    >>> _joined(np.array([150, 60, 60, 200, 30])).tolist()
    [0, 1, 1, 2, 2]
    """
    band, held, bands = 0, 0, []
    for n in n_accepted.tolist():
        if held >= LEAST_ACCEPTED:
            band, held = band + 1, 0
        bands.append(band)
        held += n
    if held < LEAST_ACCEPTED and band > 0:  # the riskiest join the band below
        bands = [min(b, band - 1) for b in bands]
    return np.array(bands)


def _parcelled(
    x: pd.DataFrame, y: NDArray[np.float64], rejected: pd.DataFrame, parts: NDArray[np.float64]
) -> tuple[pd.DataFrame, NDArray[np.float64], NDArray[np.float64]]:
    """The accepted, and each of the rejected twice: as bad by its part, as good by the rest."""
    weight = np.concatenate([np.ones(len(y)), parts, 1 - parts])
    outcome = np.concatenate([y, np.ones(len(parts)), np.zeros(len(parts))])
    rows = weight > 0
    people = pd.concat([x, rejected, rejected], ignore_index=True)
    return people[rows], outcome[rows], weight[rows]


def _name(row: Inferred) -> str:
    return row.method if row.factor is None else f"{row.method}, {row.factor:g} times as bad"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.2f} %"


def _html_row(name: str, rates: Sequence[str], reached: float | None = None) -> str:
    shown = (name, *rates, "" if reached is None else f"{reached:.4f}")
    return f"<tr>{''.join(f'<td>{text}</td>' for text in shown)}</tr>"
