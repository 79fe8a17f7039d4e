"""What tests see of folders at work is true however slow the look is."""

import shutil

import pytest
from waiting import Together, files_below, wait_for


def test_waiting_ends_when_it_is_so_and_says_what_never_is():
    left = [False, False, True]
    wait_for(lambda: left.pop(0), pause=0)
    assert left == []
    with pytest.raises(TimeoutError, match="not so after 0 s"):
        wait_for(lambda: False, seconds=0)


def test_a_folder_that_vanishes_under_the_walk_is_passed_over(tmp_path):
    for name in "abc":
        (tmp_path / name).mkdir()
        (tmp_path / name / "model.safetensors").touch()
    walk = files_below(tmp_path, "*.safetensors")
    first = next(walk)  # all three are listed
    for folder in {tmp_path / name for name in "abc"} - {first.parent}:
        shutil.rmtree(folder)
    assert list(walk) == []


def test_a_slow_look_does_not_count_together_what_came_one_after_the_other():
    together = Together()
    for there in ({"a"}, {"a", "b"}, {"b", "c"}, {"d", "e", "c"}):
        together.look(there)
    assert together.most == 1
    together.look({"d", "e", "f"})
    assert together.most == 2
