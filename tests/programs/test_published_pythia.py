"""The published results of Pythia's checkpoints: every trajectory (how long that takes: benchmarks/bounds.py)."""

import json
from pathlib import Path

import polars as pl
import pytest
from pythia_table import convert

import plot_figure
import read_published
from ripeness.findings.finding import Settings
from ripeness.findings.register import all_findings
from ripeness.findings.study_tables import Tables

SOURCE = Path(__file__).parents[3] / "shared/published/pythia"
pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(not SOURCE.is_dir(), reason=f"the published results of Pythia are not in {SOURCE}"),
]


def test_every_series_and_task_has_its_trajectory(tmp_path):
    sources = [SOURCE / "pythia_evals_core.csv", SOURCE / "pythia_mmlu_mean.csv"]
    assert convert(sources, tmp_path / "t.csv") > 19_000
    settings = json.dumps({"tables": [str(tmp_path / "t.csv")]})
    tables = {"--measurements": tmp_path / "m.parquet", "--status": tmp_path / "c.parquet"}
    read_published.main(["--study", "p", "--settings", settings, *[str(w) for pair in tables.items() for w in pair]])
    learned = all_findings(Tables.of(measurements=pl.read_parquet(tmp_path / "m.parquet")), Settings())[0]
    for figure in ("saturation", "learned-in-pretraining"):
        outputs = [f"--output-{kind}={tmp_path / figure}.{kind}" for kind in ("svg", "csv")]
        outputs += [f"--output-spec={tmp_path / figure}.json", f"--cells={tmp_path / 'c.parquet'}"]
        plot_figure.main(["--figure", figure, "--measurements", str(tmp_path / "m.parquet"), *outputs])
    classes = {(row["series"], row["dataset"]): row["class"] for row in learned.details}
    assert classes["pythia-v1/pythia-12b", "sciq"] == "learned"
    assert classes["pythia-v1/pythia-12b", "logiqa"] == "never"
    table = pl.read_csv(tmp_path / "saturation.csv")
    assert (table["series"].n_unique(), table["probe"].n_unique()) == (45, 10)
    big = table.filter(series="pythia-v1/pythia-12b", shots=0).select("probe", "status").rows()
    assert dict(big)["sciq"] == "saturates" and dict(big)["logiqa"] == "at the floor"
