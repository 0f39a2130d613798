"""What is written from the program itself: `make reference` writes it, a test holds it fresh."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click

from loansvc.application import CATALOGUE, PRODUCTS
from loansvc.application.catalogue import CatalogueRow
from loansvc.cli import loansvc
from loansvc.errors import EditionRefused, LoanError, SetupRefused, TableRefused
from loansvc.reasons import NOTICES, NUMBER_TEXTS, PLAIN_REASONS, WORD_CODES
from loansvc.registry import Registry
from loansvc.settings import SHIPPED, Settings, shipped
from loansvc.underwriting import Underwriting
from loansvc.web.console.words import BOUND_ZH, FIELD_ZH, REFUSAL_ZH
from loansvc.web.openapi import openapi_document

ROOT = Path(__file__).parents[1]
PAGES = ROOT / "docs" / "reference"
DOCUMENTS = ROOT / "loansvc" / "client" / "documents.py"
WRITTEN = "Written from the program by `make reference`; a test holds it fresh."
HEAD = '''"""Documents: what /openapi.json says of each, as types. Written by `make reference`."""

'''
OPTIONS = (
    "--input-file-type", "openapi", "--output-model-type", "typing.TypedDict",
    "--no-use-closed-typed-dict", "--target-python-version", "3.11", "--use-standard-collections",
    "--use-union-operator", "--use-type-alias", "--naming-strategy", "parent-prefixed",
    "--disable-timestamp", "--formatters", "builtin",
)  # fmt: skip
AGAIN = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
ELSEWHERE = (EditionRefused, SetupRefused, TableRefused)  # of starts and shells, never over HTTP
# The codes of InvalidRequest are given where it is raised.
_UNREADABLE = re.compile(r'InvalidRequest\((.{0,260}?)code="(\w+)"(?:,\s*status=(\d+))?', re.DOTALL)
RISK = {1: "grows with it", -1: "falls with it", 0: ""}


def client_documents(contract: dict[str, Any]) -> str:
    """The source of loansvc/client/documents.py, by datamodel-code-generator."""
    with tempfile.TemporaryDirectory() as folder:
        told, source = Path(folder) / "openapi.json", Path(folder) / "documents.py"
        told.write_text(json.dumps(contract), "utf-8")
        subprocess.run(
            [sys.executable, "-m", "datamodel_code_generator", *OPTIONS, "--input", told,
             "--output", source],
            check=True, capture_output=True,
        )  # fmt: skip
        return HEAD + source.read_text("utf-8").partition("\n\n")[2]


# --- pages ----------------------------------------------------------------------------------------


def cli_page() -> str:
    """Every verb and its options, as `--help` prints them."""
    blocks = [f"## {path}\n\n```text\n{text}\n```\n" for path, text in _helps(loansvc, "loansvc")]
    return _page(
        "Command line",
        "Answers on standard output, refusals in one line on standard error. Exit status 0: done "
        "(a decline is an answer); 1: refused; 2: wrong usage.",
        "\n".join(blocks),
    )


def _helps(command: click.Command, path: str, above: click.Context | None = None) -> Iterator[Any]:
    name = path.rpartition(" ")[2]
    context = click.Context(
        command, info_name=name, parent=above, terminal_width=96, help_option_names=["-h", "--help"]
    )
    yield path, command.get_help(context).rstrip()
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None
            yield from _helps(found, f"{path} {name}", context)


def settings_page() -> str:
    """Every environment variable."""
    plain = Settings()
    rows = []
    for variable, _, says in plain.listed():
        value = getattr(plain, variable.removeprefix("LOANSVC_").lower())
        default = "" if value in ("", None, SHIPPED) else f"`{_listed(value)}`"
        rows.append((f"`{variable}`", default, says))
    return _page(
        "Settings",
        "Environment variables, and nothing else. `loansvc settings` prints them with their values "
        "here, secrets masked; what is wrong stops the start with the variable and the remedy.",
        _table(("variable", "default", "meaning"), rows),
    )


def _listed(value: Any) -> str:
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def problems_page() -> str:
    """Every refusal over HTTP, and every code of a field."""
    rows = [
        (f"`{code}`", str(status), text, REFUSAL_ZH.get(code, ""),
         "yes, after `Retry-After`" if status in AGAIN else "yes" if status >= 500 else "")
        for code, (status, text) in sorted(dict(_refusals()).items())
    ]  # fmt: skip
    flaws = [(f"`{code}`", zh) for code, zh in sorted({**FIELD_ZH, **BOUND_ZH}.items())]
    return "\n".join((
        _page(
            "Problems",
            "A refusal is `application/problem+json` (RFC 9457): `type` is `/problems/` and the "
            "code, `detail` a sentence that ends in what to do, `errors` the fields with pointer, "
            "code and sentence, `request_id` what the operator finds in the log.",
            _table(("code", "status", "what it says", "中文", "the same again?"), rows),
        ),
        "## Codes of fields\n",
        _table(("code", "中文"), flaws),
    ))  # fmt: skip


def _refusals() -> Iterator[tuple[str, tuple[int, str]]]:
    for kind in _below(LoanError):
        if issubclass(kind, ELSEWHERE):
            continue
        texts = getattr(kind, "texts", {})
        for code, told in texts.items():
            status, text = told if isinstance(told, tuple) else (kind.status, told)
            yield code, (403 if code == "four_eyes" else 409 if status == 400 else status, text)
        if not texts:
            says = " ".join((kind.__doc__ or "").split("\n\n")[0].split())
            yield kind.code, (kind.status, says)
    for path in sorted((ROOT / "loansvc" / "web").glob("*.py")):
        for says, code, status in _UNREADABLE.findall(path.read_text("utf-8")):
            text = "".join(re.findall(r'"([^"]*)"', says))
            plain = text if text and "{" not in text else "The request cannot be read; it says why."
            yield code, (int(status or 400), plain)
    yield "internal_error", (500, "A mistake of ours; the log has it under the request_id.")


def _below(kind: type[LoanError]) -> Iterator[type[LoanError]]:
    for one in kind.__subclasses__():
        yield one
        yield from _below(one)


def reasons_page(registry: Registry) -> str:
    """Every code that a decision may name."""
    scored = {WORD_CODES.get(name) or NUMBER_TEXTS[name].code: name
              for name in (*WORD_CODES, *NUMBER_TEXTS)}  # fmt: skip
    parts = [_page(
        "Reasons and warnings",
        "Codes that a decision names. They are stable; what a rule asks for is its policy's.",
        "## Points lost\n\n`kind` scorecard: the characteristic lost the most points.\n\n"
        + _table(("code", "characteristic", "中文", "English"), (
            (f"`{code}`", f"`{name}`", CATALOGUE[name].zh, CATALOGUE[name].en)
            for code, name in sorted(scored.items()) if name in CATALOGUE)),
    ), "## Village, limit, guarantee, fund, consent\n", _table(
        ("code", "kind", "中文", "English"),
        ((f"`{code}`", kind, zh, en) for code, (kind, zh, en) in PLAIN_REASONS.items()),
    ), "## Warnings\n", _table(
        ("code", "中文", "English"),
        ((f"`{code}`", zh, en) for code, (zh, en) in NOTICES.items()),
    )]  # fmt: skip
    for product in PRODUCTS:
        newest = max(
            (one for one in registry.editions if (one.kind, one.product) == ("policy", product)),
            key=lambda one: one.valid_from,
        )
        parts += [
            f"## Rules of {product}\n\nThe policy of {newest.valid_from}, an example; "
            f"`loansvc policy show {product}` has all of it.\n",
            _table(("code", "stage", "中文", "English", "if not met"), (
                (f"`{rule.id}`", rule.stage.replace("_", "-"), rule.zh, rule.en, rule.otherwise)
                for rule in newest.content.rules)),
        ]  # fmt: skip
    return "\n".join(parts)


def characteristics_page() -> str:
    """The CATALOGUE."""
    rows = [
        (f"`{one.name}`", one.zh, one.en,
         _values(one),
         RISK[one.direction], one.scope or "", one.use)
        for one in CATALOGUE.values()
    ]  # fmt: skip
    return _page(
        "Characteristics",
        "Every fact that is derived from an application. `use`: what may ask for it. Without the "
        "consent it is not known. What a card makes of it: `loansvc card show FILE`.",
        _table(("name", "中文", "English", "values", "risk", "consent", "use"), rows),
    )


def _values(one: CatalogueRow) -> str:
    if one.words:
        return ", ".join(f"`{word}`" for word in one.words)
    return one.unit if one.low is None else f"{one.unit}, {one.low:,} to {one.high:,}"


def calls_page(contract: dict[str, Any]) -> str:
    """Every operation of /openapi.json."""
    rows = []
    for path, operations in contract["paths"].items():
        for method, one in operations.items():
            if not isinstance(one, dict) or "responses" not in one:
                continue
            scope = re.search(r"scope `(\w+)`", one.get("description", ""))
            rows.append((f"`{method.upper()} {path}`", one["summary"], scope[1] if scope else "",
                         ", ".join(sorted(one["responses"]))))  # fmt: skip
    return _page(
        "Calls",
        "What `/openapi.json` has; `/docs` shows each with its documents and lets one try it.",
        _table(("call", "what it does", "scope", "answers"), rows),
    )


def _page(title: str, says: str, body: str) -> str:
    return f"# {title}\n\n{says}\n\n{WRITTEN}\n\n{body}"


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = ["| " + " | ".join(heads) + " |", "|" + "---|" * len(heads)]
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in rows]
    return "\n".join(lines) + "\n"


def written() -> dict[Path, str]:
    """Each file that is written, and its text."""
    with tempfile.TemporaryDirectory() as folder:
        root = Underwriting.open(Settings(home=Path(folder)), create=True)
        contract = openapi_document(root)
        root.ledger.close()
    registry = Registry.open(shipped("models"))
    return {
        DOCUMENTS: client_documents(contract),
        PAGES / "calls.md": calls_page(contract),
        PAGES / "characteristics.md": characteristics_page(),
        PAGES / "cli.md": cli_page(),
        PAGES / "problems.md": problems_page(),
        PAGES / "reasons.md": reasons_page(registry),
        PAGES / "settings.md": settings_page(),
    }


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
