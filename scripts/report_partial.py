"""Write the report of a study while its cells run or fail: results/<study>/partial/report.html, marked as partial.

    python scripts/report_partial.py --study studies/mine.yaml

It reads the cells that are done and writes only below results/<study>/partial, so that a run may go on meanwhile. It is
no look at results: what a claim may spend of the allowed error stays as it is, and so do the study's own findings.
"""

import json
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import polars as pl

import audit_results
import collect
import collect_checkpoint
import judge_claims
import plot_figure
import write_report
from ripeness.runtime.command_line import argument_parser, existing, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.storage.parquet import read_table
from ripeness.study.grid import Cell, Study, plan_cells
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.study.study_config import MODELS, kind_of
from ripeness.tables.columns import AUDIT, write_table
from ripeness.workflow.lookups.analyse import claims_of_its_own, figures_of, finding_settings
from ripeness.workflow.lookups.audit import acknowledged, audited_examples
from ripeness.workflow.lookups.collect import chosen_by
from ripeness.workflow.lookups.shared import results as results_of

FILES = ("measurements.parquet", "items.parquet", "cell.parquet")


def done_cells(results: Path, cells: Sequence[Cell]) -> dict[tuple[str, str], list[Path]]:
    """List the scores of the cells that are done, by checkpoint."""
    found: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for cell in cells:
        folder = results / "cells" / cell.path
        if all((folder / name).is_file() for name in FILES):
            found[cell.series, cell.checkpoint].append(folder / FILES[0])
    return dict(found)


def collect_tables(study: Study, done: dict[tuple[str, str], list[Path]], tables: Path) -> None:
    """Write measurements.parquet, cells.parquet and items/ of the cells that are done."""
    for (series, checkpoint), scores in done.items():
        place = f"{series}/{checkpoint}.parquet"
        outputs = {"items": "items", "measurements": "measurements", "status": "cells"}
        written = [f"--{option}={tables / name / place}" for option, name in outputs.items()]
        collect_checkpoint.main([*written, "--choose-by", chosen_by(study), "--scores", *map(str, scores)])
    parts = {name: sorted(map(str, (tables / name).rglob("*.parquet"))) for name in ("measurements", "cells")}
    whole = [f"--output-{name}={tables / name}.parquet" for name in parts]
    collect.main([*whole, "--measurements", *parts["measurements"], "--status", *parts["cells"]])


def audit(study: Study, results: Path, tables: Path) -> Path:
    """Audit what is there; where the audit refuses it, the remarks on inputs alone stand in the report."""
    output, inputs = tables / "audit.parquet", results / "audit/inputs.parquet"
    given = [f"--{name}={tables / name}.parquet" for name in ("measurements", "cells")]
    given += ["--items", str(tables / "items"), "--acknowledge", acknowledged(study), f"--output={output}"]
    if inputs.is_file():
        given += ["--inputs", str(inputs)]
    try:
        audit_results.main(given)
    except UserError as error:
        print(f"the audit refuses these results: {error}")
        rows = read_table(inputs, schema=AUDIT) if inputs.is_file() else pl.DataFrame(schema=AUDIT)
        write_table(output, rows, AUDIT)
    return output


def write_partial(study: Study) -> Path:
    """Write the tables, findings, figures and page of the cells that are done; UserError where there are none."""
    results = Path(results_of(study))
    folder, cells = results / "partial", plan_cells(study)
    done = done_cells(results, cells)
    if not done:
        raise UserError(
            f"no cell of {len(cells)} is done in {results}\nhint: `make study` runs them; the first are done in minutes"
        )
    collect_tables(study, done, folder / "tables")
    tables = [f"--{name}={folder / 'tables' / name}.parquet" for name in ("measurements", "cells")]
    tables += ["--items", str(folder / "tables/items"), "--settings", finding_settings(study, None)]
    findings = folder / "findings.json"
    judge_claims.main([*tables, "--claims", claims_of_its_own(study, None), f"--output={findings}"])
    for figure in figures_of(study):
        if figure == "sensitivity":  # its table is made of all checkpoints
            continue
        outputs = {"spec": "json", "svg": "svg", "csv": "csv"}
        places = [f"--output-{name}={folder / 'figures' / figure}.{kind}" for name, kind in outputs.items()]
        plot_figure.main(["--figure", figure, *tables, f"--findings={findings}", *places])
    n_done = sum(map(len, done.values()))
    page = folder / "report.html"
    write_report.main(
        [
            *tables, f"--findings={findings}", f"--figures={folder / 'figures'}", f"--folder={results}",
            "--examples", *(path for path in audited_examples(study) if Path(path).is_dir()),
            f"--prompts={made(results / 'prompts.json', folder, [])}", "--choose-by", chosen_by(study),
            f"--provenance={made(results / 'provenance.json', folder, {'study': study.config})}",
            f"--audit={audit(study, results, folder / 'tables')}", f"--usage-logs={results / 'logs'}",
            f"--partial={n_done} of {len(cells)} cells are done", f"--output={page}",
        ]
    )  # fmt: skip
    return page


def made(path: Path, folder: Path, otherwise: object) -> Path:
    """Name a file of the study, or one with something in its place where the study has not come to it."""
    if path.is_file():
        return path
    stand_in = folder / path.name
    stand_in.write_text(json.dumps(otherwise), encoding="utf-8")
    return stand_in


def main(argv: list[str] | None = None) -> None:
    """Write one partial report."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", required=True, type=existing, help="the study's file")
    options = parser.parse_args(argv)
    config = read_yaml(options.study)
    if kind_of(config) != MODELS:
        raise UserError(f"{options.study} tunes no models: its report is made at once\nhint: `make study`")
    print(write_partial(load_study(config, ROOT / "tasks")))


if __name__ == "__main__":
    run(main)
