"""The table of designs of a study, by its program."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import yaml
from overtrained import BRITTLE, planted
from planted import FAST, WIDE, World, as_items, simulate, tables_of, without

from plan_design import main
from ripeness.findings.register import all_findings, as_rows
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.workflow.snakemake_call import ROOT


def with_shots(path: Path) -> None:
    """Ask all models with four shots too, which makes them right."""
    rows = pl.read_parquet(path)
    pl.concat([rows.with_columns(shots=pl.lit(4, pl.Int64), score=pl.lit(1.0)), rows]).write_parquet(path)


def test_the_cheapest_design_that_finds_the_effect_is_marked(capsys):
    main(["--detect", "0.2"])
    said = capsys.readouterr().out
    (marked,) = re.findall(r"^(.*)  cheapest that finds 0.2$", said, re.MULTILINE)
    assert float(marked.split()[4]) <= 0.2
    assert "stated standard deviations (items 0.5," in said and said.count("  now") == 1
    main(["--detect", "0.021"])
    assert "no design up to four times as large in every level finds 0.021" in capsys.readouterr().out


def test_a_pilot_gives_the_variance(tmp_path, capsys):
    write_json(tmp_path / "findings.json", as_rows(all_findings(tables_of(WIDE, simulate(WIDE, 0)), FAST)))
    main(["--detect", "0.2", "--pilot", str(tmp_path), "--claim", "format-spread"])
    said = capsys.readouterr().out
    assert f"variance: that of format-spread in {tmp_path}" in said
    (at_most, planned) = re.search(r"only effects from (\S+) on in place of (\S+)\.$", said, re.MULTILINE).groups()
    assert float(at_most) > float(planned)
    with pytest.raises(UserError, match="known are .*format-spread"):
        main(["--pilot", str(tmp_path), "--claim", "nothing"])


def test_a_study_with_claims_of_its_own_is_planned(tmp_path, capsys):
    own = {"mine": {"claim": "Tuning helps.", "compare": {"method": "full"}, "against": {"method": "base"}}}
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(study | {"findings": {"smallest_effect": 0.03} | own}))
    main(["--study", str(tmp_path / "study.yaml"), "--detect", "0.2"])
    assert "a claim of more than 0.03" in capsys.readouterr().out


@pytest.mark.release
def test_a_design_is_planned_for_the_look_that_its_run_would_be(tmp_path, capsys, monkeypatch):
    """Each look decides at its part of the allowed error, so that later ones detect less."""
    monkeypatch.chdir(tmp_path)
    study = yaml.safe_load((ROOT / "config.yaml").read_text())
    said, path = [], tmp_path / "results" / study["study"] / "looks.json"
    path.parent.mkdir(parents=True)
    for number, planned in ((0, 1), (0, None), (1, None), (1, 1)):
        findings = {"looks": planned} if planned else {}
        (tmp_path / "study.yaml").write_text(yaml.safe_dump(study | {"findings": findings}))
        write_json(path, [{"looked_at": "t", "results": "r", "n_checkpoints": 9}] * number)
        if planned == number:
            with pytest.raises(UserError, match=r"all 1 looks that were planned .* are used.*\nhint: .*looks\.json"):
                main(["--study", "study.yaml", "--detect", "0.2"])
        else:
            main(["--study", "study.yaml", "--detect", "0.2"])
            said.append(capsys.readouterr().out)
    now = [float(re.search(r"^.*  now$", one, re.MULTILINE)[0].split()[4]) for one in said]
    assert now == sorted(now) and len(set(now)) == 3
    words = ("look 1, which decides at 5 %", "look 1, which decides at 4 %", "look 2, which decides at 0.5 %")
    assert all(part in one for part, one in zip(words, said, strict=True))


def test_what_cannot_be_planned_is_said(tmp_path):
    with pytest.raises(UserError, match="0.01 is not above the smallest that matters, 0.02"):
        main(["--detect", "0.01"])
    with pytest.raises(UserError, match="there is no .*\nhint: name the folder of a finished study"):
        main(["--pilot", str(tmp_path)])
    write_json(tmp_path / "findings.json", as_rows(all_findings(planted(BRITTLE), FAST)))
    with pytest.raises(UserError, match="no claim in .* has the parts of its variance\nhint: leave --claim out"):
        main(["--pilot", str(tmp_path), "--claim", "gain-by-learning"])
    with pytest.raises(UserError, match="there is no .*tables/items"):
        main(["--pilot", str(tmp_path)])


@pytest.mark.release
@pytest.mark.parametrize("names", ["abcdefgh", "a"])
def test_a_pilot_of_one_checkpoint_tells_how_items_seeds_and_datasets_scatter(tmp_path, capsys, names):
    """Gains of .1 to .3 over datasets, seeds that differ by .05 and items that change by chance."""
    kinds, gains = dict.fromkeys(names, "choice"), dict(zip(names, np.linspace(0.1, 0.3, len(names)), strict=True))
    world = World(kinds, dict.fromkeys(names, [0.5] * 6), gains, {}, seed_sd=0.05, n_items=200, n_seeds=4)
    one = without(simulate(world, 0), lambda row, block: row.checkpoint != "step3")
    one = replace(one, checkpoints={"run": [point for point in one.checkpoints["run"] if point.checkpoint == "step3"]})
    (tmp_path / "tables/items/run").mkdir(parents=True)
    as_items(one).write_parquet(tmp_path / "tables/items/run/step3.parquet")
    write_json(tmp_path / "findings.json", as_rows(all_findings(tables_of(world, one), FAST)))
    main(["--detect", "0.2", "--pilot", str(tmp_path)])
    whole = capsys.readouterr().out
    said = whole.splitlines()[0]
    assert ("One pilot in five" in whole) == (len(names) > 1)  # one dataset measures no scatter of datasets
    with_shots(tmp_path / "tables/items/run/step3.parquet")
    main(["--detect", "0.2", "--pilot", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[0] == said
    plural = "s" if len(names) > 1 else ""
    assert f"gains of full in {tmp_path} ({len(names)} dataset{plural}, 1 checkpoint)" in said
    found = {name: float(value) for name, value in re.findall(r"(\w+) (0\.\d+)", said)}
    assert 0.4 < found["items"] < 0.8 and found["seeds"] == pytest.approx(0.05, abs=0.025)
    assert "checkpoints 0.0065 (stated)" in said
    if len(names) > 1:
        assert found["datasets"] == pytest.approx(0.07, abs=0.025) and "datasets 0.08 (stated)" not in said
    else:
        assert "datasets 0.08 (stated)" in said
