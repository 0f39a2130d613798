"""Letter: a decision as the applicant reads it, on one page, in plain words and without points.

What it says is put together here once, for the page and for the PDF (`letter_pdf`).
Sources of the rights: 个人信息保护法 art. 24 (3), 征信业管理条例 art. 25.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

from flask import Response

from loansvc.errors import NotFound, NotReproducible
from loansvc.monitoring.words import PRODUCT_WORDS
from loansvc.policy.wording import COUNTER_GUARANTEE_TEXTS
from loansvc.reviewing.facts import DISPUTE_DAYS
from loansvc.reviewing.showing import shown
from loansvc.underwriting import Recorded
from loansvc.web.access import client, underwriting
from loansvc.web.console.decisions import asked_for
from loansvc.web.console.frame import blueprint, language, page, signed_in

Text = tuple[str, str]  # Chinese, English
TITLE: Text = ("贷款申请决定通知书", "Decision on your loan application")
SIGNED: tuple[Text, Text] = (("经办机构（盖章）", "Lender (seal)"), ("日期", "Date"))
ANSWERS: dict[str, Text] = {
    "approve": ("您的申请已获批准。", "Your application is approved."),
    "decline": ("您的申请未获批准。", "Your application is declined."),
    "refer": (
        "您的申请将由人工审核，尚未作出最终决定。",
        "A person will decide your application; it is not decided yet.",
    ),
}
CHANGES: Text = ("怎样可以改变结果（不构成承诺）", "What would change it (no promise)")
MADE_BY: dict[bool, Text] = {
    True: ("由工作人员审核后作出", "by a member of staff"),
    False: ("由系统自动作出", "by a computer"),
}
RIGHT_TO_A_PERSON: Text = (
    "您可以要求说明理由，也可以不接受仅由系统自动作出的决定，要求由工作人员审核（《个人信息保护法》第二十四条）。"
    "请向经办机构提出，并出示上面的申请编号。",
    "You may ask for an explanation, and you may refuse a decision made by a computer alone and "
    "have a member of staff decide (Personal Information Protection Law, art. 24). Ask the lender, "
    "and show the application number above.",
)
RIGHT_TO_REASONS: Text = (
    "您可以要求说明理由（《个人信息保护法》第二十四条）。请向经办机构提出，并出示上面的申请编号。",
    "You may ask for an explanation (Personal Information Protection Law, art. 24). "
    "Ask the lender, and show the application number above.",
)
RIGHT_TO_OBJECT: Text = (
    f"如果您认为所用的信息有误或不全，可以向经办机构提出异议，经办机构应在收到之日起{DISPUTE_DAYS}日内"
    "书面答复（《征信业管理条例》第二十五条）。",
    f"If information used is wrong or incomplete, you may object to it; the lender answers in "
    f"writing within {DISPUTE_DAYS} days (Regulation on the Credit Reporting Industry, art. 25).",
)


@dataclass(frozen=True, slots=True)
class Part:
    """A heading and what stands under it, one line for each thing."""

    heading: Text
    lines: tuple[Text, ...]


@dataclass(frozen=True, slots=True)
class Letter:
    """A letter. `facts`: names and values at its head; `cautions`: what it must not be used for."""

    facts: tuple[tuple[Text, Text], ...]
    answer: Text
    parts: tuple[Part, ...]
    cautions: tuple[Text, ...]


@blueprint.get("/decisions/<application_id>/letter")
@signed_in("read")
def letter(application_id: str) -> Response:
    """The letter as a page that prints."""
    found = _letter(application_id)
    return page(
        "letter.html", application_id=application_id, letter=found, title=TITLE, signed=SIGNED,
        as_pdf=makes_pdf(),
    )  # fmt: skip


def makes_pdf() -> bool:
    """Whether this install has what a PDF needs: an extra, for it is large."""
    return find_spec("fpdf") is not None


@blueprint.get("/decisions/<application_id>/letter.pdf")
@signed_in("read")
def letter_pdf(application_id: str) -> Response:
    """The letter as a PDF.

    Raises:
        NotFound: this install makes none.
    """
    if not makes_pdf():
        raise NotFound("No PDF is made here. Print the page, or install loansvc[pdf].")
    from loansvc.web.console.letter_pdf import pdf  # brings Pillow, and numpy if it is there

    root = underwriting()
    data = pdf(_letter(application_id), language=language(), made_at=root.clock())
    response = Response(data, content_type="application/pdf")
    response.headers["Content-Disposition"] = f'attachment; filename="{application_id}.pdf"'
    return response


def _letter(application_id: str) -> Letter:
    root = underwriting()
    recorded = root.find(application_id, client=client())
    try:
        ways = root.explain(recorded)["what_would_change"]
    except NotReproducible:
        ways = []
    return letter_of(recorded, shown(recorded, today=root.today()), ways)


def letter_of(recorded: Recorded, document: dict[str, Any], ways: list[dict[str, Any]]) -> Letter:
    """The letter on a decision; `document`: it as it is shown, `ways`: what would change it."""
    override = document.get("override")
    final = override or document
    outcome = final["outcome"]
    parts = [*_terms(document, override)] if outcome == "approve" else [*_reasons(document)]
    if ways and override is None:
        parts.append(Part(CHANGES, tuple((way["zh"], way["en"]) for way in ways)))
    first = RIGHT_TO_REASONS if override else RIGHT_TO_A_PERSON
    parts.append(Part(("您的权利", "Your rights"), (first, RIGHT_TO_OBJECT)))
    return Letter(
        facts=_facts(recorded, document),
        answer=ANSWERS[outcome],
        parts=tuple(parts),
        cautions=tuple(
            (w["zh"], w["en"]) for w in document["warnings"] if w["code"].startswith("SYNTHETIC_")
        ),
    )


def _facts(recorded: Recorded, document: dict[str, Any]) -> tuple[tuple[Text, Text], ...]:
    override = document.get("override")
    decided_on = (override or document)["decided_at"][:10]
    asked = list(zip(*asked_for(recorded), strict=True))
    name = document["application_id"]
    found: list[tuple[Text, Text]] = [
        (("申请编号", "Application"), (name, name)),
        (("产品", "Product"), PRODUCT_WORDS[document["product"]]),
        (("申请日期", "Applied on"), (document["applied_on"], document["applied_on"])),
        (("申请内容", "Asked for"), ("，".join(asked[0]), ", ".join(asked[1]))),
    ]
    if (override or document)["outcome"] != "refer":  # else nothing is decided yet
        found.append((("决定日期", "Decided on"), (decided_on, decided_on)))
        found.append((("决定方式", "Decided"), MADE_BY[override is not None]))
    return tuple(found)


def _terms(document: dict[str, Any], override: dict[str, Any] | None) -> list[Part]:
    """What was approved, and what the applicant has to bring for it."""
    of = (override or {}).get("terms") or document
    offer, counter = of["offer"], of["guarantee"]["counter_guarantee"]
    amount, months, rate = offer["amount_yuan"], offer["term_months"], offer["rate_bp"] / 100
    lines = [
        (f"金额{amount:,}元，期限{months}个月，年利率{rate:.2f}%",
         f"{amount:,} yuan over {months} months at {rate:.2f} % a year"),
        COUNTER_GUARANTEE_TEXTS[counter],
    ]  # fmt: skip
    if offer["subsidy_bp"]:
        subsidy = f"{offer['subsidy_bp'] / 100:.2f}"
        lines.append((f"其中财政贴息{subsidy}%", f"Of the rate {subsidy} % is paid as a subsidy"))
    return [Part(("批准的条件", "Terms"), tuple(lines))]


def _reasons(document: dict[str, Any]) -> list[Part]:
    """Why: a person's reason where one decided, and the machine's where that was upheld."""
    override, lines = document.get("override"), []
    if override:
        lines.append((override["reason"]["zh"], override["reason"]["en"]))
    if override is None or override["outcome"] == document["outcome"]:
        lines += [(reason["zh"], reason["en"]) for reason in document["reasons"]]
    return [Part(("理由", "Reasons"), tuple(lines))]
