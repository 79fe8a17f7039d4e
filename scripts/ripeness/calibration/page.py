"""Write docs/calibration.md: which limits are kept, and the table of all cells."""

from collections.abc import Iterable

import polars as pl

from ripeness.calibration.designs import Cell
from ripeness.calibration.judging import DRAWS, FIRST
from ripeness.calibration.rates import (
    COVERS,
    FALSE_IN_FAMILY,
    FALSE_SUPPORT,
    LEFT_OPEN,
    POWER,
    SHORT,
    Limit,
    error,
    families,
    limits,
    rates,
)
from ripeness.calibration.ripe_studies import SET
from ripeness.findings.register import CLAIMS
from ripeness.stats.verdicts import VERDICTS

HEAD = f"""# Are the verdicts calibrated?

`make calibrate` draws whole studies whose truth is known and tests all claims on each, with the code that tests the
claims of a user's study. Then it writes this page. The generator is in `scripts/ripeness/calibration/`. It shares no
code with the tests.

- **Truth** is the mean over all items, seeds, checkpoints and datasets like these. At the *edge* it is the smallest
  effect of interest. A claim of an effect is false there.
- **False** counts verdicts that are wrong in any way. `undecided` is never wrong.
- **Coverage** is the share of intervals (`low` to `high`) that hold the truth.
- **Detectable** is the median of `mde`. For claims of no effect it is the power that the finding states, in brackets.
- Cells that begin with *ripe* are about the answer which checkpoint to tune. The set of checkpoints that may be the
  best is false where the best is not in it, and undecided where it leaves none out. Its coverage is the share of sets
  that the best is in.
- Cells that begin with *own claims* are about claims of a user's own: that tuned models score above untouched ones, on
  datasets like these and on one dataset that is named, and a trend of what tuning changes on other datasets. Each
  claims more than a smallest effect which is the true one, so that it is false.
- Each study is looked at once, as with `findings: {{looks: 1}}`, so that claims are decided at the whole allowed error.
  A first look without that plan spends 0.8 of it: fewer verdicts are false, and detectable effects are somewhat larger.
- Shares are in percent, with one standard error, which is the error of the simulation. The bootstrap has {DRAWS} draws
  instead of 2,000. Studies are numbered from {FIRST:,} on; methods were developed on other numbers.

Limits: a false claim may be supported in {FALSE_SUPPORT:.0%} of studies, and any of all claims of a study in
{FALSE_IN_FAMILY:.0%}. {COVERS[0]:.0%} to {COVERS[1]:.0%} of intervals must hold the truth. In two cells effects are the
smallest one plus once or twice what the detectable size is beyond it. They must be found in {POWER[1]:.0%} and in
{POWER[2]:.0%} of studies, and at twice be left undecided in fewer than {LEFT_OPEN:.0%}. Claims of no effect are true
there, and must be supported as often as findings say, less {SHORT:.0%}. A share counts as beyond a limit where it is by
two standard errors.
"""


def page(rows: pl.DataFrame, cells: list[Cell], *, command: str) -> str:
    """Write the page from the rows of all studies; `command` is what made them."""
    reaches = {cell.name: cell.reach for cell in cells if cell.reach}
    parts = [
        HEAD,
        f"```console\n$ {command}\n```\n",
        f"{sizes(rows)}\n",
        "## Limits that are not kept\n",
        "\n".join(limit_lines(limits(rows, reaches))),
        "\n## Studies with at least one false verdict\n",
        "\n".join(family_lines(families(rows))),
        "\n## All cells\n",
        "\n".join(rate_lines(rates(rows))),
    ]
    absent = [claim.id for claim in CLAIMS if claim.id not in set(rows["finding"])]
    return "\n".join([*parts, *([f"\nNot in this table: {', '.join(absent)}."] if absent else [])]) + "\n"


def sizes(rows: pl.DataFrame) -> str:
    """Say how many studies a cell has, and how far its shares are off by the simulation."""
    numbers = sorted(families(rows)["n"].to_list())
    least, most = numbers[0], numbers[-1]
    studies = f"{least}" if least == most else f"{least} to {most}"
    errors = (100 * (error(0.05, n) or 0.0) for n in dict.fromkeys((least, most)))
    said = " to ".join(f"{one:.1f}" for one in errors)
    return f"Each of {len(numbers)} cells has {studies} studies: a share of 5% or 95% has a standard error of {said}."


def limit_lines(found: list[Limit]) -> list[str]:
    """Write the limits that are not kept as a table, or say that all are."""
    broken = [limit for limit in found if not limit.is_kept]
    head = f"{len(found) - len(broken)} of {len(found)} limits are kept."
    if not broken:
        return [head]
    lines = [head, "", "| cell | claim | what | share | limit | studies |", "|---|---|---|---|---|---|"]
    for limit in broken:
        bound = f"at most {limit.high:.0%}" if limit.share > limit.high else f"at least {limit.low:.0%}"
        share = percent(limit.share, limit.n)
        lines.append(f"| {limit.cell} | {limit.finding} | {limit.what} | {share} | {bound} | {limit.n} |")
    return lines


def family_lines(found: pl.DataFrame) -> list[str]:
    """Write the shares of studies with a false verdict as a table."""
    lines = ["| cell | studies | a false claim supported | a false verdict |", "|---|---|---|---|"]
    for row in found.iter_rows(named=True):
        shares = " | ".join(percent(row[name], row["n"]) for name in ("supported", "false"))
        lines.append(f"| {row['cell']} | {row['n']} | {shares} |")
    return lines


def rate_lines(found: pl.DataFrame) -> list[str]:
    """Write the shares of verdicts and the coverage of every cell and finding as a table."""
    lines = [
        f"| cell | claim | studies | {' | '.join(VERDICTS)} | false | coverage | mean effect (truth) | detectable |",
        "|---|---|---|" + "---|" * (len(VERDICTS) + 4),
    ]
    for row in found.iter_rows(named=True):
        shares = cells_of(percent(row[name], row["n"]) for name in (*VERDICTS, "false"))
        covered = percent(row["coverage"], row["n_intervals"])
        if row["finding"] == SET:
            covered = percent(1 - row["false"], row["n"])
        effect = f"{shown(row['effect'])} ({shown(row['truth'])})"
        power = "" if row["power_at_zero"] is None else f"({row['power_at_zero']:.0%})"
        detectable = shown(row["mde"], "") or power or "–"
        lines.append(
            f"| {row['cell']} | {row['finding']} | {row['n']} | {shares} | {covered} | {effect} | {detectable} |"
        )
    return lines


def cells_of(texts: Iterable[str]) -> str:
    """Join the cells of a row."""
    return " | ".join(texts)


def percent(share: float | None, n: int) -> str:
    """Write a share in percent with its standard error; a dash without one."""
    spread = error(share, n)
    return "–" if share is None or spread is None else f"{100 * share:.1f} ± {100 * spread:.1f}"


def shown(value: float | None, nothing: str = "–") -> str:
    """Write a number with three places."""
    return nothing if value is None else f"{value:.3f}".replace("-", "−")
