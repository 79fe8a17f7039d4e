"""A study of published numbers: from a table to its report, with the same rules, and without torch."""

import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
import yaml
from amuro_rows import SETTINGS, write_table  # noqa: E402
from drawn import MEASURED as FIGURES
from project import ENVIRONMENT, ROOT, copy_project
from waiting import HANG_SECONDS

from ripeness.runtime.files import read_json

pytestmark = pytest.mark.slow
# imported by every Python of the run before anything else
BLOCK = "import sys\nsys.modules.update(dict.fromkeys(['torch', 'transformers', 'datasets', 'tokenizers']))\n"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = copy_project(tmp_path_factory.mktemp("published") / "a study")
    (folder / "blocked").mkdir()
    (folder / "blocked/sitecustomize.py").write_text(BLOCK)
    write_table(folder / "a table.csv")
    study = {"study": "paper", "title": "A paper", "published": SETTINGS | {"tables": ["a table.csv"]}}
    (folder / "study.yaml").write_text(yaml.safe_dump(study))
    return folder


def run(project: Path, *command: str) -> subprocess.CompletedProcess:
    environment = ENVIRONMENT | {"PYTHONPATH": str(project / "blocked")}
    return subprocess.run(
        [sys.executable, *command], cwd=project, env=environment, capture_output=True, text=True, timeout=HANG_SECONDS
    )


def test_a_table_becomes_a_report_without_torch(project):
    done = run(project, "scripts/run_study.py", "--study", "study.yaml", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    results = project / "results/paper"
    assert all((results / f"figures/{name}.csv").is_file() for name in FIGURES)
    assert pl.read_parquet(results / "tables/measurements.parquet").height > 400
    findings = {one["id"]: one for one in read_json(results / "findings.json")}
    assert "−61." in findings["transfer-between-types"]["statement"]
    ripe, told, looks = (findings.pop(name) for name in ("ripe", "indicators", "looks"))
    assert [(row["look"], round(row["level"], 9)) for row in looks["answers"]] == [(1, 0.04)]
    assert "tune 505000 (2.1T tokens)" in ripe["statement"] and "no validation items" in ripe["statement"]
    assert {row["indicator"] for row in told["answers"]} == {"tokens", "score, 4 shots"}
    said = " ".join(done.stdout.split())
    assert said.index(" ".join(ripe["statement"].split())) < said.index(" ".join(told["statement"].split()))
    shown = [finding for finding in findings.values() if finding["effect"] is not None]
    assert len(findings) == 5 and said.count("undecided ") == len(shown)
    assert all(name in said for name, finding in findings.items() if finding["effect"] is None)
    page = (results / "report.html").read_text()
    audit = pl.read_parquet(results / "tables/audit.parquet").filter(pl.col("severity") != "passed")
    assert {"uneven-tokens", "near-identical-checkpoints", "tiny-base", "no-forgetting-at-chance"} <= set(
        audit["check"]
    )
    assert '<section id="ripe">' in page and '<section id="predictors">' in page
    assert '<section id="lacks">' in page and '<section id="prompts">' not in page and "No items: nothing" in page
    assert "a table.csv" in page
    again = run(project, "-m", "snakemake", "--configfile", "study.yaml", "--cores", "1", "-n")
    assert "Nothing to be done" in again.stdout + again.stderr, again.stdout + again.stderr
    forecast = run(project, "scripts/forecast.py", "--study", "study.yaml")
    assert forecast.returncode == 0, forecast.stderr


@pytest.mark.release
def test_a_mistake_in_a_table_names_file_and_line(project):
    table = project / "a table.csv"
    lines = table.read_text().splitlines()
    (project / "wrong.csv").write_text("\n".join([*lines, lines[-1]]) + "\n")
    study = {"study": "wrong", "title": "t", "published": SETTINGS | {"tables": ["wrong.csv"]}}
    (project / "wrong.yaml").write_text(yaml.safe_dump(study))
    done = run(project, "scripts/run_study.py", "--study", "wrong.yaml", "--cores", "1")
    assert done.returncode == 2 and "Traceback" not in done.stderr, done.stderr
    assert f"error: wrong.csv:{len(lines) + 1}: the same number as wrong.csv:{len(lines)}" in done.stderr
    missing = yaml.safe_load((ROOT / "studies/published.yaml").read_text())
    (project / "missing.yaml").write_text(yaml.safe_dump(missing))
    done = run(project, "scripts/run_study.py", "--study", "missing.yaml", "--cores", "1")
    assert done.returncode == 2 and "published.tables.0: there is no published.csv" in done.stderr


@pytest.mark.release
def test_braces_and_angle_brackets_are_text_wherever_they_stand(project):
    folder, title = "a {step} of <results>", "Set {a, b} of {step}, {{twice}}, <results>"
    (project / folder).mkdir()
    (project / folder / "table {0}.csv").write_bytes((project / "a table.csv").read_bytes())
    study = {"study": "braces", "title": title, "published": SETTINGS | {"tables": [f"{folder}/table {{0}}.csv"]}}
    study["audit"] = {"acknowledge": {"tiny-base": "as {published} in {0} <logs>"}}
    (project / "study {x}.yaml").write_text(yaml.safe_dump(study))
    done = run(project, "-m", "snakemake", "--configfile", "study {x}.yaml", "--cores", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    audit = pl.read_parquet(project / "results/braces/tables/audit.parquet").filter(check="tiny-base")
    assert set(audit["reason"]) == {"as {published} in {0} <logs>"}
    page = (project / "results/braces/report.html").read_text()
    assert "<title>Set {a, b} of {step}, {{twice}}, &lt;results&gt;" in page
    # what the audit warns of ends the run, but for what is acknowledged
    warned = done.stderr.partition("that the study does not acknowledge")[2]
    assert "uneven-tokens: " in warned and "tiny-base: " not in warned
    again = run(project, "-m", "snakemake", "--configfile", "study {x}.yaml", "--cores", "1", "-n")
    assert "Nothing to be done" in again.stdout + again.stderr, again.stdout + again.stderr
