"""Bundle: one zip for a bank that may not call out. The card, a scorer of one file, and proofs.

The scorer needs Python 3.8 and its standard library. The same card gives the same bytes: times are
fixed and nothing is compressed, so that no version of a compressor shows.
"""

from __future__ import annotations

import hashlib
import io
import json
import math
import zipfile
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

from loansvc.reasons import MOST_REASONS
from loansvc.scorecard import Scorecard, ScoredCharacteristic, pd_ppm
from loansvc.training.export import check_fits

if TYPE_CHECKING:
    from loansvc.training.card import Card

README = """# 离线评分包 / Offline scoring bundle

{statement}

评分卡 / card: {digest}

## 中文

只需要 Python 3.8 或更高版本，不联网，不需要其他软件。

    python score.py --check
    python score.py applications.csv scores.csv --key 编号列 --lang zh

- `--check` 逐个核对文件摘要，并重算 {n_golden} 个样例；有一处不符即退出码为 1，请勿使用。
- 输入为 UTF-8 的 CSV，首行为列名，必须包含：{names}。
- 空单元格表示“未知”。除此之外没有别的写法：“NA”“null”都是普通的词。
- 数字用小数点，不用千分位。遇到不能识别的数字，整个文件被拒绝，不写出任何结果。
- 输出：得分 score（整数）、违约概率 pd（百万分之一）、扣分理由 reasons（代码:扣分）及其文字。
- 摘要清单只能发现损坏，不能发现有意的替换：请与交付方另行核对上面的评分卡摘要。

## English

Python 3.8 or later, no network, no other software.

    python score.py --check
    python score.py applications.csv scores.csv --key COLUMN --lang en

- `--check` compares the digest of every file and scores {n_golden} golden cases again; where one
  differs it leaves with 1: do not use the bundle.
- Input: CSV in UTF-8, first line the names of the columns; it must have {names}.
- An empty cell means not known. Nothing else does: "NA" and "null" are words like any other.
- Numbers have a decimal point and no thousands separator. One that cannot be read refuses the whole
  file; nothing is written.
- Output: score (whole points), pd (to the part per million), reasons (code:points lost) and texts.
- The manifest finds damage, not intent: compare the digest of the card above with whoever made it.
"""


def to_bundle(card: Card) -> bytes:
    """The zip: card.json, score.py, texts.json, golden.json, README.md and SHA256SUMS.

    Raises:
        TableRefused: a cut that no float64 is.
    """
    check_fits(card.scorecard, format_="a bundle", also="")
    golden = _golden(card.scorecard)
    readme = README.format(
        statement=card.scorecard.statement, digest=card.digest,
        n_golden=len(golden["cases"]), names=", ".join(card.names),
    )  # fmt: skip
    scorer = resources.files("loansvc.training.export").joinpath("offline_score.py")
    files = {
        "README.md": readme.encode(),
        "card.json": card.text().encode(),
        "golden.json": _json(golden),
        "score.py": scorer.read_bytes(),
        "texts.json": _json(_texts(card.scorecard)),
    }
    sums = "".join(f"{hashlib.sha256(d).hexdigest()}  {name}\n" for name, d in files.items())
    return zipped({**files, "SHA256SUMS": sums.encode()}, method=zipfile.ZIP_STORED)


def zipped(files: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these files with nothing of the day and the machine in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            info = zipfile.ZipInfo(name, date_time=(1980, 1, 1, 0, 0, 0))  # the first a zip can say
            info.compress_type, info.create_system = method, 3
            info.external_attr = 0o100644 << 16
            archive.writestr(info, data)
    return buffer.getvalue()


def _json(document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    return text.encode() + b"\n"


def _texts(card: Scorecard) -> dict[str, Any]:
    return {
        c.name: {"code": c.code, "zh": [b.zh for b in c.bins], "en": [b.en for b in c.bins]}
        for c in card.characteristics
    }


# --- golden cases --------------------------------------------------------------------------------


def _golden(card: Scorecard) -> dict[str, Any]:
    """Cases that stand on every edge of every characteristic, and in every cell of every table."""
    values = {c.name: list(edge_values(c)) for c in card.characteristics}
    for pair in card.pairs:
        for axis in (pair.rows, pair.columns):
            own = edge_values(axis)
            values[axis.name] += [v for v in own if v not in values[axis.name]]
    middle = {name: listed[len(listed) // 2] for name, listed in values.items()}
    cases = [{**middle, name: value} for name, listed in values.items() for value in listed]
    for pair in card.pairs:
        rows, columns = pair.rows, pair.columns
        of_row, of_column = ({a.slot_of(v): v for v in values[a.name]} for a in (rows, columns))
        cases += [
            {**middle, rows.name: row, columns.name: column}
            for row in of_row.values() for column in of_column.values()
        ]  # fmt: skip
    return {"names": list(values), "cases": [_answered(card, case) for case in cases]}


def edge_values(of: ScoredCharacteristic) -> Iterator[Any]:
    """Not known, every cut and the double before it, every code and word, and one never seen."""
    yield None
    if of.described.words:
        yield from of.described.words
        unseen = "never seen"
        while unseen in of.index:
            unseen += " "
        yield unseen
        return
    cuts = [float(c) for c in of.cuts]
    ends = [cuts[0] - 1, cuts[-1] + 1] if cuts else [0.0]
    codes = [float(c) for c in of.index if not isinstance(c, str)]
    for number in sorted({*ends, *cuts, *codes}):
        yield from (math.nextafter(number, -math.inf), number)


def _answered(card: Scorecard, case: Mapping[str, Any]) -> dict[str, Any]:
    score = card.score(case)
    reasons = [b.reason for b in card.bins_for(case) if b.reason is not None]
    reasons.sort(key=lambda r: r.points or 0)
    return {
        "values": list(case.values()),
        "score": score,
        "pd_ppm": pd_ppm(score),
        "reasons": [[r.code, r.points] for r in reasons[:MOST_REASONS]],
    }
