"""What is left over in a study's folder."""

from ripeness.workflow.code_parts import CODES
from tidy_results import OWN, not_in_plan


def test_files_of_the_study_itself_are_not_left_over(tmp_path):
    for name in (*OWN, "old.json"):
        (tmp_path / name).write_text("{}")
    assert not_in_plan(tmp_path, {}) == [tmp_path / "old.json"] and CODES in OWN
