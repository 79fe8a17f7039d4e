"""Resolve the branches and tags that a study names to commits, once, and keep them in hub.lock.yaml.

By hand, on a machine with network: python scripts/resolve_revisions.py --study studies/x.yaml

What is in the lock file already stays as it is; --update resolves it again. Without a network, --show prints what the
study takes of each series: steps, tokens, rates, commits, and where `every` finds no checkpoint.

--check OWNER/NAME says which branches of a repository have the same weights, some of them, or none. It needs no study,
and downloads nothing but lists of files. Status 0 if every branch has weights of its own, but for `main`; 3 if not.
"""

import logging
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ripeness.hub.resolve import resolve
from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError
from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import Study
from ripeness.study.load import load_study
from ripeness.study.lock_file import LOCK_FILE
from ripeness.study.published_runs import counted_tokens, left_out, read_tokens, same_weights_known, series_facts
from ripeness.study.schema import read_yaml
from ripeness.study.series import even_picks

TASKS = Path(__file__).parents[1] / "tasks"
REPOSITORY = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
SOMETHING_WRONG = 3
MOST_STEPS = 6


def lines_of(study: Study) -> list[str]:
    """List what the study uses of every series on the hub, and what `every` does not find."""
    lines = []
    for series, settings in study.settings.series.items():
        facts = series_facts(series, settings.mapping)
        if not facts:
            continue
        lines.append(f"{series}: {facts['repo']}")
        fetched = {name: entry for name, entry in study.checkpoints[series].items() if not is_twin(entry)}
        for name, entry in sorted(fetched.items(), key=lambda item: item[1]["tokens"]):
            rate = f"{entry['lr']:.2e}" if entry.get("lr") is not None else "unknown"
            commit = (entry.get("commit") or "not resolved")[:12]
            tokens = f"{entry['tokens'] / 1e9:,.1f}B tokens"
            lines.append(
                f"  {name:<20}{tokens:>18}  rate {rate:<9} {entry.get('revision', entry.get('path'))} {commit}"
            )
        lines += even_lines(series, study, facts) if settings.every is not None else []
        lines += known_lines(facts, fetched)
    return lines


def known_lines(facts: dict, entries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    """List the known defects of the checkpoints that are used, and the steps that are left out."""
    lines = []
    for fact, names in same_weights_known(facts, entries):
        equal = " = ".join(f"step {key}" if isinstance(key, int) else key for key in fact["checkpoints"])
        note = f", {fact['note']}" if "note" in fact else ""
        lines.append(f"  {', '.join(names)}: known to have the same weights: {equal} ({fact['source']}{note})")
    by_reason: dict[str, list[str]] = {}
    for step, why in left_out(facts).items():
        by_reason.setdefault(why, []).append(str(step))
    return lines + [f"  left out, {why}: step {shortened(steps)}" for why, steps in by_reason.items()]


def shortened(steps: list[str]) -> str:
    """Write steps in words; of many only the first and the last."""
    return ", ".join(steps) if len(steps) <= MOST_STEPS else f"{', '.join(steps[:3])} ... {steps[-1]} ({len(steps)})"


def even_lines(series: str, study: Study, facts: dict) -> list[str]:
    """List for each point of an even grid the step picked and its distance, then the points without a step."""
    settings = study.settings.series[series].mapping
    picks, spacing = even_picks(series, settings, facts, study.lock), read_tokens(settings["every"])
    lines = [f"  every {settings['every']}: {len(picks.steps)} picked, {len(picks.holes)} without a checkpoint near"]
    for target, step in picks.steps.items():
        off = (counted_tokens(facts, step) - target) / spacing
        lines.append(f"    {target / 1e9:>9,.1f}B  step {step}, {off:+.1%} of the distance off")
    lines += [f"    {hole / 1e9:>9,.1f}B  a hole: nothing within a quarter of the distance" for hole in picks.holes]
    return lines


def check(repo: str) -> None:
    """Print what branches share; status 3 where they share what they should not."""
    from ripeness.hub.weight_report import report_weights

    if not REPOSITORY.fullmatch(repo):
        raise UserError(f"--check: {repo!r} is not a repository\nhint: give owner/name, e.g. EleutherAI/pythia-70m")
    logging.getLogger("httpx2").setLevel(logging.WARNING)  # a line for each of some hundred requests
    report = report_weights(repo)
    print("\n".join(report.lines))
    if not report.is_good:
        sys.exit(SOMETHING_WRONG)


def main(argv: list[str] | None = None) -> None:
    """Complete the lock file and print what the study takes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, help="the study's file")
    parser.add_argument("--check", metavar="OWNER/NAME", help="compare the weights of all branches of this repository")
    parser.add_argument("--lock", type=Path, default=LOCK_FILE, help="the lock file")
    parser.add_argument("--update", action="store_true", help="resolve again what is in the lock file")
    parser.add_argument("--show", action="store_true", help="use no network, write nothing")
    options = parser.parse_args(argv)
    if (options.study is None) == (options.check is None):
        parser.error("give either --study or --check")
    if options.check:
        check(options.check)
        return
    config = read_yaml(options.study)
    if options.show:
        study = load_study(config, TASKS, options.lock)
    else:
        study = resolve(config, TASKS, options.lock, update=options.update)
    for line in lines_of(study):
        print(line)


if __name__ == "__main__":
    run(main)
