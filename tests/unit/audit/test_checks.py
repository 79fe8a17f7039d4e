"""The audit as a whole: every check has a function, what is acknowledged, and what ends a study."""

import re
from pathlib import Path

import pytest

from ripeness.audit.grid import GRID_CHECKS
from ripeness.audit.items import ACROSS_CHECKS, ITEM_CHECKS
from ripeness.audit.prompts import PROMPT_CHECKS, READING_CHECKS
from ripeness.audit.results import RESULT_CHECKS
from ripeness.audit.terminal import warning_lines
from ripeness.runtime.errors import UserError
from ripeness.study.audit_checks import (
    CHECKS,
    INPUT_STAGES,
    RESULT_STAGES,
    SEVERITIES,
    as_rows,
    check_acknowledged,
    refusal,
    remark,
    with_passed,
)
from ripeness.tables.columns import AUDIT, conform, write_table

PAGE = Path(__file__).parents[3] / "docs/audit.md"
FUNCTIONS = {
    "grid": GRID_CHECKS,
    "items": ITEM_CHECKS | ACROSS_CHECKS,
    "prompts": PROMPT_CHECKS | READING_CHECKS,
    "results": RESULT_CHECKS,
}


def test_every_check_has_one_function_of_its_stage_and_a_severity():
    assert set(FUNCTIONS) == {*INPUT_STAGES, *RESULT_STAGES}
    for stage, functions in FUNCTIONS.items():
        assert list(functions) and set(functions) == {name for name, check in CHECKS.items() if check.stage == stage}
        assert all(function.__name__ == name.replace("-", "_") for name, function in functions.items())
    assert {check.severity for check in CHECKS.values()} == set(SEVERITIES) - {"passed"}
    assert {check.stage for check in CHECKS.values() if check.severity == "fatal"} <= set(INPUT_STAGES)


def test_the_page_on_the_audit_has_all_checks_with_their_severity():
    rows = re.findall(r"^\| `([a-z-]+)` \| (\w+) \| (\w+) \| .+ \|$", PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    assert rows == [(name, check.stage, check.severity) for name, check in CHECKS.items()]


def test_a_row_stands_for_every_remark_and_for_every_check_that_saw_nothing_the_gravest_first():
    remarks = [remark("single-seed", "seeds", "one"), remark("overlap", "rte", "3 of 9"), remark("overlap", "a", "1")]
    rows = with_passed(remarks, ["single-seed", "overlap", "no-stop"], {})
    assert [(row.check, row.severity, row.where) for row in rows] == [
        ("overlap", "fatal", "a"),
        ("overlap", "fatal", "rte"),
        ("single-seed", "warning", "seeds"),
        ("no-stop", "passed", ""),
    ]
    table = conform(as_rows(rows), AUDIT)
    assert table["stage"].to_list() == ["items", "items", "grid", "grid"] and table["why"].null_count() == 0


def test_a_fatal_remark_is_an_error_of_its_own_with_place_and_way_out():
    rows = [remark("overlap", name, "3 of 9") for name in "abcdefg"] + [remark("shots-scored", "rte", "4 of 4")]
    error = str(refusal(rows))
    first, second = error.split("\nerror: ")
    assert "'overlap': a: 3 of 9; b: 3 of 9" in first and "and 2 more" in first
    assert "'shots-scored': rte: 4 of 4" in second and "acknowledge: {shots-scored:" in second
    assert error.count("\nhint: ") == 2
    assert refusal([remark("single-seed", "seeds", "one")]) is None


def test_what_is_acknowledged_is_shown_with_its_reason_and_ends_nothing():
    acknowledged = {"overlap": "as published", "duplicates": "they are meant"}
    rows = with_passed([remark("overlap", "rte", "3 of 9")], ["overlap", "duplicates"], acknowledged)
    assert (rows[0].severity, rows[0].is_acknowledged, rows[0].reason) == ("fatal", True, "as published")
    assert refusal(rows) is None
    assert (rows[1].check, rows[1].severity) == ("duplicates", "note") and "no longer needed" in rows[1].seen


def test_an_acknowledgement_of_no_check_names_the_choices():
    check_acknowledged({name: "meant" for name in CHECKS})
    with pytest.raises(UserError, match="(?s)unknown check 'overlapp'; known are .*overlap, .*did you mean 'overlap'"):
        check_acknowledged({"overlapp": "meant"})


def test_a_run_ends_with_what_the_audit_warns_of_and_the_study_does_not_acknowledge(tmp_path):
    assert warning_lines(tmp_path) == []
    seen = [
        remark("duplicates", "qqp", "3 of 12 (25%) test items repeat another one"),
        remark("duplicates", "rte", "long " * 100),
        remark("fewer-items", "rte", "5 of 20 train items", severity="fatal"),
        remark("single-seed", "seeds", "every model is tuned once, with seed 1"),
        remark("skewed-gold", "qqp", "a note"),
    ]
    for acknowledged, ends in [({}, ["fewer-items", "single-seed", "duplicates"]), ({"single-seed": "a pilot"}, None)]:
        rows = with_passed(seen, ["overlap"], acknowledged)
        write_table(tmp_path / "tables/audit.parquet", as_rows(rows), AUDIT)
        head, *lines = warning_lines(tmp_path)
        checks = ends or ["fewer-items", "duplicates"]
        assert head.startswith(f"The audit has {len(checks)} warnings") and "report.html" in head
        assert [line.strip().partition(":")[0] for line in lines] == checks
        assert lines[-1].endswith("(and 1 more)") and "qqp: 3 of 12" in lines[-1] and max(map(len, lines)) < 185
    write_table(tmp_path / "tables/audit.parquet", as_rows(with_passed(seen[-1:], [], {})), AUDIT)
    assert warning_lines(tmp_path) == []


def test_an_error_says_what_to_do_about_its_own_check():
    few = remark("fewer-items", "rte", "5 of 20 train items", severity="fatal")
    gold = remark("constant-gold", "rte", "'yes' is right in all 20 test items")
    error = str(refusal([few, gold]))
    assert "hint: give it more rows, ask for fewer with `items`, or acknowledge it with a reason: audit: " in error
    assert 'hint: fix it, or acknowledge it with a reason: audit: {acknowledge: {constant-gold: "the reason"}}' in error
