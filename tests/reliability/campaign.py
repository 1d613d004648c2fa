"""What a campaign is: something that is tried many times, and a row of the table in docs/reliability.md."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field


@dataclass
class Report:
    """What was tried, how often, and what came out."""

    tried: str
    count: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    """Each with what it takes to do it again; none is what was promised."""
    measured: str = ""
    """Figures that belong to the outcome."""
    details: str = ""
    """A table in Markdown of its own."""

    def add(self, outcome: str) -> None:
        self.count += 1
        self.outcomes[outcome] += 1

    def fault(self, what: str) -> None:
        self.faults.append(what)

    def row(self, command: str) -> str:
        """A row: tried, how often, what came out, again."""
        came_out = [f"{count:,} {name}" for name, count in self.outcomes.most_common()]
        came_out += [self.measured] if self.measured else []
        came_out += [f"**{len(self.faults)} faults**" if self.faults else "0 faults"]
        return f"| {self.tried} | {self.count:,} | {'; '.join(came_out)} | `{command}` |"


HEAD = "| tried | times | came out | again |\n|---|---|---|---|"
