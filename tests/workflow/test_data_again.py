"""Data that are made again and come out as before rerun nothing; before they are made, the plan says so."""

import shutil

import pytest
from cut_study import GPU_RULES, TUNED, UNTOUCHED, jobs_done
from test_keys import program
from test_reruns import replace

pytestmark = pytest.mark.slow

DATA_PROGRAMS = ("make_dataset", "prepare_items", "render_examples", "build_corpus")
DATA_JOBS = {"make_dataset": 2, "prepare_items": 2, "render_examples": 4, "build_corpus": 1}
READ_ARGUMENTS = "options = parser.parse_args(argv)\n"


def change_code(study, *programs):
    """Change programs in a way that changes nothing that they write."""
    for name in programs:
        replace(study.folder / f"scripts/{name}.py", READ_ARGUMENTS, f"{READ_ARGUMENTS}    bool(options)\n")


@pytest.mark.release
def test_data_made_by_other_code_that_come_out_as_before_rerun_nothing(edited):
    config = edited.config()
    config["methods"]["mine"] = config["methods"].pop("full")  # which is found by its key, once that is known
    edited.write(config)
    change_code(edited, *DATA_PROGRAMS)
    said = program(edited, "explain_reruns")
    lines = {line.split()[0]: line.split(maxsplit=2)[1:] for line in said.splitlines()[1:]}
    assert lines["prepare_items"] == ["2", "code, input (prepare_items.py: main)"], said
    assert (
        lines["pretrain_checkpoint"][1]
        == lines["train_model"][1]
        == lines["predict"][1]
        == "perhaps: if data that are made again come out otherwise"
    ), said
    run = edited.snakemake()
    said = run.stdout + run.stderr
    assert run.returncode == 0, said
    done = jobs_done(said)
    assert {rule: done[rule] for rule in DATA_JOBS} == DATA_JOBS and not GPU_RULES & set(done), said
    assert "jobs run only if data that are made again first come out otherwise" in said
    assert f"train_model {TUNED}" in said.partition("not needed, since data came out as before: ")[2], said
    assert edited.planned(config) == {}
    change_code(edited, "prepare_items")
    program(edited, "explain_reruns", "--accept", "code")
    assert not (GPU_RULES | set(DATA_JOBS)) & set(edited.planned(config))


@pytest.mark.release
def test_items_that_come_out_otherwise_rerun_what_reads_them(edited):
    replace(edited.folder / "scripts/ripeness/data/items.py", "f\"{sizes['seed']}-{source}\"", 'f"{source}"')
    run = edited.snakemake("--", "results/cut/items/nursery-sentiment")
    assert run.returncode == 0, run.stdout + run.stderr
    said = program(edited, "explain_reruns")
    assert edited.planned()["train_model"] == TUNED and edited.planned()["predict"] == TUNED + UNTOUCHED - 3, said


@pytest.mark.release
def test_items_that_were_deleted_or_are_forced_rerun_nothing(edited):
    shutil.rmtree(edited.folder / "results/cut/items/nursery-sentiment")
    run = edited.snakemake("--forcerun", "prepare_items", "render_examples")
    assert run.returncode == 0, run.stdout + run.stderr
    assert set(jobs_done(run.stdout + run.stderr)) <= {*DATA_JOBS, "all"}, run.stdout + run.stderr
    assert edited.planned() == {}
