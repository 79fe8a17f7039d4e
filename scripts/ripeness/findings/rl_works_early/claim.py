"""Does reinforcement work from early checkpoints on?"""

from collections.abc import Iterator

import polars as pl

from ripeness.findings.aligned import policies
from ripeness.findings.by_halves import Question, concluded, diverged, mean_by
from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.late_differences import EARLY
from ripeness.findings.needs import has_cells, has_rule_policies
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.findings.two_estimates import shown
from ripeness.runtime.wording import human
from ripeness.stats.resampling import Estimate
from ripeness.study.methods.settings import RULE
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Average what policies that the rule rewards gain by it, over the earlier half of the checkpoints."""
    is_wanted = pl.col("rewarded_by") == RULE
    rows, notes = policies(tables.cells).filter(is_wanted), tuple(diverged(tables.cells, is_wanted))
    if rows.is_empty():
        return undecided(Finding(caveats=notes), "no policy that the rule rewards was measured by it")
    rows = rows.with_columns(change=pl.col("gain"), variance=pl.col("truth_se") ** 2 + pl.col("truth_before_se") ** 2)
    blank = Finding(
        caveats=notes, details=mean_by(rows, [*PLACE, "dataset", "method"], "truth_before", "truth", "gain")
    )

    def sentence(effect: Estimate) -> str:
        return (
            f"Over the earlier half of the checkpoints reinforcement adds {shown(effect)} to what texts are worth by "
            f"the rule. {' '.join(firsts(rows, settings))}"
        )

    return concluded(rows, Question(EARLY, settings.smallest_effect, sentence), blank, settings)


def firsts(rows: pl.DataFrame, settings: Settings) -> Iterator[str]:
    """Say from which checkpoint on each series gains, on average over datasets, ways and seeds; with no interval."""
    for (series,), own in sorted(rows.group_by("series"), key=str):
        means = own.group_by("tokens").agg(pl.col("gain").mean()).sort("tokens")
        fails = means.filter(pl.col("gain") <= settings.smallest_effect)["tokens"].max()
        works = means.filter(pl.col("tokens") > (-1 if fails is None else as_number(fails)))["tokens"].min()
        name = f" ({series})" if rows["series"].n_unique() > 1 else ""
        least = f"{settings.smallest_effect:g}"
        if works is None:
            yield f"On average it adds no more than {least} at the last checkpoint{name}."
        else:
            yield f"On average it adds more than {least} from {human(int(as_number(works)))} tokens on{name}."


CLAIM = Claim(
    id="rl-works-early",
    text="Reinforcement by a rule works from few tokens of pre-training on.",
    source="Bansal et al., arXiv 2606.04272, abstract",
    unit="worth by the rule that reinforcement adds at the earlier half of the checkpoints, 0 to 1",
    figure="proxy-and-truth",
    needs=(has_cells, has_rule_policies),
    judge=judge,
)
