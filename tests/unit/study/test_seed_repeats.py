"""Series that are repeats of each other."""

from ripeness.study.seed_repeats import repeats

PRETRAIN = {"hidden_size": 32, "schedule": "constant", "seed": 0}


def test_runs_differ_by_their_seed_and_families_by_schedule_too():
    series = {
        "a": {"pretrain": PRETRAIN},
        "b": {"pretrain": PRETRAIN | {"seed": 1}},
        "c": {"pretrain": PRETRAIN | {"schedule": "cosine", "end_step": 10}},
        "d": {"pretrain": PRETRAIN | {"hidden_size": 64}},
    }
    assert repeats({"series": series}) == {
        "runs": {"a": "a", "b": "a"},
        "families": {"a": "a", "b": "a", "c": "a"},
    }


def test_seeds_of_a_published_run_are_repeats_and_folders_are_not():
    series = {
        "p1": {"from": "polypythia-14m", "seed": 1},
        "p2": {"from": "polypythia-14m", "seed": 2},
        "x": {"checkpoints": []},
        "y": {"checkpoints": []},
    }
    assert repeats({"series": series})["runs"] == {"p1": "p1", "p2": "p1"}


def test_a_study_of_one_series_has_no_repeats():
    assert repeats({"series": {"a": {"pretrain": PRETRAIN}}}) == {}
    assert repeats({}) == {}
