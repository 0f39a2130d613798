"""A page of the documentation as a story: its blocks run from top to bottom in one shell.

How blocks are written, in README.md and everywhere under docs/:

    ```console            each `$ ` is a command (`\\` or `> ` goes on); what stands below it is
                          what it prints, letter by letter, but that `…` stands for anything, and
                          a line `…` for any lines; nothing there: it may print what it likes
    ```python             the blocks of a page are one program, run where the last of them stands
    ```json NAME          a file for the commands below; likewise toml, csv, text and the others
    ```json               is read, unless it holds `…`; likewise toml
    ```console not-run: … is shown and not run, for the reason given; a test lists all of them

A command ends with status 0, or says otherwise: `# exit status 1`. A comment `<!-- run` before a
block holds what the reader has and the test has not: commands with `$ `; `service`, to start one;
`postgres`, to have a server (`createdb`, and db.example.cn with PASSWORD); `TEXT = other text`, to
be put in its place below. `<!-- python` likewise begins the program.

The folder is one of its own with a copy of `models/`, and so are /mnt and /var/lib/loansvc. The
clock begins at NOW, or as `<!-- clock 2026-11-26T12:00:00+08:00 -->` says. 127.0.0.1:8000 is
another port. A command that prints a refusal ("loansvc: …") on the page ends with status 1.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from tests.pages.warm import AHEAD
from tests.postgres import PASSWORD, Server, binaries

ROOT = Path(__file__).parents[2]
NOW = "2026-11-23T09:31:07.412+08:00"  # of the answer in the README
PORT = "127.0.0.1:8000"  # as pages write it
DATABASE = "db.example.cn:5432"  # likewise
NOT_RUN = "not-run:"
SECONDS = 120
_FENCE = re.compile(r"^```(\S*) ?(.*)$")
_HIDDEN = re.compile(r"^<!-- (run|python)$")
_CLOCK = re.compile(r"^<!-- clock (\S+) -->$", re.MULTILINE)
_STATUS = re.compile(r"#.*exit status (\d+)")
_HERE = re.compile(r"<<'(\w+)'")
_MARK = "\x01"


@dataclass(frozen=True)
class Block:
    """One block: `word` says what it is, `info` stands beside that."""

    line: int
    word: str
    info: str
    text: str
    hidden: bool = False


@dataclass
class Command:
    """One command, and what the page says it prints."""

    line: int
    text: str
    printed: list[str] = field(default_factory=list)

    @property
    def status(self) -> int:
        if any(line.startswith("loansvc: ") for line in self.printed):
            return 1
        said = _STATUS.search(self.text)
        return int(said[1]) if said else 0


def blocks(page: str) -> Iterator[Block]:
    """The blocks of a page, and what its comments hold for them."""
    lines = iter(enumerate(page.splitlines(), 1))
    for number, line in lines:
        fence, hidden = _FENCE.match(line), _HIDDEN.match(line)
        end = "```" if fence else "-->"
        if fence or hidden:
            held = []
            for _, inner in lines:
                if inner.startswith(end):
                    break
                held.append(inner)
            text = "".join(f"{one}\n" for one in held)
            if fence:
                yield Block(number, fence[1], fence[2].strip(), text)
            elif hidden:
                yield Block(number, hidden[1], "", text, hidden=True)


def commands(block: Block) -> list[Command]:
    """The commands of a console block."""
    found: list[Command] = []
    goes_on, end = False, ""
    for number, line in enumerate(block.text.splitlines(), block.line + 1):
        if end:  # of a text that is written where it stands
            found[-1].text += "\n" + line
            end = "" if line == end else end
        elif goes_on or (found and not found[-1].printed and line.startswith("> ")):
            found[-1].text += "\n" + line.removeprefix("> ")
            goes_on = line.endswith("\\")
        elif line.startswith("$ "):
            found.append(Command(number, line[2:]))
            goes_on = line.endswith("\\")
            end = here[1] if (here := _HERE.search(line)) else ""
        else:
            assert found, f"line {number}: output before any command"
            found[-1].printed.append(line)
    for command in found:  # an empty line between two commands is for the eye
        while command.printed and not command.printed[-1].strip():
            command.printed.pop()
    return found


def is_printed(expected: list[str], output: str) -> bool:
    """Whether a command printed what the page says.

    >>> is_printed(["a … c", "…", "z"], "a b c\\n1\\n2\\nz\\n"), is_printed(["a"], "a\\nb\\n")
    (True, False)
    """
    pattern = "".join(
        "(?:.*\n)*?" if line.strip() == "…" else _line(line) + " *\n" for line in expected
    )
    return (
        re.fullmatch(pattern, "".join(f"{line.rstrip()}\n" for line in output.splitlines()))
        is not None
    )


def _line(line: str) -> str:
    return ".*".join(map(re.escape, line.rstrip().split("…")))


def check_text(block: Block) -> None:
    """Read a block of data that is no file of the story.

    Raises:
        ValueError: it is not what it says it is.
    """
    if "…" not in block.text:
        if block.word == "json":
            json.loads(block.text)
        elif block.word == "toml":
            tomllib.loads(block.text)


class Story:
    """One page being run in a folder of its own."""

    def __init__(self, page: str, folder: Path, *, port: int, server: Server | None = None) -> None:
        self.blocks = list(blocks(page))
        self.folder = folder
        self.address = f"127.0.0.1:{port}"
        self.server = server
        self.now = _CLOCK.findall(page)[0] if _CLOCK.search(page) else NOW
        self.swaps = {
            PORT: self.address,
            **{place: f"{folder}{place}" for place in ("/mnt/", "/var/lib/loansvc")},
        }
        self.script: list[str] = [_PRELUDE]
        self.ran: list[Command] = []

    def run(self) -> list[str]:
        """What was not as the page says, a text for each; empty if all was."""
        programs = [
            block for block in self.blocks if block.word == "python" and not _is_kept(block)
        ]
        for block in self.blocks:
            if block.info.startswith(NOT_RUN):
                continue
            if block.word == "run":
                self._prepare(block)
            elif block.word == "console":
                for command in commands(block):
                    self._add(command)
            elif _is_kept(block):
                (self.folder / block.info).write_text(self._put(block.text), "utf-8")
            elif block in programs:
                if block is programs[-1]:
                    program = "".join(self._put(one.text) for one in programs)
                    (self.folder / "page.py").write_text(program, "utf-8")
                    self._add(Command(block.line, "python page.py"))
            else:
                check_text(block)
        return self._outcome()

    def _prepare(self, block: Block) -> None:
        for number, line in enumerate(block.text.splitlines(), block.line + 1):
            if line.startswith("$ "):
                self._add(Command(number, line[2:]))
            elif line == "service":
                self._add(Command(number, _SERVICE))
            elif line == "postgres":
                assert self.server is not None
                self.swaps |= {
                    "PASSWORD@": f"{PASSWORD}@",
                    DATABASE: f"127.0.0.1:{self.server.port}",
                }
            else:
                shown, _, other = line.partition(" = ")
                assert other, f"line {number}: neither a command nor `TEXT = other text`"
                self.swaps[shown] = other

    def _put(self, text: str) -> str:
        for shown, other in self.swaps.items():
            text = text.replace(shown, other)
        return text

    def _add(self, command: Command) -> None:
        self.script.append(f"{self._put(command.text)}\nprintf '\\001%s\\001' $?")
        self.ran.append(command)

    def _outcome(self) -> list[str]:
        if not self.ran:
            return []
        (self.folder / "mnt").mkdir()
        script = self.folder / ".page.sh"
        script.write_text("\n".join([*self.script, ""]), "utf-8")
        shell = subprocess.Popen(
            ["bash", "--norc", str(script)], cwd=self.folder, env=self._environment(),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            start_new_session=True,
        )  # fmt: skip
        try:
            told, _ = shell.communicate(timeout=SECONDS)
        except subprocess.TimeoutExpired as late:
            os.killpg(shell.pid, signal.SIGKILL)
            told = late.stdout or b""
        text = told.decode("utf-8", "replace").replace(self.address, PORT)
        return list(self._wrong(text.replace(str(self.folder), "").split(_MARK)))

    def _wrong(self, parts: list[str]) -> Iterator[str]:
        for place, command in enumerate(self.ran):
            if 2 * place + 1 >= len(parts):
                yield f"line {command.line}: $ {command.text}\nnever ended, printed\n{parts[-1]}"
                return
            output, status = parts[2 * place], int(parts[2 * place + 1])
            head = f"line {command.line}: $ {command.text}\n"
            if status != command.status:
                yield f"{head}ended with status {status} and printed\n{output}"
            elif command.printed and not is_printed(command.printed, output):
                yield f"{head}printed\n{output}"

    def _environment(self) -> dict[str, str]:
        paths = (self.folder / "bin", Path(sys.executable).parent, binaries(), os.environ["PATH"])
        ahead = datetime.fromisoformat(self.now) - datetime.now(UTC)
        return {
            "PATH": ":".join(map(str, paths)),
            "LANG": "C.UTF-8",
            "HOME": str(self.folder),
            "LOANSVC_MODELS": str(self.folder / "models"),
            "LOANSVC_PORT": self.address.rpartition(":")[2],
            "LOANSVC_WORKERS": "1",
            "OMP_NUM_THREADS": "1",
            "SERVICE": f"http://{self.address}",
            AHEAD: str(ahead.total_seconds()),
            "TZ": "Asia/Shanghai",
            **(self.server.environment() if self.server else {}),
        }


def _is_kept(block: Block) -> bool:
    """Whether it is a file for the commands below."""
    return bool(block.info) and not block.info.startswith(NOT_RUN) and block.word != "console"


_PRELUDE = "shopt -s expand_aliases; trap 'trap - TERM; kill 0; wait' EXIT"
_SERVICE = """{ loansvc serve > service.log 2>&1 & } 2> /dev/null
for _ in $(seq 400); do curl -sf "$SERVICE/readyz" > /dev/null && break; sleep 0.05; done
curl -sf "$SERVICE/readyz" > /dev/null"""
