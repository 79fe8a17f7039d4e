"""The program that draws figures."""

import json

import polars as pl
import pytest

from plot_figure import main, picture, statements
from ripeness.runtime.errors import UserError


def test_program_writes_specification_picture_and_data(synthetic_folder, tmp_path):
    out = {kind: tmp_path / f"gain.{kind}" for kind in ("json", "svg", "csv")}
    main(
        [
            *("--figure", "gain", "--measurements", str(synthetic_folder / "measurements.parquet")),
            *("--cells", str(synthetic_folder / "cells.parquet"), "--items", str(synthetic_folder / "items")),
            *("--findings", str(synthetic_folder / "findings.json"), "--output-spec", str(out["json"])),
            *("--output-svg", str(out["svg"]), "--output-csv", str(out["csv"])),
        ]
    )
    assert json.loads(out["json"].read_text())["title"]["subtitle"] == ["reversed: What was measured on gain."]
    assert out["svg"].read_text().startswith("<svg")
    assert {"value", "low", "high", "n_seeds"} <= set(pl.read_csv(out["csv"]).columns)


def test_figure_without_measurements_says_so(synthetic_study, tmp_path):
    empty = synthetic_study["measurements"].clear()
    empty.write_parquet(tmp_path / "m.parquet")
    synthetic_study["cells"].write_parquet(tmp_path / "c.parquet")
    main(
        [
            *("--figure", "transfer", "--measurements", str(tmp_path / "m.parquet")),
            *("--cells", str(tmp_path / "c.parquet"), "--output-spec", str(tmp_path / "x.json")),
            *("--output-svg", str(tmp_path / "x.svg"), "--output-csv", str(tmp_path / "x.csv")),
        ]
    )
    assert "no measurements" in (tmp_path / "x.svg").read_text()


def test_unknown_figure_is_an_error_that_names_the_known_ones(tmp_path):
    paths = [
        f"--{name}={tmp_path / name}" for name in ("measurements", "cells", "output-spec", "output-svg", "output-csv")
    ]
    with pytest.raises(UserError, match="(?s)unknown figure 'gains'; known are availability.*hint: "):
        main(["--figure", "gains", *paths])


def test_only_findings_of_the_figure_become_its_subtitle():
    findings = [{"figure": "gain", "verdict": "supported", "statement": "Yes."}, {"figure": "transfer"}]
    assert statements(findings, "gain") == ["supported: Yes."]


def test_picture_keeps_numbers_in_text_but_not_thousandths_of_pixels():
    spec = {
        "data": {"values": [{"a": "0.12345"}]},
        "mark": "text",
        "encoding": {"text": {"field": "a", "type": "nominal"}},
    }
    assert ">0.12345</text>" in picture(spec)


def test_a_table_that_a_figure_needs_is_named_with_its_option(tmp_path):
    outputs = [f"--{name}={tmp_path / name}" for name in ("output-spec", "output-svg", "output-csv")]
    with pytest.raises(UserError, match="the table of simulated is needed and was not given.*\nhint: .*--simulated"):
        main(["--figure", "theory-features", *outputs])
