"""What the keys of trainings that read others depend on: one thing that matters and one that does not, for each kind.

A script stands for every program; what is planned is real.
"""

import copy

import pytest
from cut_study import CUT
from forked_snakemake import ForkedSnakemake, ForkedStudy
from test_reruns import replace
from walk import SMALL
from walk_kinds import FULL, PAIRS, POLICY
from yaml import safe_load

pytestmark = [pytest.mark.slow, pytest.mark.release]

TEXTS = {"datasets": ["nursery-summary"]}
METHODS = {
    "base": {"shots": [0]},
    "sft": FULL,
    "rm": FULL | PAIRS | {"from": "sft", "learns": "reward"},
    "grpo": POLICY | TEXTS | {"reward": "rule"},
    "ppo": POLICY | {"algorithm": "ppo", "passes": 2, "reward": "rm", "kind": "lora", "rank": 2, "alpha": 4},
    "dpo": FULL | PAIRS | {"from": "sft", "learns": "preferences", "loss": "dpo", "beta": 0.1},
}
SCENES = {
    "base": {"shots": [0]},
    "see": FULL | {"kind": "projector"},
    "look": FULL | {"from": "see"},
    "blind": FULL,
}
ENCODER = {"patch_size": 12, "hidden_size": 16, "n_heads": 2, "scenes": 200, "test_scenes": 30, "epochs": 1}


def small(methods: dict, datasets: list[str], **more) -> dict:
    """The smallest study with these methods and datasets."""
    config = safe_load(CUT.read_text()) | {"formats": ["default"], "methods": copy.deepcopy(methods)}
    config["series"]["nursery"]["pretrain"] |= SMALL
    config["series"]["nursery"]["checkpoints"] = [{"step": 3}]
    config |= {"datasets": {name: {} for name in datasets}}
    config |= {"items": {"train": 60, "validation": 6, "test": 30, "shots": 3}}
    config["suites"] = {"own": {"datasets": "own", "formats": "trained"}, "pretraining": {"texts": ["heldout"]}}
    return config | more


@pytest.fixture(scope="module")
def run_of(tmp_path_factory):
    """A study of a config, once run."""
    ForkedStudy.server = ForkedSnakemake(tmp_path_factory.mktemp("stand in"))

    def run(config: dict) -> ForkedStudy:
        study = ForkedStudy(tmp_path_factory.mktemp("kinds") / "a study")
        replace(study.folder / "rules/audit.smk", "terminal.say_warnings(Path(study_folder(None)))", "pass")
        study.write(config)
        done = study.snakemake("--scheduler", "greedy")
        assert done.returncode == 0, done.stdout
        assert study.planned() == {}
        return study

    yield run
    ForkedStudy.server.end()


@pytest.fixture(scope="module")
def treated(run_of):
    """Preferences, a reward model and policies, after supervised tuning."""
    return run_of(small(METHODS, ["nursery-headline", "nursery-summary"]))


def setting(method: str, **changed):
    return lambda c: c["methods"][method].update(changed)


def name(old: str, new: str):
    """Give a method another name, also where it is named."""

    def edit(c: dict) -> None:
        c["methods"] = {new if key == old else key: value for key, value in c["methods"].items()}
        for value in c["methods"].values():
            value |= {key: new for key in ("from", "reward") if value.get(key) == old}

    return edit


def dataset(of: str, **changed):
    return lambda c: c["datasets"][of].update(changed)


# trainings, those that are made again since their models were deleted among them, and predictions
TREATED = {
    "a title": (lambda c: c.update(title="Another"), 0, 0),
    "the start by another name": (name("sft", "tuned"), 0, 0),
    "the reward model by another name": (name("rm", "judge"), 0, 0),
    "a policy by another name": (name("grpo", "mine"), 0, 0),
    "preferences by another name": (name("dpo", "mine"), 0, 0),
    "methods in another order": (lambda c: c.update(methods=dict(reversed(c["methods"].items()))), 0, 0),
    "datasets in another order": (lambda c: c.update(datasets=dict(reversed(c["datasets"].items()))), 0, 0),
    "a default that is said": (setting("dpo", schedule="linear"), 0, 0),
    "what a dataset is called": (dataset("nursery-summary", title="Another"), 0, 0),
    "the share of an effect": (lambda c: c.update(findings={"smallest_effect": 0.1}), 0, 0),
    "the weight of the KL divergence": (setting("grpo", kl_weight=0.1), 2, 1),
    "tries after a policy": (setting("grpo", tries=8), 2, 1),
    "where a policy ends": (setting("grpo", max_kl=5.0), 2, 1),
    "passes over texts": (setting("ppo", passes=3), 3, 1),
    "the reward model": (setting("rm", epochs=5), 3, 2),
    "the strength of preferences": (setting("dpo", beta=0.2), 2, 1),
    "the start": (setting("sft", learning_rate=2e-3), 6, 6),
    "the rule of a reward": (dataset("nursery-summary", metric="exact_match"), 2, 1),
    "how long texts are": (dataset("nursery-summary", max_new_tokens=5), 2, 3),
}


@pytest.mark.parametrize(("edit", "trains", "predicts"), TREATED.values(), ids=TREATED)
def test_treatments_depend_on_what_they_are_made_from(treated, edit, trains, predicts):
    config = treated.config()
    edit(config)
    planned = treated.planned(config)
    assert (planned.get("train_model", 0), planned.get("predict", 0)) == (trains, predicts), planned


def pictures(**changed):
    return lambda c: c["pictures"]["pretrain"].update(changed)


# encoder, pictures that are read, trainings, predictions
SEEING = {
    "a method by another name": (name("see", "mine"), 0, 0, 0, 0),
    "a setting of what reads no pictures": (setting("blind", epochs=2), 0, 0, 1, 1),
    "a setting of the projector": (setting("see", epochs=2), 0, 0, 2, 2),
    "a setting of what follows it": (setting("look", epochs=2), 0, 0, 2, 1),
    "the encoder": (pictures(epochs=2), 1, 2, 2, 2),
    "the layer": (lambda c: c["pictures"].update(layer=-2), 1, 2, 2, 2),
    "other pictures that are asked about": (
        lambda c: c["suites"]["views"].update(datasets=["nursery-scenes-exchanged", "nursery-scenes-blank"]),
        *(0, 1, 3, 3),  # one more is read; of the models, which are gone, the new probe is asked alone
    ),
    "a view less": (lambda c: c["suites"].pop("views"), 0, 0, 0, 0),
}


@pytest.fixture(scope="module")
def seeing(run_of):
    """Models that read pictures, one that does not, and a control."""
    config = small(SCENES, ["nursery-scenes"], pictures={"pretrain": dict(ENCODER)})
    config["suites"]["views"] = {"datasets": ["nursery-scenes-exchanged"], "formats": ["default"]}
    return run_of(config)


@pytest.mark.parametrize(("edit", "encoder", "read", "trains", "predicts"), SEEING.values(), ids=SEEING)
def test_models_that_see_depend_on_the_encoder_and_the_pictures(seeing, edit, encoder, read, trains, predicts):
    config = seeing.config()
    edit(config)
    planned = seeing.planned(config)
    rules = ("pretrain_encoder", "encode_images", "train_model", "predict")
    assert [planned.get(rule, 0) for rule in rules] == [encoder, read, trains, predicts], planned
