"""Walks of random edits of a study: after each step a dry run plans what a simple model of the keys says.

RIPENESS_WALKS walks of random length are run, from RIPENESS_FIRST_WALK on; each is drawn from its number alone. After
some steps the study is run, and its tables are those of a run from nothing; in a walk that pretends, no job computes.
"""

import os

import pytest
from cut_study import Study
from forked_snakemake import ForkedSnakemake, ForkedStudy
from walk import MOST_STEPS, Walk, toy_study
from walk_kinds import KindsWalk, kinds_study

FIRST, N_WALKS = int(os.environ.get("RIPENESS_FIRST_WALK", "1")), int(os.environ.get("RIPENESS_WALKS", "1"))
OFTEN, NOW_AND_THEN = 0.5, 0.3

pytestmark = pytest.mark.slow


def steps(walk: Walk, *, runs: float) -> None:
    """All steps of a walk, with a run after some of them and at the end."""
    for _ in range(walk.draw.randint(2, MOST_STEPS)):
        walk.step()
        if walk.draw.random() < runs:
            walk.run()
    walk.run()


@pytest.fixture(scope="module")
def pretended(tmp_path_factory) -> Study:
    ForkedStudy.server = ForkedSnakemake(tmp_path_factory.mktemp("stand in"))
    yield toy_study(tmp_path_factory.mktemp("pretended") / "a study", pretends=True)
    ForkedStudy.server.end()


@pytest.fixture(scope="module")
def toy(tmp_path_factory) -> Study:
    return toy_study(tmp_path_factory.mktemp("toy") / "a study")


@pytest.fixture(scope="module")
def kinds(tmp_path_factory) -> Study:
    ForkedStudy.server = ForkedSnakemake(tmp_path_factory.mktemp("stand in"))
    yield kinds_study(tmp_path_factory.mktemp("kinds") / "a study")
    ForkedStudy.server.end()


@pytest.mark.release
@pytest.mark.parametrize("number", range(FIRST, FIRST + N_WALKS))
def test_edits_of_trainings_that_read_each_other_plan_what_the_model_says(number, kinds, tmp_path):
    steps(KindsWalk(ForkedStudy.copy(kinds, tmp_path / "a study"), number, pretends=True), runs=NOW_AND_THEN)


@pytest.mark.parametrize("number", range(FIRST, FIRST + N_WALKS))
def test_edits_plan_what_the_model_of_keys_says(number, pretended, tmp_path):
    steps(Walk(ForkedStudy.copy(pretended, tmp_path / "a study"), number, pretends=True), runs=OFTEN)


@pytest.mark.release
@pytest.mark.parametrize("number", range(FIRST, FIRST + N_WALKS))
def test_tables_after_a_walk_of_edits_are_those_of_a_run_from_nothing(number, toy, tmp_path):
    steps(Walk(Study.copy(toy, tmp_path / "a study"), number), runs=NOW_AND_THEN)
