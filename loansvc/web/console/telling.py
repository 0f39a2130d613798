"""Telling: a decision in one sentence, in Chinese and English, with what weighed most."""

from __future__ import annotations

from typing import Any

from loansvc.monitoring.words import OUTCOME_WORDS

Text = tuple[str, str]  # Chinese, English
MOST_TOLD = 2  # reasons: a sentence with more is not read to its end


def summary(document: dict[str, Any]) -> Text:
    """The answer and its weightiest reasons; a person's where one decided."""
    if "override" in document:
        return _override(document["override"], document)
    outcome, reasons = document["outcome"], document["reasons"][:MOST_TOLD]
    zh = "；".join(reason["zh"] for reason in reasons)
    en = "; ".join(reason["en"] for reason in reasons)
    if outcome == "approve":
        terms = terms_text(document)
        return f"批准：{terms[0]}。", f"Approved: {terms[1]}."
    if outcome == "refer":
        return f"转人工审核，因为：{zh}。", f"A person has to decide, because: {en}."
    return f"不予批准，因为：{zh}。", f"Declined, because: {en}."


def _override(override: dict[str, Any], document: dict[str, Any]) -> Text:
    """What a person decided, and why; of an approval the terms that the rules gave."""
    (zh, en), why = OUTCOME_WORDS[override["outcome"]], override["reason"]
    if override["outcome"] == "approve":
        terms = terms_text(override.get("terms", document))
        zh, en = f"{zh}，{terms[0]}", f"{en}, {terms[1]}"
    return f"人工审核：{zh}。{why['zh']}。", f"A person decided: {en}. {why['en']}."


def terms_text(of: dict[str, Any]) -> Text:
    """Amount, term, rate and the bank's share, of a decision or of an override's terms."""
    offer, bank = of["offer"], of["guarantee"]["shares_percent"]["bank"]
    amount, months, rate = offer["amount_yuan"], offer["term_months"], offer["rate_bp"] / 100
    return (
        f"{amount:,}元，{months}个月，年利率{rate:.2f}%，损失由银行承担{bank}%",
        f"{amount:,} yuan over {months} months at {rate:.2f} % a year; "
        f"the bank bears {bank} % of a loss",
    )
