"""Card: one artefact. What an estimator compiles to, a file holds, and every export says again.

A `Card` is a scorecard document and the scorecard read from it. It scores tables and rows, shows
itself in a notebook, and turns into SQL, PMML, ONNX, Excel, or a bundle that needs nothing but
Python: all of them the same points.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from loansvc.editions import Reader, digest_of, to_text
from loansvc.errors import EditionRefused, TableRefused
from loansvc.files import write_whole
from loansvc.registry.documents import parse
from loansvc.scorecard import Scorecard
from loansvc.scorecard.document import read_scorecard
from loansvc.training import columns

HEAD = ("kind", "product", "valid_from", "review_by", "reference", "table", "target")


@dataclass(frozen=True, slots=True)
class Card:
    """A card and its document; both never change."""

    document: Mapping[str, Any]
    scorecard: Scorecard

    @classmethod
    def of(cls, document: Mapping[str, Any], *, name: str = "card") -> Card:
        """The card in a document: of a product (it names one), or of any other table.

        Raises:
            EditionRefused: naming the place and what is wrong with it.
        """
        content = {key: value for key, value in document.items() if key not in HEAD}
        with Reader(content, file=name) as reader:
            return cls(document, read_scorecard(reader, own="product" not in document))

    @classmethod
    def read(cls, path: Path | str) -> Card:
        """The card in a JSON file.

        Raises:
            EditionRefused: the document is wrong; TableRefused: the file cannot be read.
        """
        path = Path(path)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise TableRefused(f"{path.name}: cannot be read: {error.strerror}.") from None
        document = parse(data, path.name, ".json")
        if not isinstance(document, dict):
            raise EditionRefused(f"{path.name}: must be a table of keys, as a card is.")
        return cls.of(document, name=path.name)

    @property
    def names(self) -> tuple[str, ...]:
        """The characteristics it scores, in printed order."""
        return tuple(c.name for c in self.scorecard.characteristics)

    @property
    def words(self) -> tuple[str, ...]:
        """Those that are words: in a CSV they are read as text, whatever they look like."""
        return tuple(c.name for c in self.scorecard.characteristics if c.described.words)

    @property
    def digest(self) -> str:
        """The digest of the document as it is written."""
        return digest_of(self.text().encode())

    def text(self) -> str:
        """The document as it is published: sorted keys, one bin a line."""
        return to_text(self.document)

    def write(self, path: Path | str) -> Path:
        """Write the document, whole or not at all; its path."""
        return _write(path, self.text().encode())

    def score(self, table: Any) -> NDArray[np.int64]:
        """The score of every row of a pandas or polars frame, `(n_rows,)`.

        Raises:
            TableRefused: a column of the card is not there, or not of its kind.
        """
        return columns.scores(self.scorecard, table)

    def pd(self, table: Any) -> NDArray[np.float64]:
        """The probability of default of every row, in (0, 1), `(n_rows,)`."""
        return columns.pd_of(self.score(table))

    # --- the same points elsewhere: loansvc.training.export, docs/exports.md ---

    def to_sql(
        self,
        dialect: str,
        *,
        table: str | Sequence[str] = "applications",
        key: str | Sequence[str] | None = None,
        points: bool = False,
    ) -> str:
        """One SELECT of score and pd for duckdb, mysql, postgres, spark or sqlite."""
        from loansvc.training.export import sql

        return sql.to_sql(self, dialect, table=table, key=key, points=points)

    def to_pmml(self) -> str:
        """The card as a Scorecard of PMML 4.4."""
        from loansvc.training.export import pmml

        return pmml.to_pmml(self)

    def to_onnx(self) -> bytes:
        """The card as a serialised ONNX model."""
        from loansvc.training.export import onnx_model

        return onnx_model.to_onnx(self)

    def to_excel(self, path: Path | str) -> Path:
        """Write a workbook in which a person adds the card up; its path."""
        from loansvc.training.export import excel

        return _write(path, excel.to_excel(self))

    def to_bundle(self, path: Path | str) -> Path:
        """Write a zip that scores with nothing but Python; its path."""
        from loansvc.training.export import bundle

        return _write(path, bundle.to_bundle(self))


def _write(path: Path | str, data: bytes) -> Path:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_whole(path, data, part_folder=path.parent)
    return path
