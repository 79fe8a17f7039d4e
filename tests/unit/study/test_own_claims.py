"""A user's own claims in a study's config: what they may select, and when they were written."""

import copy
from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.own_claims import own_claims
from ripeness.study.written_claims import NO_RECORD, mark, note_claims, read_versions, with_versions
from ripeness.workflow.given_config import note_study
from ripeness.workflow.lookups.analyse import claims_of_its_own, finding_settings

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
MINE = """
mine:
  claim: Tuning gains.
  compare: {method: full}
  against: {method: base}
"""


def study_of(text, **changes):
    return load_study(copy.deepcopy(CUT) | {"findings": yaml.safe_load(text)} | changes, ROOT / "tasks")


def test_a_claim_gets_its_defaults_and_leaves_the_settings_as_they_were():
    study = study_of(MINE)
    assert own_claims(study.config)["mine"] == {
        "claim": "Tuning gains.", "compare": {"method": "full"}, "against": {"method": "base"}, "metric": "score",
        "of": "level", "smallest": 0.02, "direction": "more", "expects": "effect",
    }  # fmt: skip
    assert finding_settings(study, None) == finding_settings(study_of("{}"), None)
    assert claims_of_its_own(study_of("{}"), None) == "{}" and '"mine"' in claims_of_its_own(study, None)
    louder = study_of(MINE + "smallest_effect: 0.05")
    assert own_claims(louder.config)["mine"]["smallest"] == 0.05


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            "compare: {method: lroa}",
            "mine.compare.method: no model tuned by 'lroa'; known are base, full\nhint: ",
        ),
        ("compare: {dataset: nursery-feeling}", "unknown dataset 'nursery-feeling'; known are nursery-sentiment"),
        ("compare: {checkpoint: step10}", "unknown checkpoint 'step10'; known are step0, step100, "),
        ("compare: {probe: other}", "unknown probe 'other'; known are nursery-sentiment, nursery-summary, own, others"),
        ("compare: {shots: 3}", "findings.mine.compare.shots: unknown number '3'; known are 0, 4"),
        ("metric: acuracy", "unknown metric 'acuracy'; known are score, accuracy"),
        ("compare: {method: [full, base]}", "base is the untouched checkpoint and cannot be mixed"),
        ("against: {method: full}", "`against` selects the same as `compare`\nhint: name in `against` what differs"),
        ("of: change", "an untouched checkpoint has no change\nhint: leave out"),
        ("direction: up", "findings.mine.direction: 'up' is not one of more, less"),
        ("compare: {models: full}", "findings.mine.compare: unknown key 'models'; known are asked_in, checkpoint"),
        ("claim: ''", "findings.mine.claim"),
    ],
)
def test_what_a_claim_cannot_select_is_refused_with_the_choices(change, said):
    with pytest.raises(UserError) as error:
        study_of(MINE + f"  {change}" if change.split(":")[0] not in MINE else changed(change))
    assert said in str(error.value) and "\nhint: " in str(error.value)


def changed(line: str) -> str:
    key = line.split(":")[0]
    return "\n".join(f"  {line}" if old.strip().startswith(f"{key}:") else old for old in MINE.split("\n"))


def test_names_that_are_taken_and_settings_misspelt_are_refused():
    for name in ("mitigation", "gain-by-learning", "ripe", "indicators"):
        with pytest.raises(UserError, match="is a claim that every study tests\nhint: give your claim another name"):
            study_of(MINE.replace("mine:", f"{name}:"))
    with pytest.raises(UserError, match=r"(?s)findings\.smallest_effekt: 0\.05 is not.*did you mean 'smallest_effect'"):
        study_of("smallest_effekt: 0.05")
    with pytest.raises(UserError, match="unknown probe 'heldout'"):
        study_of(MINE.replace("{method: full}", "{method: full, probe: heldout}"))
    study_of(MINE.replace("{method: full}", "{method: full, probe: heldout}") + "  metric: loss")


def day(number: int) -> datetime:
    return datetime(2026, 11, number, 12, tzinfo=UTC)


def test_a_claim_is_marked_by_what_could_be_seen_when_it_was_written_or_changed():
    first, second = {"claim": "A"}, {"claim": "B"}
    before = with_versions({}, {"mine": first}, now=day(1), had_results=False)
    assert mark(before["mine"], first) == "written before results, on 2026-11-01"
    assert with_versions(before, {"mine": first}, now=day(2), had_results=True) == before
    in_time = with_versions(before, {"mine": second}, now=day(2), had_results=False)
    assert mark(in_time["mine"], second) == "written before results, on 2026-11-02"
    late = with_versions(before, {"mine": second}, now=day(3), had_results=True)
    assert mark(late["mine"], second) == "changed after results were seen on 2026-11-03"
    assert [version["settings"] for version in late["mine"]] == [first, second]
    back = with_versions(late, {"mine": first}, now=day(4), had_results=True)
    assert mark(back["mine"], first) == "changed after results were seen on 2026-11-04"
    gone = with_versions(late, {}, now=day(4), had_results=True)
    assert gone == late  # a claim that was removed is known when it comes back
    new = with_versions({}, {"mine": first}, now=day(5), had_results=True)
    assert mark(new["mine"], first) == "written after results were seen, on 2026-11-05"
    assert mark([], first) == mark(before["mine"], second) == NO_RECORD


def test_a_run_writes_claims_down_and_sees_whether_results_are_there(tmp_path):
    file = tmp_path / "cut.yaml"
    file.touch()
    note_study(study_of("{}"), tmp_path, file)
    assert not (tmp_path / "claims.json").exists()
    note_study(study_of(MINE), tmp_path, file)
    (version,) = read_versions(tmp_path / "claims.json")["mine"]
    assert version["settings"] == own_claims(study_of(MINE).config)["mine"] and not version["had_results"]
    (tmp_path / "findings.json").write_text("[]")
    note_study(study_of(MINE), tmp_path, file)
    note_study(study_of(MINE.replace("Tuning gains", "Tuning always gains")), tmp_path, file)
    versions = read_versions(tmp_path / "claims.json")["mine"]
    assert [version["had_results"] for version in versions] == [False, True]
    (tmp_path / "findings.json").unlink()
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables/measurements.parquet").touch()  # which shows as much
    note_claims({"other": {"claim": "C"}}, tmp_path)
    assert read_versions(tmp_path / "claims.json")["other"][0]["had_results"]


def test_a_damaged_record_is_no_clean_slate(tmp_path):
    (tmp_path / "claims.json").write_text("[")
    with pytest.raises(UserError, match=r"claims\.json.*\n?hint: move it back as it was"):
        note_claims({"mine": {}}, tmp_path)


def test_a_study_of_the_theory_has_no_claims_of_its_own():
    config = yaml.safe_load(next((ROOT / "studies").glob("*theory*.yaml")).read_text())
    with pytest.raises(UserError, match="a study of the theory has no claims of your own"):
        load_study(config | {"findings": yaml.safe_load(MINE)}, ROOT / "tasks")
