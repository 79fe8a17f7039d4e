"""List what a study's folder holds that the study no longer has; with --move, move it aside.

By hand: python scripts/tidy_results.py --study studies/x.yaml --move

After a checkpoint, a dataset or a seed was removed from the study, its results stay until they are moved. They go to
results/STUDY/removed/, from where they can be moved back: results are known by their keys, so nothing is run again.
"""

from pathlib import Path

from ripeness.report.changes import FILE as REPORTED
from ripeness.runtime.command_line import argument_parser, run
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.study.written_claims import FILE, LOOKS
from ripeness.workflow.code_parts import CODES
from ripeness.workflow.file_contents import CONTENTS
from ripeness.workflow.found_elsewhere import move_aside
from ripeness.workflow.given_config import LAST, check_same_study
from ripeness.workflow.result_keys import KEYS, PLAN, REMOVED, Keys
from ripeness.workflow.snakemake_call import ROOT, ask_plan

OWN = {KEYS, CODES, CONTENTS, PLAN, LAST, FILE, LOOKS, REPORTED}  # of the study's folder itself


def not_in_plan(results: Path, plan: dict[str, list[str]]) -> list[Path]:
    """Files and folders below `results` that no job of the plan makes; a folder of which all is left over, as one."""
    wanted = {Path(path) for paths in plan.values() for path in paths}
    above = {parent for path in wanted for parent in path.parents}
    found, waiting = [], [results]
    while waiting:
        for path in sorted(waiting.pop().iterdir()):
            place = path.relative_to(results)
            if place in wanted or str(place) in (*OWN, REMOVED) or path.name.startswith("."):
                continue
            if place in above and path.is_dir():
                waiting.append(path)
            elif place.parts[0] != "logs" or path.is_dir() or path.parent != results / "logs":
                found.append(path)
    return sorted(found)


def main(argv: list[str] | None = None) -> None:
    """List what is left over, or move it."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--move", action="store_true", help="move it to results/STUDY/removed/")
    options = parser.parse_args(argv)
    study = load_study(read_yaml(options.study), ROOT / "tasks")
    results = Path("results") / study.settings.study
    check_same_study(study, results, options.study)  # of another study nothing is left over
    left = not_in_plan(results, ask_plan(options.study, "RIPENESS_PLAN")) if results.is_dir() else []
    keys = Keys(results)
    for path in left:
        print(path)
        if options.move:
            move_aside(keys, str(path.relative_to(results)))
    away = "in the folder and not in the study; --move (make tidy: MOVE=1) moves them"
    verb = f"moved to {results / REMOVED}" if options.move else away
    print(f"{len(left)} files and folders {verb}" if left else f"{results} holds nothing that the study does not have")


if __name__ == "__main__":
    run(main)
