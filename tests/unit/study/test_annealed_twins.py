"""Annealed twins in the plan: their lines, what they are made of, what they cost, and which are refused."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import cells_at, state_steps
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.workflow import resources
from ripeness.workflow.forecast import operations_of
from ripeness.workflow.lookups import anneal as anneal_lookups
from ripeness.workflow.lookups import audit, fetch, shared
from ripeness.workflow.operations import n_parameters

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
ON_DISK = {"path": "models/a", "step": 1000, "tokens": 5000, "lr": 1.0e-3}
TWIN = {"anneal": "step1000", "steps": 10, "batch_size": 4, "text": "more.txt"}
OWN = {"anneal": "step100", "steps": 20, "batch_size": 8}


def study_of(*lines, own=(), texts=None, **settings):
    """The cut study with lines for a series on disk beside its own."""
    config = copy.deepcopy(CUT)
    config["series"]["nursery"]["checkpoints"] += own
    if lines:
        config["series"]["disk"] = {"checkpoints": [ON_DISK, *lines], **settings}
    if lines or texts is not None:
        config["texts"] = texts or {}
        del config["suites"]["pretraining"]
    return load_study(config, ROOT / "tasks")


def asked(series, checkpoint):
    return SimpleNamespace(series=series, checkpoint=checkpoint)


def test_a_twin_of_a_checkpoint_on_disk_is_a_branch_of_its_own():
    study = study_of(TWIN | {"sequence_length": 32, "learning_rate": 2.0e-3})
    entry = study.checkpoints["disk"]["step1000-annealed10"]
    assert (entry["phase"], entry["step"], entry["tokens"]) == ("annealed", 1010, 5000 + 10 * 4 * 32)
    place = asked("disk", "step1000-annealed10")
    assert shared.twins(study) == {"disk": ["step1000-annealed10"]}
    assert anneal_lookups.twin_parent(study, place) == "results/cut/checkpoints/disk/step1000"
    assert anneal_lookups.twin_text(study, place) == "more.txt"
    told = {"steps": 10, "batch_size": 4, "sequence_length": 32, "learning_rate": 2.0e-3}
    assert json.loads(anneal_lookups.twin_settings(study, place)) == told
    assert anneal_lookups.twin_gate(study, place) == "" and anneal_lookups.twin_gate_files(study, place) == []
    assert len(cells_at(study, "disk", "step1000-annealed10")) == len(cells_at(study, "disk", "step1000"))


def test_a_twin_of_what_is_pre_trained_here_reads_and_is_tried_on_the_corpus_of_its_series():
    study = study_of(own=[OWN])
    place = asked("nursery", "step100-annealed20")
    entry = study.checkpoints["nursery"]["step100-annealed20"]
    assert (entry["step"], entry["tokens"]) == (120, 100 * 1024 + 20 * 1024)
    corpus = "results/cut/corpus/nursery"
    assert anneal_lookups.twin_text(study, place) == corpus and anneal_lookups.twin_gate_files(study, place) == [corpus]
    assert anneal_lookups.twin_gate(study, place) == f"--gate-text {corpus}"
    assert state_steps(study, "nursery") == state_steps(study_of(), "nursery")
    point = audit.audited_series(study, "nursery")["checkpoints"][-1]
    assert point == {"checkpoint": place.checkpoint, "step": 120, "tokens": 120 * 1024, "phase": "annealed"}


def test_a_twin_may_read_the_training_text_of_a_series_that_is_pre_trained_here():
    study = study_of(TWIN | {"text": "nursery"})
    assert anneal_lookups.twin_text(study, asked("disk", "step1000-annealed10")) == "results/cut/corpus/nursery"
    assert "tokens" not in study.checkpoints["disk"]["step1000-annealed10"]  # the model's own window decides


def test_a_twin_is_made_after_everything_is_fetched_and_checked_and_changes_no_job_of_others():
    before, after = study_of(TWIN | {"name": "first"}), study_of(TWIN | {"name": "first"}, TWIN | {"steps": 20})
    twin, place = "results/cut/checkpoints/disk/first", asked("disk", "step1000")
    assert all(twin not in path for path in fetch.ready_inputs(after))
    assert twin not in audit.audited_checkpoints(after)
    assert fetch.folders_of_series(after, place) == ["results/cut/checkpoints/disk/step1000"]
    assert audit.audited_series(after, "disk")["tokenizer"] == "results/cut/checkpoints/disk/step1000"
    for study in (before, after):
        assert json.loads(anneal_lookups.twin_identity(study, asked("disk", "first")))["checkpoint"] == "first"
    lookups = (anneal_lookups.twin_settings, anneal_lookups.twin_parent, anneal_lookups.twin_text)
    assert [ask(before, asked("disk", "first")) for ask in lookups] == [
        ask(after, asked("disk", "first")) for ask in lookups
    ]


def test_the_cost_of_a_twin_is_that_of_its_tokens():
    study = study_of(TWIN | {"sequence_length": 32}, TWIN | {"sequence_length": 32, "steps": 30}, own=[OWN])
    found = operations_of(study)["anneal_checkpoint"]
    assert found["disk/step1000-annealed30"] == 3 * found["disk/step1000-annealed10"]
    assert found["nursery/step100-annealed20"] == 6 * 20 * 1024 * n_parameters(study, "nursery", "step100")
    asks = [need(study, asked("disk", "step1000-annealed10"), n) for n in (1, 2)
            for need in (resources.annealing_memory, resources.annealing_minutes)]  # fmt: skip
    assert asks[2] > asks[0] > resources.LIBRARIES_MB and asks[3] > asks[1] >= resources.START_MINUTES


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (TWIN | {"anneal": "step1"}, "unknown checkpoint 'step1'; known are step1000.*\nhint: "),
        ({"anneal": "step1000", "steps": 5}, "an annealed twin misses the keys: batch_size; .*\nhint: e.g. {anneal: "),
        (TWIN | {"path": "x"}, "misses the keys: none; unknown keys: path\nhint: "),
        ({key: TWIN[key] for key in ("anneal", "steps", "batch_size")}, "`text` is missing\nhint: "),
        (TWIN | {"name": "step1000"}, "duplicate checkpoint 'step1000'"),
        (TWIN | {"name": "a", "anneal": "a"}, "a is annealed already\nhint: only a stable"),
    ],
)
def test_lines_that_cannot_be_are_refused_with_what_to_do(line, message):
    with pytest.raises(UserError, match=message):
        study_of(line)


def test_what_is_not_stable_is_not_annealed_again():
    for phase in ("decayed", "annealed"):
        with pytest.raises(UserError, match=f"over is {phase} already\nhint: "):
            study_of(ON_DISK | {"name": "over", "phase": phase}, TWIN | {"anneal": "over"})
    with pytest.raises(UserError, match="step114-annealed is annealed already"):
        study_of(own=[OWN | {"anneal": "step114-annealed"}])


@pytest.mark.parametrize("named", ["probe", "texts/probe.txt", "./texts/../texts/probe.txt"])
def test_text_that_is_measured_on_is_refused(named):
    with pytest.raises(UserError, match=f"{named}', which is measured on: texts.probe\nhint: anneal on other text"):
        study_of(TWIN | {"text": named}, texts={"probe": {"path": "texts/probe.txt"}})


@pytest.mark.parametrize(
    ("source", "heldout"),
    [
        ({"text": {"train": "a.txt", "validation": "b.txt"}}, "b.txt"),
        (
            {"hub": {"id": "a/b", "revision": "0" * 40, "column": "text", "train": "x", "validation": "y"}},
            "results/cut/text/nursery/validation.txt",
        ),
    ],
)
def test_the_held_out_part_of_a_pre_training_is_refused_but_not_its_training_part(source, heldout):
    config = copy.deepcopy(CUT)
    config["series"]["nursery"]["pretrain"]["source"] = source
    lines = config["series"]["nursery"]["checkpoints"]
    lines.append(OWN | {"text": heldout.replace("b.txt", "a.txt").replace("validation", "train")})
    load_study(config, ROOT / "tasks")
    lines[-1] = OWN | {"text": heldout}
    with pytest.raises(UserError, match="measured on: the held-out part of series.nursery\nhint: "):
        load_study(config, ROOT / "tasks")


def test_a_copy_of_a_measured_text_is_refused_and_a_text_with_more_in_it_is_not(tmp_path):
    measured, copied = tmp_path / "probe.txt", tmp_path / "more.txt"
    measured.write_text("one two three\n")
    copied.write_text("one two three\n")
    with pytest.raises(UserError, match="more.txt', which is measured on: texts.probe"):
        study_of(TWIN | {"text": str(copied)}, texts={"probe": {"path": str(measured)}})
    copied.write_text("one two four\n")
    assert study_of(TWIN | {"text": str(copied)}, texts={"probe": {"path": str(measured)}})


def test_a_missing_text_is_reported_before_anything_runs(tmp_path, monkeypatch):
    study = study_of(TWIN)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models/a").mkdir(parents=True)
    (tmp_path / "models/a/config.json").touch()
    with pytest.raises(UserError, match="step1000-annealed10.text: there is no more.txt\nhint: "):
        check_files(study)
