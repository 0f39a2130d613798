"""decide, explain, replay, example: the verb and the record of it, from the shell."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from datetime import datetime
from typing import Any, BinaryIO

import click

from loansvc.application import PRODUCTS
from loansvc.cli.days import a_day
from loansvc.errors import NotFound
from loansvc.policy.wording import list_text, word_text
from loansvc.reviewing import Reviewing
from loansvc.reviewing.words import ASKED_BY
from loansvc.settings import Settings
from loansvc.underwriting import Recorded, Underwriting, now
from loansvc.web.examples import example_application
from loansvc.web.schemas import load_application
from loansvc.web.strict_json import loads

CLIENT = "cli"
as_json = click.option("--json", "json_", is_flag=True, help="Print exactly what the API answers.")
in_chinese = click.option("--zh", "zh", is_flag=True, help="In Chinese.")
of_client = click.option("--client", help="Whose decision, where several used the same id.")


def print_json(document: Any) -> None:
    """A document as the API would answer it."""
    click.echo(json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":")))


@click.command()
@click.argument("file", type=click.File("rb"))
@click.option("--preview", is_flag=True, help="Answer without recording.")
@click.option("--on", type=a_day, help="Preview as if applied for on that day, past or to come.")
@click.option("--client", default=CLIENT, show_default=True, help="In whose name.")
@in_chinese
@as_json
def decide(
    file: BinaryIO, *, preview: bool, on: datetime | None, client: str, zh: bool, json_: bool
) -> None:
    """Decide the application in FILE (- for standard input) and record the decision."""
    if on is not None and not preview:
        raise click.UsageError("--on asks what would be decided on another day: add --preview.")
    root = Underwriting.open(Settings.from_environment(), create=True)
    codes = root.registry.village_codes
    application = load_application(loads(file.read()), today=root.today(), village_codes=codes)
    if preview:
        body = root.preview(application, on=on.date() if on else None)
    else:
        body = root.decide(application, client=client)[0].answer()
    if json_:
        print_json(body)
        return
    _print_decision(body, ZH if zh else EN)


EN = {
    "language": "en", "points": "points", "grade": "grade", "limit": "limit", "rate": "rate",
    "tier": "tier {} (bank bears {} %)", "read": " (read: {})",
    "fact": " ({}: {})", "note": "note", "under": "under",
    "bp": "bp", "base": "base points", "village": "village ({})", "score": "score", "yuan": "yuan",
    "unknown": "not known", "none": "none", "change": "what would change the answer",
    "review": "{}  review asked for by {}: ", "override": "{}  a person decided: {}: ",
    "dispute": "{}  disputed: {}, answer due {}", "overdue": "  OVERDUE",
    "terms": "{}   {} months   rate {} %   tier {}",
}  # fmt: skip
ZH = {
    "language": "zh", "points": "分", "grade": "评分等级", "limit": "额度", "rate": "年利率",
    "tier": "担保层级{}（银行承担{}%）", "read": "（读到：{}）",
    "fact": "（{}：{}）", "note": "提示", "under": "依据",
    "bp": "基点", "base": "基础分", "village": "村级分（{}）", "score": "总分", "yuan": "元",
    "unknown": "未知", "none": "无", "change": "怎样可以改变结果",
    "approve": "批准", "refer": "转人工", "decline": "不予批准", "scorecard": "评分卡",
    "villages": "村级登记册", "policy": "政策", "rates": "利率", "met": "满足",
    "not_met": "不满足", "not_applicable": "不适用", "rated": "已评定", "grace": "宽限期",
    "expired": "已过期", "revoked": "已撤销", "unrated": "未评定", "guarantee": "担保",
    "review": "{}  {}要求人工复核：", "override": "{}  人工决定：{}：",
    "dispute": "{}  异议：{}，应于{}前答复", "overdue": "（已逾期）",
    "terms": "{}   {}个月   年利率 {} %   担保层级{}",
}  # fmt: skip


def _print_decision(body: dict[str, Any], words: dict[str, str]) -> None:
    language = words["language"]
    parts = [
        words.get(body["outcome"], body["outcome"]),
        f"{body['score']} {words['points']}",
        f"PD {100 * body['pd_12m']:.2f} %",
        f"{words['grade']} {body['grade']}",
    ]
    if body["offer"]:
        offer, guarantee = body["offer"], body["guarantee"]
        parts.append(f"{words['limit']} {yuan(offer['limit_yuan'], words)}")
        parts.append(f"{words['rate']} {offer['rate_bp'] / 100:.2f} %")
        bank = guarantee["shares_percent"]["bank"]
        parts.append(words["tier"].format(guarantee["tier"], bank))
    click.echo("   ".join(parts))
    for reason in body["reasons"]:
        read = words["read"].format(_read(reason["value"], words)) if "value" in reason else ""
        points = f"{reason['points']:+d} {words['points']}" if "points" in reason else ""
        click.echo(f"  {reason['code']:<5} {reason[language] + read:<60} {points}".rstrip())
    for warning in body["warnings"]:
        click.echo(f"  {words['note']}  {warning[language]}")
    references = body["editions"]
    named = (f"{words.get(kind, kind)} {references[kind]['valid_from']}" for kind in references)
    click.echo(f"  {words['under']} {' · '.join(named)}")


def _read(value: str, words: dict[str, str]) -> str:
    """What a rule read, in words; a number by its thousands, a grade or a town as it is.

    >>> _read("veteran, graduate", EN), _read("160000", EN), _read("none", ZH)
    ('veteran and graduate', '160,000', '无')
    """
    if value == "none":
        return words["none"]
    if value.isdecimal():
        return f"{int(value):,}"
    zh, en = list_text((word_text(word) for word in value.split(", ")), en="and")
    return zh if words is ZH else en


def yuan(amount: int, words: dict[str, str] = EN) -> str:
    """An amount as the command line prints it."""
    return f"{amount:,} {words['yuan']}"


def client_of(root: Underwriting, application_id: str, client: str | None) -> str:
    """Whose decision is meant: whoever has the shell may name every client's.

    Raises:
        NotFound: several clients used the id and none is named.
    """
    return chosen(root.clients_of(application_id), client)


def chosen(clients: list[str], client: str | None) -> str:
    """The client that is meant, of those who used an application_id.

    Raises:
        NotFound: there are several and none is named.
    """
    if client is None and len(clients) > 1:
        raise NotFound(
            f"Several clients used this application_id: {', '.join(clients)}. "
            "Say whose: --client NAME"
        )
    return client or (clients or [CLIENT])[0]


@click.command()
@click.argument("application_id")
@of_client
@in_chinese
@as_json
def show(application_id: str, *, client: str | None, zh: bool, json_: bool) -> None:
    """Show the decision on APPLICATION_ID, and what people did about it."""
    root = Underwriting.open(Settings.from_environment())
    whose = client_of(root, application_id, client)
    body = Reviewing(root).decision(application_id, client=whose)
    if json_:
        print_json(body)
        return
    _print_decision(body, ZH if zh else EN)
    _print_acts(body, ZH if zh else EN)


def _print_acts(body: dict[str, Any], words: dict[str, str]) -> None:
    """What people did about a decision, a line each."""
    language = words["language"]
    if review := body.get("review"):
        asked = ASKED_BY[review["asked_by"]][0 if words is ZH else 1]
        says = words["review"].format(review["asked_at"][:10], asked)
        click.echo(f"  {says}{review['reason'][language]}{_note(review)}")
    if override := body.get("override"):
        outcome = words.get(override["outcome"], override["outcome"])
        says = words["override"].format(override["decided_at"][:10], outcome)
        click.echo(f"  {says}{override['reason'][language]}{_note(override)}")
        if terms := override.get("terms"):
            offer, tier = terms["offer"], terms["guarantee"]["tier"]
            amount, rate = yuan(offer["amount_yuan"], words), f"{offer['rate_bp'] / 100:.2f}"
            click.echo(f"    {words['terms'].format(amount, offer['term_months'], rate, tier)}")
    for one in body.get("dispute", {}).get("open", ()):
        says = words["dispute"].format(one["lodged_on"], one["about"][language], one["due_on"])
        click.echo(f"  {says}{words['overdue'] if one['overdue'] else ''}")


def _note(said: dict[str, Any]) -> str:
    return f" ({said['note']})" if "note" in said else ""


def _find(root: Underwriting, application_id: str, client: str | None) -> Recorded:
    return root.find(application_id, client=client_of(root, application_id, client))


@click.command()
@click.argument("application_id")
@of_client
@in_chinese
@as_json
def explain(application_id: str, *, client: str | None, zh: bool, json_: bool) -> None:
    """Show how the decision on APPLICATION_ID came about, as lines that add up."""
    root = Underwriting.open(Settings.from_environment())
    whose = client_of(root, application_id, client)
    explanation = Reviewing(root).explain(application_id, client=whose)
    if json_:
        print_json(explanation)
        return
    _print_explanation(explanation, ZH if zh else EN)


def _print_explanation(explanation: dict[str, Any], words: dict[str, str]) -> None:
    score, language = explanation["score"], words["language"]
    outcome, state = explanation["outcome"], score["village"]["state"]
    click.echo(f"{words.get(outcome, outcome)}   {explanation['application_id']}")
    click.echo(f"  {score['base_points']:>5}  {words['base']}")
    for line in score["characteristics"]:
        # A bin's Chinese text names what it is a bin of.
        said = line["bin"]["zh"] if words is ZH else f"{line['label_en']}: {_value(line)}"
        click.echo(f"  {line['points']:>+5}  {said}")
    village = words["village"].format(words.get(state, state))
    click.echo(f"  {score['village']['points']:>+5}  {village}")
    click.echo(f"  {score['total']:>5}  {words['score']}")
    for rule in explanation["rules"]:
        value, label = rule[f"value_{language}"], rule[f"label_{language}"]
        read = "" if value is None else words["fact"].format(label, value)
        result = words.get(rule["result"], rule["result"])
        click.echo(f"  {rule['id']:<5} {result:<15} {rule[language]}{read}")
    for step, lines in explanation["derivation"].items():
        click.echo(f"  {words.get(step, step)}")
        for line in lines:
            click.echo(f"    {_figure(line, words):>14}  {line[language]}")
    click.echo(f"  {words['change']}")
    for way in explanation["what_would_change"]:
        click.echo(f"    {way[language]}")
    click.echo(f"    {explanation['what_would_change_note'][language]}")
    _print_acts(explanation, words)


def _value(line: dict[str, Any]) -> str:
    """The value read and the bin it fell in, such as "35 [5 to below 55]"."""
    bin_ = line["bin"]
    if line["value"] is None:
        return EN["unknown"]
    if bin_["words"] or bin_["state"]:
        return f"{line['value']} [{' or '.join(bin_['words']) or 'not seen in training'}]"
    if bin_["from"] == line["value"] and bin_["to"] == line["value"] + 1:
        return str(line["value"])
    ends = f"from {bin_['from']} " if bin_["from"] is not None else ""
    ends += f"to below {bin_['to']}" if bin_["to"] is not None else ""
    return f"{line['value']} [{ends.strip() or 'any'}]"


def _figure(line: dict[str, Any], words: dict[str, str]) -> str:
    if "yuan" in line:
        return yuan(line["yuan"], words)
    if "bp" in line:
        return f"{line['bp']} {words['bp']}"
    return f"{line['percent']} %" if "percent" in line else ""


@click.command()
@click.argument("application_id", required=False)
@click.option("--all", "all_", is_flag=True, help="Replay every decision.")
@of_client
@as_json
@click.pass_context
def replay(
    context: click.Context,
    application_id: str | None,
    *,
    all_: bool,
    client: str | None,
    json_: bool,
) -> None:
    """Decide APPLICATION_ID again from what was recorded, and compare."""
    if all_ == (application_id is not None):
        raise click.UsageError("Give an APPLICATION_ID or --all.")
    root = Underwriting.open(Settings.from_environment())
    if application_id is not None:
        result = root.replay(_find(root, application_id, client))
        if json_:
            print_json(result)
        else:
            click.echo(_replay_line(result))
        context.exit(0 if result["identical"] else 1)
    n_replayed = n_different = 0
    for recorded in _every(root, client):
        result = root.replay(recorded)
        n_replayed += 1
        n_different += not result["identical"]
        if json_:
            print_json(result)
        elif not result["identical"]:
            click.echo(_replay_line(result))
    if not json_:
        n_erased = len(root.erased(client=client))
        erased = f", {n_erased} erased" if n_erased else ""
        click.echo(f"{n_replayed} replayed, {n_different} different{erased}")
    context.exit(1 if n_different else 0)


def _replay_line(result: dict[str, Any]) -> str:
    if result["identical"]:
        return f"identical   {result['application_id']}"
    where = ", ".join(difference["pointer"] for difference in result["differences"])
    return f"different   {result['application_id']}   {where}"


def _every(root: Underwriting, client: str | None) -> Iterator[Recorded]:
    """Every decision (of one client), newest first, with a progress bar on standard error."""
    page, before = root.page(client=client, limit=100)
    length = page[0].entry.sequence if page else 0
    with click.progressbar(length=length, label="Replaying", file=sys.stderr) as bar:
        while page:
            for recorded in page:
                yield recorded
                bar.update(1)
            if before is None:
                break
            page, before = root.page(client=client, limit=100, before=before)


@click.command()
@click.option("--product", type=click.Choice(PRODUCTS), default=PRODUCTS[0], show_default=True)
@click.option("--number", type=click.IntRange(0, 999_999), help="Default: from the clock.")
def example(product: str, number: int | None) -> None:
    """Print a valid application (invented) that the shipped editions approve."""
    number = int(time.time()) % 1_000_000 if number is None else number
    document = example_application(product, today=now().date(), number=number)
    click.echo(json.dumps(document, ensure_ascii=False, indent=1))


COMMANDS = (decide, show, explain, replay, example)
