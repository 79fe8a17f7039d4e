"""Resolve the branches and tags that a study names to commits, once, and keep them in hub.lock.yaml.

By hand, on a machine with network: python scripts/resolve_revisions.py --study studies/x.yaml

What is in the lock file already stays as it is; --update resolves it again. Without a network, --show prints what the
study takes of each series: steps, tokens, rates, commits, and where `every` finds no checkpoint.
"""

from pathlib import Path

from ripeness.annealed_twins import is_twin
from ripeness.command_line import argument_parser, run
from ripeness.config import read_yaml
from ripeness.plan import Study
from ripeness.resolving import resolve
from ripeness.revisions import LOCK_FILE
from ripeness.series import even_picks
from ripeness.series_files import read_tokens, series_facts, tokens_at
from ripeness.study import load_study

TASKS = Path(__file__).parents[1] / "tasks"


def lines_of(study: Study) -> list[str]:
    """What the study takes of every series on the hub, and what `every` does not find."""
    lines = []
    for series, settings in study.config["series"].items():
        facts = series_facts(series, settings)
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
        lines += even_lines(series, study, facts) if "every" in settings else []
    return lines


def even_lines(series: str, study: Study, facts: dict) -> list[str]:
    """For each point of an even grid the step that was picked, and how far off it is; and the points without one."""
    settings = study.config["series"][series]
    picks, spacing = even_picks(series, settings, facts, study.lock), read_tokens(settings["every"])
    lines = [f"  every {settings['every']}: {len(picks.steps)} picked, {len(picks.holes)} without a checkpoint near"]
    for target, step in picks.steps.items():
        off = (tokens_at(facts, step) - target) / spacing
        lines.append(f"    {target / 1e9:>9,.1f}B  step {step}, {off:+.1%} of the distance off")
    lines += [f"    {hole / 1e9:>9,.1f}B  a hole: nothing within a quarter of the distance" for hole in picks.holes]
    return lines


def main(argv: list[str] | None = None) -> None:
    """Complete the lock file and print what the study takes."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", required=True, type=Path, help="the study's file")
    parser.add_argument("--lock", type=Path, default=LOCK_FILE, help="the lock file")
    parser.add_argument("--update", action="store_true", help="resolve again what is in the lock file")
    parser.add_argument("--show", action="store_true", help="ask nothing of the network, write nothing")
    options = parser.parse_args(argv)
    config = read_yaml(options.study)
    if options.show:
        study = load_study(config, TASKS, options.lock)
    else:
        study = resolve(config, TASKS, options.lock, update=options.update)
    for line in lines_of(study):
        print(line)


if __name__ == "__main__":
    run(main)
