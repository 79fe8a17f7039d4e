"""A study refuses to learn preferences where there are none, and to ask a reward model for words."""

import copy
from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.grid import plan_cells, probes_of
from ripeness.study.load import load_study
from ripeness.workflow.lookups import measure, train
from ripeness.workflow.operations import training_operations

ROOT = Path(__file__).parents[4]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 32}
DPO = FULL | {"learns": "preferences", "loss": "dpo", "beta": 0.1}
METHODS = {"base": {"shots": [0]}, "sft": FULL, "dpo": DPO | {"from": "sft"}, "rm": FULL | {"learns": "reward"}}


def study_of(**changes):
    config = copy.deepcopy(CUT)
    config |= {
        "datasets": {"nursery-headline": {}, "nursery-sentiment": {}},
        "methods": METHODS,
        "formats": ["default"],
    }
    return load_study(config | changes, ROOT / "tasks")


def cell_of(study, method, dataset="nursery-headline"):
    return next(cell for cell in plan_cells(study) if (cell.method, cell.dataset) == (method, dataset))


def test_a_reward_model_is_asked_for_rewards_of_its_own_dataset_alone():
    study = study_of()
    asked = measure.probe_rows(study, cell_of(study, "rm"))
    assert {(probe["probe"], probe["kind"]) for probe in asked} == {("nursery-headline", "preference")}
    assert all(probe["reward"] is True for probe in asked) and {p["suite"] for p in asked} == {
        "validation",
        "in-domain",
    }
    others = measure.probe_rows(study, cell_of(study, "dpo"))
    assert not any("reward" in probe for probe in others) and "heldout" in {probe["probe"] for probe in others}
    (choice,) = {probe.kind for probe in probes_of(study, cell_of(study, "rm", "nursery-sentiment"))}
    assert choice == "choice"  # right against wrong options


def test_a_training_has_the_code_of_what_it_learns_and_reads_pairs():
    study = study_of()
    of = {method: train.kind_modules(study, cell_of(study, method)) for method in ("sft", "dpo", "rm")}
    assert of["sft"] == ["ripeness/models/methods/full.py"]
    assert of["dpo"] == [*of["sft"], "ripeness/train/objectives/preferences.py"]
    assert of["rm"] == [*of["sft"], "ripeness/train/objectives/reward.py"]
    operations = {m: training_operations(study, cell_of(study, m), METHODS[m]) for m in ("sft", "dpo")}
    assert operations["dpo"] == 2 * operations["sft"]
    assert '"loss": "dpo"' in train.method_settings(study, cell_of(study, "dpo"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            {"datasets": {"nursery-headline": {}, "nursery-summary": {}}},
            "methods.dpo: learns preferences needs pairs of a better and a worse answer: a task of kind preference, or "
            "a choice, whose right option is the better; nursery-summary is of kind generation\n"
            "hint: datasets: [nursery-headline] for this method",
        ),
        ({"methods": METHODS | {"dpo": DPO | {"choose_by": "loss"}}}, "methods.dpo.choose_by: the loss of the better"),
        ({"methods": METHODS | {"dpo": DPO | {"gamma": 1.0}}}, "methods.dpo: `gamma` and loss simpo go together"),
        ({"methods": METHODS | {"after": FULL | {"from": "rm"}}}, "methods.after.from: rm is a reward model"),
        ({"methods": METHODS | {"dpo": FULL | {"beta": 0.1}}}, "methods.dpo: what learns answers has no beta"),
        ({"suites": {"text": {"texts": ["heldout"]}}}, "a reward model answers nursery-headline alone, which no suite"),
    ],
)
def test_what_cannot_be_is_refused(changes, said):
    with pytest.raises(UserError) as refused:
        study_of(**copy.deepcopy(changes))
    assert said in str(refused.value) and "\nhint: " in str(refused.value)
