"""Every regular expression of the program, found in its source, and texts made to slow it down."""

from __future__ import annotations

import ast
import importlib
import re
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import Any

with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # the parser of `re` is private, and nothing else is as exact
    from re import _constants as sre
    from re import _parser

__all__ = ["LENGTH", "Expression", "attacks", "expressions", "samples", "shortest", "sre"]
ROOT = Path(__file__).parents[2] / "loansvc"
OF_RE = ("compile", "match", "search", "fullmatch", "sub", "subn", "split", "findall", "finditer")
# Of a pattern or of a pandas column of texts, and as which of match, fullmatch and search it runs.
RUNS_AS = {
    "match": "match", "fullmatch": "fullmatch", "search": "search", "contains": "search",
    "sub": "search", "subn": "search", "split": "search", "findall": "search",
    "finditer": "search",
}  # fmt: skip
LENGTH = 50_000
IN_CALLERS = ("loansvc.web.fields",)  # `Pattern` compiles what its callers give; they are looked at


@dataclass(frozen=True)
class Expression:
    """One regular expression: where it stands, and how it is run."""

    place: str
    compiled: re.Pattern[Any]
    runs_as: frozenset[str]

    @property
    def tree(self) -> Any:
        return _parser.parse(self.compiled.pattern, self.compiled.flags)


@cache
def sources() -> dict[str, ast.Module]:
    """Every module of the program, parsed, by its name."""
    found = {}
    for path in sorted(ROOT.rglob("*.py")):
        parts = path.relative_to(ROOT.parent).with_suffix("").parts
        if "migrations" not in parts and parts[-1] != "__main__":
            name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
            found[name] = ast.parse(path.read_text("utf-8"))
    return found


@cache
def expressions() -> tuple[Expression, ...]:
    """All of them; one that cannot be worked out fails."""
    uses = _uses()
    return tuple(e for name in sources() for e in _of_module(name, uses))


def _uses() -> dict[str, set[str]]:
    """By the name of a compiled pattern, in which ways it is run anywhere."""
    found: dict[str, set[str]] = {}
    for tree in sources().values():
        for call in _calls(tree):
            assert isinstance(call.func, ast.Attribute)
            way = RUNS_AS.get(call.func.attr)
            if way is None:
                continue
            for node in (call.func.value, *call.args[:1]):
                if isinstance(node, ast.Name | ast.Attribute):
                    name = node.id if isinstance(node, ast.Name) else node.attr
                    found.setdefault(name, set()).add(way)
    return found


def _of_module(name: str, uses: dict[str, set[str]]) -> Iterator[Expression]:
    tree = sources()[name]
    module = importlib.import_module(name)
    named = {
        id(node.value): target.id
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call) or not call.args:
            continue
        kind = _kind_of(call)
        if kind is None or (name in IN_CALLERS and isinstance(call.args[0], ast.Name)):
            continue
        pattern = _value(call.args[0], module) or _local(call.args[0], tree, module)
        if isinstance(pattern, re.Pattern):  # found where it is compiled
            continue
        flags = [_value(a, module) for a in (*call.args[1:], *(k.value for k in call.keywords))]
        compiled = re.compile(pattern, sum(f for f in flags if isinstance(f, re.RegexFlag)))
        if kind == "Pattern":
            compiled = re.compile(pattern, re.ASCII)  # as the field compiles it
        called = named.get(id(call), "")
        ways = (
            uses.get(called, set(RUNS_AS.values()))
            if kind == "compile"
            else {RUNS_AS.get(kind, "fullmatch")}
        )
        yield Expression(f"{name}:{call.lineno} {called}".rstrip(), compiled, frozenset(ways))


def _calls(tree: ast.Module) -> Iterator[ast.Call]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            yield node


def _kind_of(call: ast.Call) -> str | None:
    """How a call takes a regular expression as its first argument, if it does."""
    func = call.func
    if isinstance(func, ast.Name):
        return func.id if func.id == "Pattern" else None
    if not isinstance(func, ast.Attribute):
        return None
    if isinstance(func.value, ast.Name) and func.value.id == "re" and func.attr in OF_RE:
        return func.attr
    if isinstance(func.value, ast.Attribute) and func.value.attr == "str" and func.attr in RUNS_AS:
        return func.attr
    return None


def _local(node: ast.expr, tree: ast.Module, module: ModuleType) -> Any:
    """What a name stands for that is given its value within a function."""
    assert isinstance(node, ast.Name), f"{module.__name__}:{node.lineno} cannot be worked out"
    given = (n for n in ast.walk(tree) if isinstance(n, ast.Assign))
    return next(_value(n.value, module) for n in given if ast.unparse(n.targets[0]) == node.id)


def _value(node: ast.expr, module: ModuleType) -> Any:
    """What an expression is; what is only known when it runs is a letter."""
    try:
        return eval(compile(ast.Expression(node), module.__name__, "eval"), vars(module).copy())
    except NameError:
        if isinstance(node, ast.JoinedStr):
            return "".join(
                str(v.value) if isinstance(v, ast.Constant) else "x" for v in node.values
            )
        return None


# --- texts that slow an expression down -----------------------------------------------------------


def samples(tree: Any) -> list[str]:
    """A character or word for every piece of an expression."""
    found: list[str] = []
    for op, arg in tree:
        if op is sre.LITERAL:
            found.append(chr(arg))
        elif op is sre.NOT_LITERAL:
            found.append("a" if arg != ord("a") else "b")
        elif op is sre.ANY:
            found.append("a")
        elif op is sre.IN:
            found += _of_class(arg)
        elif op is sre.BRANCH:
            for branch in arg[1]:
                found += samples(branch)
        elif op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found += samples(arg[2])
        elif op is sre.SUBPATTERN:
            found += samples(arg[-1])
        elif op is sre.ATOMIC_GROUP:
            found += samples(arg)
        elif op in (sre.ASSERT, sre.ASSERT_NOT):
            found += samples(arg[1])
    return list(dict.fromkeys(found))


def _of_class(items: Any) -> list[str]:
    found, negated = [], False
    for op, arg in items:
        if op is sre.NEGATE:
            negated = True
        elif op is sre.LITERAL:
            found.append(chr(arg))
        elif op is sre.RANGE:
            found.append(chr(arg[0]))
        elif op is sre.CATEGORY:
            name = str(arg)
            found.append("1" if "DIGIT" in name else " " if "SPACE" in name else "a")
    return [c for c in ("a", "1", " ", "-") if c not in found][:2] if negated else found[:4]


def shortest(tree: Any) -> str:
    """A text that it matches, or nearly: each piece as rarely as it may stand."""
    found = ""
    for op, arg in tree:
        if op in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            found += shortest(arg[2]) * arg[0]
        elif op is sre.SUBPATTERN:
            found += shortest(arg[-1])
        elif op is sre.ATOMIC_GROUP:
            found += shortest(arg)
        elif op is sre.BRANCH:
            found += shortest(arg[1][0])
        elif op not in (sre.ASSERT, sre.ASSERT_NOT, sre.AT):
            found += samples([(op, arg)])[0]
    return found


def attacks(expression: Expression, *, length: int = LENGTH) -> Iterator[str]:
    """Texts of that many characters: its pieces over and over, and a near miss at the end."""
    tree = expression.tree
    pieces, whole = samples(tree), shortest(tree)
    units = [
        *pieces,
        *(a + b for a in pieces[:5] for b in pieces[:5] if a != b),
        whole,
        whole + "\n",
    ]
    for unit in dict.fromkeys(u for u in units if u):
        body = unit * (length // len(unit))
        for start in ("", whole):
            for end in ("", "\x00", "\n"):
                yield (start + body)[: length - len(end)] + end
