"""Report: the model card, for people: purpose, data, protocol, figures, limits, and every bin."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from loansvc.application import CATALOGUE

TITLES = {
    "credit_loan": "信用贷",
    "talent_loan": "人才贷",
    "fast_loan": "快服贷",
    "online_loan": "线上贷",
}


def model_card(document: Mapping[str, Any]) -> str:
    """The model card of a scorecard document, in Markdown."""
    product, first_day = document["product"], document["valid_from"]
    parts = [
        f"# Scorecard {product} ({TITLES[product]}), from {first_day}: SYNTHETIC DATA",
        f"> {document['statement']}",
        _purpose(document),
        _data(document["training"]),
        _protocol(document["training"]),
        _figures(document["training"]),
        _limits(document["training"]),
        _points(document),
    ]
    return "\n\n".join(parts) + "\n"


def _purpose(document: Mapping[str, Any]) -> str:
    product, base = document["product"], document["base_points"]
    governance = document["training"]["governance"]
    started_on = document["training"]["run"]["started_at"][:10]
    dated_back = (
        "\nDated back for the examples; nothing was decided under it before it was made."
        if started_on > document["valid_from"]
        else ""
    )
    return f"""## 1. Purpose

Gives an applicant of `{product}` a score in whole points: base {base} plus the points of one
bin per characteristic. 600 points are odds of 50 : 1 good to bad, 20 more points double the odds.
The score stands for the probability of default (90 days past due or worse) within 12 months of the
first draw. It is one input of a decision: eligibility, limit, price and guarantee are the
policy's, and a village's own record is added from the village register.

Intended use: {governance["intended_use"]}
Impact assessment (PIPL art. 55): {governance["impact_assessment_id"]}.

Reference: {document["reference"]}. To be reviewed by {document["review_by"]}.{dated_back}"""


def _data(training: Mapping[str, Any]) -> str:
    data = training["data"]
    return f"""## 2. Data (synthetic)

Source: {data["source"]}. Nobody in it exists. Applications from {data["first_application"]} to
{data["last_application"]}, outcomes known on {data["outcome_known_on"]}; {data["sampling"]}.
{data["n_applicants"]:,} applicants were drawn.
Trained on: {data["n"]:,} loans, {data["n_bad"]:,} of them bad.
SHA-256 of that table as CSV: `{data["sha256"]}`.
Storage: {data["storage"]}."""


def _protocol(training: Mapping[str, Any]) -> str:
    model, run, agreement = training["model"], training["run"], training["agreement"]
    shares = ", ".join(f"{name} {share:.2f}" for name, share in model.get("shares", {}).items())
    calibration = model["calibration"]
    compaction, bound, rounding, largest, mean = (
        f"{agreement[name]:.2f} points"
        for name in (
            "largest_compaction_points", "rounding_bound_points", "largest_rounding_points",
            "largest_points", "mean_absolute_points",
        )
    )  # fmt: skip
    return f"""## 3. Protocol

1. Numbers fall into cells between round edges; grades are ranks; "not known" is a value of its own.
2. A blend of additive models on these cells: `smooth` (neighbouring cells differ little), `woe` (a
   regression on the weight of evidence), `around` (smooth around that regression) and `boosted`
   ({model["bags"]} bags of boosted trees in which no two characteristics meet, each stopped by the
   fold it left out), monotone where the catalogue gives a direction; seed {model["seed"]}. Weighed
   on predictions out of fold: {shares or "the WoE regression alone, for bad cases are few"}.
3. The model is collapsed into one table a characteristic. Tables and model agree within
   {agreement["parity_bound_log_odds"]:g} in log-odds on every cell, "not known" included, or the
   training stops.
4. Those weights are the calibration, too: intercept {calibration["intercept"]:.4f}, sum of the
   weights {calibration["slope"]:.4f}.
5. Cells are joined into at most 8 bins (12 for arrears and enquiries) by weighted least squares; on
   the cases laid aside this moved a score by at most {compaction}.
6. Whole points: at most half a point a characteristic. No applicant whatever can move by more
   than {bound}; the cases laid aside moved by at most {rounding}.

**Largest difference between card and trained model on the cases laid aside: {largest}**
(mean: {mean}).

Made by {run["operator"]} with `{run["script"]}`,
{run["started_at"]} to {run["ended_at"]}; {run["machine"]}, Python {run["python"]},
{_libraries(run["libraries"])}."""


def _libraries(libraries: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {version}" for name, version in libraries.items())


def _figures(training: Mapping[str, Any]) -> str:
    held, door = training["held_out"], training["through_the_door"]
    interval = f"{held['auc_low']:.4f} to {held['auc_high']:.4f}"
    held_auc, held_best = f"{held['auc']:.4f}", f"{held['oracle_auc']:.4f}"
    n, n_bad = f"{held['n']:,}", f"{held['n_bad']:,}"
    rows = "\n".join(_grade_row(g) for g in held["by_grade"])
    return f"""## 4. Figures (synthetic)

The oracle knows the true log-odds behind characteristics (hidden values too) and month, without the
village: no card of these characteristics can be expected to do better.

| cases | n | bad | AUC of the card | 95 % interval | AUC of the oracle |
|---|--:|--:|--:|--:|--:|
| laid aside | {n} | {n_bad} | {held_auc} | {interval} | {held_best} |
| through the door | {door["n"]:,} | | {door["auc"]:.4f} | | {door["oracle_auc"]:.4f} |

Laid aside: KS {held["ks"]:.4f}, Brier {held["brier"]:.5f}, calibration slope
{held["calibration_slope"]:.3f}. By grade (without village points; interval: 95 %, Jeffreys):

| grade | n | bad | bad rate | mean PD of the card | bad rate may be |
|---|--:|--:|--:|--:|--:|
{rows}"""


def _grade_row(row: Mapping[str, Any]) -> str:
    n, n_bad = row["n"], row["n_bad"]
    rate, expected = (_percent(n_bad / n), _percent(row["mean_pd"])) if n else ("", "")
    interval = f"{_percent(row['bad_rate_low'])} to {_percent(row['bad_rate_high'])}"
    return f"| {row['grade']} | {n:,} | {n_bad:,} | {rate} | {expected} | {interval} |"


def _percent(share: float | None) -> str:
    return "" if share is None else f"{100 * share:.2f} %"


def _limits(training: Mapping[str, Any]) -> str:
    neutral, held, door = (training[part] for part in ("neutral", "held_out", "through_the_door"))
    lines = [
        "## 5. Limits",
        "",
        *(f"- {limit}" for limit in training["governance"]["limits"]),
        "- Trained on the accepted alone. Below the oracle in AUC: laid aside "
        f"{held['oracle_auc'] - held['auc']:.4f}, through the door {door['distance']:.4f}.",
        "- Findings of this training: " + ("; ".join(training["findings"]) or "none") + ".",
        "- Neutral points, because fewer than 30 cases tell: "
        f'"not known" of {", ".join(neutral["not_known"]) or "none"}; '
        f"the words {', '.join(neutral['words']) or 'none'}.",
    ]
    return "\n".join(lines)


def _points(document: Mapping[str, Any]) -> str:
    tables = [
        _table(name, table["bins"]) for name, table in sorted(document["characteristics"].items())
    ]
    return "\n\n".join(["## 6. Points (synthetic)", *tables])


def _table(name: str, bins: list[dict[str, Any]]) -> str:
    row = CATALOGUE[name]
    unit = "" if row.words else f", {row.unit}"
    lines = [
        f"### {row.zh} {row.en} (`{name}`{unit})",
        "",
        "| value | points | loans | bad | bad rate |",
        "|---|--:|--:|--:|--:|",
    ]
    for b in bins:
        rate = _percent(b["n_bad"] / b["n"] if b["n"] else None)
        lines.append(f"| {_value(b)} | {b['points']:+d} | {b['n']:,} | {b['n_bad']:,} | {rate} |")
    return "\n".join(lines)


def _value(bin_: Mapping[str, Any]) -> str:
    """What a bin holds, in words.

    >>> _value({"from": 12, "to": 36}), _value({"to": 12}), _value({"state": "missing"})
    ('12 to below 36', 'below 12', 'not known')
    """
    if "state" in bin_:
        return {"missing": "not known", "unseen": "never seen in training"}[bin_["state"]]
    if "words" in bin_:
        return ", ".join(bin_["words"])
    if "from" not in bin_:
        return f"below {bin_['to']:,}" if "to" in bin_ else "any"
    return (
        f"{bin_['from']:,} and more"
        if "to" not in bin_
        else f"{bin_['from']:,} to below {bin_['to']:,}"
    )
