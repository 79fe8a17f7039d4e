"""The table of scores in the docs is made from results."""

import pytest

import score_table
from ripeness.runtime.errors import UserError
from ripeness.runtime.project import ROOT
from ripeness.tables.columns import IS_CHOSEN, MEASUREMENTS, conform


def row(checkpoint: str, tokens: int, method: str, value: float | None, **more) -> dict:
    found = {"study": "s", "series": "a", "checkpoint": checkpoint, "step": tokens, "tokens": tokens, "phase": "stable"}
    found |= {"dataset": "mood", "format": "default", "method": method, "probe": "mood", "probe_format": "default"}
    found |= {"probe_kind": "choice", "suite": "own", "split": "test", "shots": 0, "seed": 1, "n_items": 200}
    return found | {"metric": "accuracy", "is_primary": True, "is_chosen": True, "value": value} | more


ROWS = [
    row("step0", 0, "base", 0.5), row("step0", 0, "full", 0.7), row("step0", 0, "full", 0.6, seed=2),
    row("step9", 9, "base", 0.449), row("step9", 9, "full", 1.0),
    row("step9", 9, "full", 0.1, is_chosen=False), row("step9", 9, "full", 0.2, suite="validation"),
    row("step9", 9, "full", 0.3, probe="other"), row("step9", 9, "full", 0.3, probe_format="io"),
    row("annealed9", 9, "full", 0.9, phase="annealed"),
]  # fmt: skip


@pytest.fixture
def results(tmp_path):
    (tmp_path / "tables").mkdir()
    conform(ROWS, MEASUREMENTS | IS_CHOSEN).write_parquet(tmp_path / "tables/measurements.parquet")
    return tmp_path


def test_scores_are_means_over_seeds_of_models_asked_as_they_were_tuned(results, capsys):
    score_table.main([str(results)])
    said = capsys.readouterr().out
    assert said.splitlines()[:5] == [
        "| checkpoint | mood |",
        "|---|---|",
        "| step0 | .50 → .65 |",
        "| step9 | .45 → 1.00 |",
        "| annealed9 | – → .90 |",
    ]
    assert "means over 2 seeds, 200 test items each" in said


def test_the_table_takes_its_place_in_a_page_and_the_rest_stays(results, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- scores -->\nold\n<!-- end of scores -->\nafter\n")
    for _ in range(2):
        score_table.main([str(results), "--into", str(page)])
    text = page.read_text()
    assert text.startswith("before\n<!-- scores -->\nFormat `default`") and text.endswith(
        "|\n<!-- end of scores -->\nafter\n"
    )
    assert "old" not in text and text.count("| step0 |") == 1


def test_mistakes_are_said_and_nothing_is_written(results, tmp_path):
    page = tmp_path / "page.md"
    page.write_text("<!-- end of scores --><!-- scores -->")
    with pytest.raises(UserError, match="has not one line"):
        score_table.main([str(results), "--into", str(page)])
    assert page.read_text() == "<!-- end of scores --><!-- scores -->"
    with pytest.raises(UserError, match="no model was tuned by 'lora' in the format 'io'\nhint: methods are "):
        score_table.main([str(results), "--method", "lora", "--format", "io"])


def test_the_page_of_the_nursery_has_its_place_for_the_table():
    page = (ROOT / "docs/nursery.md").read_text(encoding="utf-8")
    assert page.index("<!-- scores -->") < page.index("| checkpoint |") < page.index("<!-- end of scores -->")
