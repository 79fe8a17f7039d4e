"""Run a study with Snakemake on this machine: live progress, then warnings, answers, verdicts, the report and the cost.

Everything that decides a result is in the Snakefile; `snakemake --configfile STUDY --cores 2` gives the same files.
"""

import io
import math
import os
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from itertools import pairwise
from pathlib import Path
from threading import Event, Thread

from ripeness.audit.terminal import warning_lines
from ripeness.hub.resolve import resolve, unresolved
from ripeness.report.change_lines import change_lines
from ripeness.report.changes import FILE as REPORTED
from ripeness.report.changes import changes, read_kept
from ripeness.report.terminal import finding_lines
from ripeness.runtime.command_line import MAKE_ROOM, argument_parser, disk_hint, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.study.schema import read_yaml
from ripeness.study.study_config import MODELS, kind_of
from ripeness.tables.finished_results import check_finished, damaged_files, is_cheap
from ripeness.workflow.first_reports import first_reports
from ripeness.workflow.result_keys import Keys
from ripeness.workflow.snakemake_call import ROOT, snakemake_command, snakemake_environment
from ripeness.workflow.snakemake_patches import register as patches
from ripeness.workflow.snakemake_patches import rerun_by_keys
from ripeness.workflow.study_progress import Progress
from ripeness.workflow.time_left import Costs, costs_of
from ripeness.workflow.usage_logs import cost_lines

START_OF_LINE = "\r\x1b[K"  # of a terminal, which is emptied
SAFE = "Ctrl-C is safe: the next run goes on from there"
SECONDS_BETWEEN_LINES = 10  # where the output is no terminal
MOST_ERRORS = 3
UNLOCK = "if it was killed: make unlock, or ripeness run STUDY -- --unlock"
WIDTH = 100  # of lines that go to a file
TRACEBACK = ("  File ", "    ")  # what its lines begin with
PLANS = ("--dry-run", "--dryrun", "--summary", "-S", "--detailed-summary", "-D", "--dag", "--rulegraph", "--filegraph")
FULL_BYTES = 2**16  # of a disk that are free below which no job can work


def tick(progress: Progress, ended: Event) -> None:
    """Show the progress, also while a long job says nothing: over itself on a terminal, else now and then as a line."""
    is_terminal, shown = sys.stdout.isatty(), -math.inf
    width = shutil.get_terminal_size().columns - 1  # what is longer would go on in a line that is not written over
    while not ended.wait(0.5):
        if progress.is_announced and (is_terminal or time.monotonic() - shown > SECONDS_BETWEEN_LINES):
            shown, text = time.monotonic(), progress.text()
            print(
                f"{START_OF_LINE}{text[:width]}" if is_terminal else text, end="" if is_terminal else "\n", flush=True
            )


@contextmanager
def shown(progress: Progress, study: Path | None) -> Iterator[None]:
    """Show the progress while the body runs, and write first reports of the study, if one is named."""
    ended = Event()
    threads = [Thread(target=tick, args=(progress, ended), daemon=True)]
    threads += [Thread(target=first_reports, args=(study, ended, say_between))] if study else []
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def say_between(text: str) -> None:
    """Print a line above the progress."""
    print(f"{START_OF_LINE if sys.stdout.isatty() else ''}{text}", flush=True)


def has_profile(more: list[str]) -> bool:
    """Tell whether options of Snakemake name a profile; UserError for the shipped one where there is no copy of it."""
    named = [word.removeprefix("--profile=") for word in more if word.startswith("--profile=")]
    named += [name for word, name in pairwise(more) if word == "--profile"]
    if "slurm" in named and not Path("slurm").is_dir():
        raise UserError(
            f"there is no profile slurm in {Path.cwd()}\n"
            f"hint: cp -r {shlex.quote(str(ROOT / 'slurm'))} . and set partition and account, in the lines marked <-"
        )
    return bool(named)


def has_early_reports(study: Path, more: list[str]) -> bool:
    """Tell whether a run has cells to report on early, on a machine for computing: no login node of a cluster."""
    return kind_of(read_yaml(study)) == MODELS and not has_profile(more)


def run_snakemake(study: Path, cores: str, more: list[str], costs: Costs) -> tuple[int, Progress]:
    """Run Snakemake in a process of its own and follow its output."""
    options = ["--scheduler", "greedy", "--rerun-incomplete", "--keep-going"]
    options += [] if has_profile(more) else ["--cores", cores]  # a profile says what one job of a cluster may use
    command = snakemake_command(study, *options, *more)
    progress = Progress(costs, int(cores) if cores.isdigit() else os.cpu_count() or 1)
    shows = not only_plans(more)
    with (
        shown(progress, study if has_early_reports(study, more) else None) if shows else nullcontext(),
        subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=snakemake_environment()
        ) as process,
    ):
        stopped = end_with(process)
        try:
            for line in process.stdout or ():
                progress.read(line.rstrip("\n"))
                if shows and progress.plan and not progress.is_announced:
                    print(f"{progress.plan}. {SAFE}", flush=True)
                    progress.is_announced = True
        except KeyboardInterrupt:
            # Snakemake got the signal too; it ends its jobs, and no half-written file is left
            process.wait()
            raise
    if shows and sys.stdout.isatty():
        print()
    if stopped:
        print("stopped; the next run resumes from here", file=sys.stderr)
        sys.exit(128 + signal.SIGTERM)
    return process.returncode, progress


def end_with(process: subprocess.Popen[str]) -> list[int]:
    """Pass a SIGTERM on to Snakemake, which finishes the running jobs; return the list that then holds the signal."""
    received = list[int]()

    def pass_on(number: int, _frame: object) -> None:
        received.append(number)
        process.send_signal(number)

    signal.signal(signal.SIGTERM, pass_on)
    return received


def only_plans(more: list[str]) -> bool:
    """Say whether options of Snakemake ask what would be done, so that nothing is: -n, -np, --summary."""
    return any(word in PLANS or re.fullmatch("-[a-zA-Z]*n[a-zA-Z]*", word) is not None for word in more)


def explain(progress: Progress) -> tuple[str, bool]:
    """Say why Snakemake failed, and whether the user must act: the errors of its jobs, or its own last words."""
    errors, is_user = list[str](), False
    if full := next((line.strip() for line in progress.lines if disk_hint(line)), ""):
        return f"{full}\nhint: {disk_hint(full)}", True
    for folder in {Path(log.split(", ")[0]).parent for log in progress.logs}:  # what a job said may not have fitted
        if folder.is_dir() and (full := no_room(folder)):
            return f"jobs failed, and {full}", True
    for log in dict.fromkeys(progress.logs):
        path = Path(log.split(", ")[0])
        text = path.read_text(encoding="utf-8", errors="replace") if path.is_file() else ""
        if match := re.search(r"^error: .*", text, re.MULTILINE | re.DOTALL):
            errors, is_user = [match[0].strip(), *errors], True
        else:
            errors.append("\n".join([f"a job failed; the end of {path}:", *text.splitlines()[-20:]]))
    if not errors and any("LockException" in line for line in progress.lines):
        return f"another run is at work in {Path.cwd()}\nhint: wait for its end; {UNLOCK}", True
    if not errors:
        said = [line for line in progress.lines if line.strip() and not line.startswith(TRACEBACK)]
        refused = [place for place, line in enumerate(said) if line.startswith("error: ")]  # by the Snakefile
        errors = ["\n".join(said[refused[0] if refused else -8 :])]
        is_user = bool(refused)
    first, more = (unique := list(dict.fromkeys(errors)))[:MOST_ERRORS], len(unique) - MOST_ERRORS
    return "\n".join([*first, f"... and {more} more"] if more > 0 else first), is_user


def no_room(folder: Path) -> str:
    """Say why nothing can be written in a folder, with a hint; nothing where something can."""
    if shutil.disk_usage(folder).free < FULL_BYTES:
        return f"the disk of {folder} is full\nhint: {MAKE_ROOM}"
    try:
        with tempfile.TemporaryFile(dir=folder) as file:  # a quota shows only where one writes
            file.write(bytes(4096))
    except OSError as error:
        return f"nothing can be written in {folder}: {error.strerror}\nhint: {disk_hint(error)}".removesuffix(
            "\nhint: "
        )
    return ""


def look_at_finished(results: Path) -> None:
    """Let damaged tables, and those of other columns, be made again; UserError where that would need a GPU."""
    found = damaged_files(results)
    again = [path for path in found if rerun_by_keys.PATCH.is_made() and is_cheap(path)]
    check_finished(results, {path: why for path, why in found.items() if path not in again})
    Keys(results).forget(str(path.relative_to(results)) for path in again)
    for path in again[:MOST_ERRORS]:
        print(f"{found[path]}; it is made again", file=sys.stderr)
    if len(again) > MOST_ERRORS:
        print(f"... and {len(again) - MOST_ERRORS:,} more files", file=sys.stderr)


def main(argv: list[str] | None = None) -> None:
    """Run the study and print the verdicts."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--cores", default=str(os.cpu_count()), help="jobs at once")
    parser.add_argument("more", nargs="*", help="further options of Snakemake, after --")
    options = parser.parse_args(argv)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # a terminal without the minus sign shows "?"
    config = read_yaml(options.study)
    study = load_study(config, ROOT / "tasks")
    if unresolved(study):
        study = resolve(config, ROOT / "tasks")
    check_files(study)
    results = Path("results") / study.settings.study
    look_at_finished(results)
    if warning := patches.warning():  # Snakemake says it too, but its output is not shown
        print(warning, file=sys.stderr)
    started = time.time()
    costs = costs_of(study, results / "logs")
    status, progress = run_snakemake(options.study, options.cores, options.more, costs)
    if status:
        why, is_user = explain(progress)
        if is_user:
            raise UserError(why.removeprefix("error: "))
        print(why, file=sys.stderr)
        sys.exit(1)
    if only_plans(options.more) or not (results / "findings.json").is_file():  # or other targets than the report
        print(*progress.lines, sep="\n")
        return
    say_results(results, since=started)
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    costs_said = cost_lines(results / "logs", since=started, cpu_snakemake=used.ru_utime + used.ru_stime)
    print("", *costs_said, sep="\n")


def say_results(results: Path, *, since: float) -> None:
    """Print what the audit warns of, the answers, the verdicts, what changed, and where the report is."""
    is_terminal = sys.stdout.isatty()
    if warnings := warning_lines(results):
        print("", *warnings, sep="\n")
    width = shutil.get_terminal_size().columns if is_terminal else WIDTH
    is_colour = is_terminal and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
    print("", *finding_lines(read_json(results / "findings.json", list), width=width, is_colour=is_colour), sep="\n")
    kept = read_kept(results / REPORTED)
    if kept.get("before") and (results / REPORTED).stat().st_mtime >= since:
        lines = change_lines(changes(kept["before"], kept["now"]), width=width)
        print(f"\nSince the report of {kept['before_at']}:", *lines, sep="\n")
    report = (results / "report.html").resolve()
    print(f"\n{report.as_uri() if is_terminal else results / 'report.html'}")


if __name__ == "__main__":
    run(main)
