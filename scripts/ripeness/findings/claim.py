"""A published claim, with all that it takes to test it on a study."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from ripeness.findings.finding import Finding, Settings
from ripeness.findings.needs import Need, is_without_items
from ripeness.findings.study_tables import Tables
from ripeness.stats.verdicts import EFFECT

Judge = Callable[[Tables, Settings], Finding]


@dataclass(frozen=True)
class Claim:
    """One claim: its words, what a study must have measured for it to be tested, and the test.

    `figure` is the id of the figure that it belongs to. A judge leaves the claim's words out of its finding; it sets
    `unit` or `figure` only where its number is another one than the claim names. `expects` is what the claim says of
    the effect: "effect" (above the smallest that matters), "no effect" (within it on both sides) or "no harm" (below
    it). `judge_without_items` is the form for measurements alone, as published tables have them. `asks` names settings
    without which the claim says nothing, and is not tested.
    """

    id: str
    text: str
    source: str
    unit: str
    figure: str
    needs: tuple[Need, ...]
    judge: Judge
    judge_without_items: Judge | None = None
    expects: str = EFFECT
    asks: tuple[str, ...] = ()

    def is_asked(self, settings: Settings) -> bool:
        """Say whether the study tells what the claim is about."""
        return all(getattr(settings, name) for name in self.asks)

    def form_for(self, tables: Tables) -> Judge | None:
        """Choose the form of the test that these tables allow; None where they allow none."""
        if all(is_met(tables) for is_met in self.needs):
            return self.judge
        return self.judge_without_items if is_without_items(tables) else None

    def worded(self, found: Finding) -> Finding:
        """Put the claim's words into what a judge found."""
        figure, unit = found.figure or self.figure, found.unit or self.unit
        expects = found.expects or self.expects
        tests = tuple(tuple(replace(part, expects=part.expects or expects) for part in parts) for parts in found.tests)
        found = replace(found, id=self.id, claim=self.text, source=self.source, figure=figure, unit=unit)
        return replace(found, expects=expects, tests=tests)

    def test(self, tables: Tables, settings: Settings) -> Finding:
        """Test the claim on tables that allow it; the verdict is given with all that are tested (`adjusted`)."""
        judge = self.form_for(tables)
        if judge is None:
            needs = ", ".join(need.__name__ for need in self.needs)
            raise ValueError(f"{self.id} cannot be tested on these tables; it needs: {needs}")
        return self.worded(judge(tables, settings))
