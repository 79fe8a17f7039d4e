"""The command `ripeness`: what it can do, each with its options and an example.

No numeric library is imported before a command needs it, so that the help and the checks come at once.
"""

import os
import tomllib
import webbrowser
from importlib.metadata import version as installed_version
from pathlib import Path
from typing import Annotated

import typer

from ripeness.cli.init_command import EXAMPLE, init
from ripeness.cli.output_commands import COMPARE_EXAMPLE, EXPORT_EXAMPLE, QUERY_EXAMPLE, compare, export, query
from ripeness.cli.places import call, has_cells, part, results_folder, study_file, words_for_snakemake
from ripeness.runtime.command_line import run as run_program
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.project import ROOT, code_version

NOT_DECIDED = 3  # the status with --strict
app = typer.Typer(
    name="ripeness",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
    help="When, in its pre-training, is a language model ripe for fine-tuning?\n\n"
    "`ripeness init` makes a study of your checkpoints and rows, `ripeness run` runs it, `ripeness open` shows it.",
    epilog="Status: 0 done; 1 a fault of ripeness; 2 yours to fix, with a hint; 3 undecided, with --strict.",
)
Study = Annotated[str | None, typer.Argument(help="Study: its file, or its name. Default: the one of this folder.")]
Words = Annotated[
    list[str] | None,
    typer.Argument(metavar="[STUDY] [-- OPTIONS]", help="Study, and after -- targets and options of Snakemake."),
]
Thing = Annotated[str | None, typer.Argument(help="Claim, cell (its path), or id of an item. Default: all claims.")]
Results = Annotated[str | None, typer.Argument(help="Study, or the folder of its results.")]
Forget = Annotated[float | None, typer.Option(help="Nats a token that tuning may add on running text.")]
Indicators = Annotated[bool, typer.Option("--indicators", help="Report what predicts the score after tuning.")]


def say_version(is_asked: bool) -> None:
    """Print version and commit, and end."""
    if is_asked:
        facts = ROOT / "pyproject.toml"  # which a wheel has not
        clone = tomllib.loads(facts.read_text(encoding="utf-8"))["project"]["version"] if facts.is_file() else ""
        print(f"ripeness {clone or installed_version('ripeness')} ({code_version()})")
        raise typer.Exit


app.command(epilog=EXAMPLE)(init)


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=say_version, is_eager=True, help="Print version and commit.")
    ] = False,
) -> None:
    """Hold what stands before the commands."""


@app.command(epilog="Example: `ripeness report mine --partial`")
def report(
    study: Study = None,
    partial: Annotated[bool, typer.Option("--partial", help="Of the cells that are done so far, marked so.")] = False,
) -> None:
    """Write the report of a study that still runs, or of which cells failed."""
    if not partial:
        raise UserError(
            "`ripeness run` makes the report of a complete study\nhint: --partial for the cells that are done"
        )
    call("report_partial", "--study", study_file(study))


@app.command(epilog="Example: `ripeness plan mine --gpu A100 --gpus 4 --detect 0.05`")
def plan(
    study: Study = None,
    gpu: Annotated[str, typer.Option(help="Kind of GPU.")] = "H100",
    gpus: Annotated[int, typer.Option(help="GPUs that work at once.")] = 8,
    detect: Annotated[float, typer.Option(help="True effect that designs should find, in score.")] = 0.05,
    pilot: Annotated[str | None, typer.Option(help="Finished study whose scatter is used.")] = None,
) -> None:
    """Say what would run and why, what it costs in time, energy and disk, and what it could detect. Nothing is run."""
    path = study_file(study)
    call("forecast", "--study", path, "--gpu", gpu, "--gpus", str(gpus))
    print()
    call("explain_reruns", "--study", path)
    if has_cells(path):
        print("\nWhat designs could detect:")
        of_pilot = ("--pilot", str(results_folder(pilot))) if pilot else ()
        call("plan_design", "--study", path, "--detect", str(detect), "--gpu", gpu, *of_pilot)


@app.command(
    epilog="Examples: `ripeness run mine`, `ripeness run mine --cores 8`, `ripeness run mine -- -n` (only plans)"
)
def run(
    words: Words = None,
    cores: Annotated[int, typer.Option(help="Jobs at once.")] = os.cpu_count() or 1,
    strict: Annotated[bool, typer.Option("--strict", help="End with status 3 where a claim stays undecided.")] = False,
) -> None:
    """Run a study, or what of it is missing or has changed. Ctrl-C is safe."""
    study, more = words_for_snakemake(words or [])
    path = study_file(study)
    call("run_study", "--study", path, "--cores", str(cores), "--", *more)
    if strict and not more:
        leave_if_undecided(results_folder(str(path)))


def leave_if_undecided(results: Path) -> None:
    """End with status 3 if a claim that the study has numbers for is undecided, or it has numbers for none."""
    claims = [one for one in read_json(results / "findings.json", list) if "answers" not in one]
    verdicts = [one["verdict"] for one in claims if one["effect"] is not None]
    if part("stats.verdicts").UNDECIDED in verdicts or not verdicts:
        raise typer.Exit(NOT_DECIDED)


@app.command(epilog="Example: `ripeness choose mine --dataset reviews --tokens-at-most 1e12`")
def choose(
    results: Results = None,
    dataset: Annotated[list[str] | None, typer.Option(help="Dataset, once or more. Default: all.")] = None,
    method: Annotated[str | None, typer.Option(help="Way of tuning. Default: all.")] = None,
    forget_at_most: Forget = None,
    tokens_at_most: Annotated[float | None, typer.Option(help="Tokens of pre-training.")] = None,
    indicators: Indicators = False,
) -> None:
    """Name the checkpoint to tune, those that cannot be distinguished from it, and what the last one costs."""
    given = {"--method": method, "--forget-at-most": forget_at_most, "--tokens-at-most": tokens_at_most}
    words = [word for option, value in given.items() if value is not None for word in (option, str(value))]
    words += [word for one in dataset or [] for word in ("--dataset", one)]
    call("choose", results_folder(results), *words, *(["--indicators"] if indicators else []))


@app.command(
    epilog="Examples: `ripeness show`, `ripeness show riper-needs-fewer`, `ripeness show 17 --dataset reviews`"
)
def show(
    thing: Thing = None,
    results: Results = None,
    dataset: Annotated[str | None, typer.Option(help="Dataset of the item.")] = None,
) -> None:
    """Show a claim, a cell or an item: why, the numbers, the files, and the command that makes it."""
    folder = results_folder(results)
    print(*part("cli.showing").show(folder, thing, dataset), sep="\n")


@app.command("open", epilog="Example: `ripeness open mine`")
def open_report(results: Results = None) -> None:
    """Open the report in the browser, and print where it is."""
    report = results_folder(results) / "report.html"
    if not report.is_file():
        raise UserError(f"there is no {report}\nhint: ripeness run makes it again")
    print(report)
    webbrowser.open(report.resolve().as_uri())


@app.command(epilog="Example: `ripeness check mine`")
def check(study: Study = None) -> None:
    """Check a study, its tasks and its files before anything runs; what is wrong is said with a hint."""
    print(*part("cli.checking").checked(study_file(study), ROOT / "tasks"), sep="\n")


app.command(epilog=COMPARE_EXAMPLE)(compare)
app.command(epilog=EXPORT_EXAMPLE)(export)
app.command(epilog=QUERY_EXAMPLE)(query)


def main() -> None:
    """Run the command; the status is 2 for what the user must fix."""
    run_program(lambda: app(prog_name="ripeness"))
