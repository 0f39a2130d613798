"""What is written from the program itself: `make reference` writes it, a test holds it fresh."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from loansvc.settings import Settings
from loansvc.underwriting import Underwriting
from loansvc.web.openapi import openapi_document

ROOT = Path(__file__).parents[1]
DOCUMENTS = ROOT / "loansvc" / "client" / "documents.py"
HEAD = '''"""Documents: what /openapi.json says of each, as types. Written by `make reference`."""

'''

OPTIONS = (
    "--input-file-type", "openapi", "--output-model-type", "typing.TypedDict",
    "--no-use-closed-typed-dict", "--target-python-version", "3.11", "--use-standard-collections",
    "--use-union-operator", "--use-type-alias", "--naming-strategy", "parent-prefixed",
    "--disable-timestamp", "--formatters", "builtin",
)  # fmt: skip


def client_documents(folder: Path) -> str:
    """The source of loansvc/client/documents.py, by datamodel-code-generator."""
    contract, source = folder / "openapi.json", folder / "documents.py"
    root = Underwriting.open(Settings(home=folder / "home"), create=True)
    contract.write_text(json.dumps(openapi_document(root)), "utf-8")
    root.ledger._engine.dispose()
    subprocess.run(
        [sys.executable, "-m", "datamodel_code_generator", *OPTIONS, "--input", contract,
         "--output", source],
        check=True, capture_output=True,
    )  # fmt: skip
    return HEAD + source.read_text("utf-8").partition("\n\n")[2]


def written() -> dict[Path, str]:
    """Each file that is written, and its text."""
    with tempfile.TemporaryDirectory() as folder:
        return {DOCUMENTS: client_documents(Path(folder))}


if __name__ == "__main__":
    for path, text in written().items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, "utf-8")
