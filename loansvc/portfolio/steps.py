"""Steps: a chain of named SELECTs, so that a reviewer can run one after the other."""

from __future__ import annotations

from collections.abc import Mapping


class Steps:
    """A chain of named SELECTs, each over the one before."""

    def __init__(self) -> None:
        self._steps: list[tuple[str, str]] = []

    @property
    def last(self) -> str:
        """The name of the newest."""
        return self._steps[-1][0]

    def add(self, name: str, select: str) -> None:
        """One more SELECT, over whatever it names."""
        self._steps.append((name, select))

    def extend(self, name: str, more: Mapping[str, str]) -> None:
        """One more step: everything so far, and these."""
        columns = ",\n  ".join(f"{said} AS {column}" for column, said in more.items())
        self.add(name, f"SELECT *,\n  {columns}\nFROM {self.last}")

    def text(self) -> str:
        """All of them, before a last SELECT."""
        return "WITH " + ",\n".join(f"{name} AS (\n{select}\n)" for name, select in self._steps)
