"""What changed since the last report: verdicts, answers, effects and scores, each with before and after."""

import polars as pl
import pytest

from ripeness.report.change_lines import change_lines
from ripeness.report.changes import changes, digest_of, keep, since_last
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import IS_CHOSEN, MEASUREMENTS, conform


def entry(name, verdict, effect=None):
    low, high = (None, None) if effect is None else (effect - 0.1, effect + 0.1)
    return {"id": name, "claim": f"Claim {name}.", "verdict": verdict, "effect": effect, "low": low, "high": high,
            "unit": "score"}  # fmt: skip


def measured(score, **more):
    row = {
        "study": "s", "series": "run", "checkpoint": "step1", "step": 1, "tokens": 10, "phase": "stable",
        "dataset": "d", "format": "io", "method": "full", "seed": 1, "suite": "own", "probe": "d",
        "probe_kind": "choice", "probe_format": "io", "shots": 0, "split": "test", "metric": "accuracy",
        "is_primary": True, "value": score, "n_items": 10, "is_chosen": True,
    }  # fmt: skip
    return row | more


def table(*rows):
    return conform([row | {"is_chosen": True} for row in rows], MEASUREMENTS | IS_CHOSEN)


ANSWER = {"id": "ripe", "claim": "Which?", "statement": "Tune step 1.", "answers": [{}]}
BEFORE = digest_of([ANSWER, entry("a", "supported", 0.3), entry("b", "undecided"), entry("c", "supported", 0.2)],
                   table(measured(0.5), measured(0.7, seed=2), measured(0.2, dataset="e", probe="e")))  # fmt: skip


def test_verdicts_answers_effects_and_scores_are_compared():
    now = [ANSWER | {"statement": "Tune step 2."}, entry("a", "undecided", 0.25), entry("b", "undecided"),
           entry("d", "reversed", -0.4)]  # fmt: skip
    found = changes(
        BEFORE, digest_of(now, table(measured(0.5), measured(0.8, seed=2), measured(0.9, checkpoint="step2")))
    )
    assert [(was["verdict"], is_["verdict"]) for was, is_ in found["verdicts"]] == [("supported", "undecided")]
    assert ([one["id"] for one in found["new"]], [one["id"] for one in found["gone"]], found["same"]) == (
        ["d"],
        ["c"],
        1,
    )
    (moved,) = found["scores"]["moved"]
    assert (moved["was"], moved["is"]) == pytest.approx((0.6, 0.65))
    assert [len(found["scores"][key]) for key in ("new", "gone")] == [1, 1]
    said = change_lines(found, width=200)
    assert said[0] == "supported -> undecided: Claim a. +0.30 [+0.20, +0.40] -> +0.25 [+0.15, +0.35] score"
    assert "Tune step 2. Before: Tune step 1." in said and "claim no longer tested: Claim c. (supported)" in said
    assert said[-2:] == ["tuned models: 1 new, 1 gone, 1 with another score, 0 as before",
                         "  run step1 d io full: 0.600 -> 0.650 (+0.050)"]  # fmt: skip


def test_last_digits_are_no_change():
    claims = [entry("a", "supported", 0.3 + 1e-12)]
    found = changes(digest_of([entry("a", "supported", 0.3)], None), digest_of(claims, None))
    assert found["nothing"] and change_lines(found, width=80) == ["nothing changed"]


def test_a_report_made_again_still_shows_the_last_change(tmp_path):
    path, later = tmp_path / "reported.json", digest_of([entry("a", "undecided", 0.1)], None)
    assert since_last(path, BEFORE) is None  # the first report
    keep(path, BEFORE)
    assert since_last(path, BEFORE) is None
    first = since_last(path, later)
    keep(path, later)
    keep(path, later)
    assert [len(since_last(path, later)[key]) for key in ("verdicts", "gone")] == [1, 2]
    assert since_last(path, later)["verdicts"] == first["verdicts"]
    path.write_text("{}")
    with pytest.raises(UserError, match="hint: delete it; the next report then says nothing of the one before"):
        since_last(path, later)


def test_a_digest_survives_json(tmp_path):
    keep(tmp_path / "reported.json", BEFORE)
    assert since_last(tmp_path / "reported.json", BEFORE) is None
    assert isinstance(BEFORE["scores"], list) and pl.DataFrame(BEFORE["scores"])["score"].to_list() == [0.6, 0.2]
