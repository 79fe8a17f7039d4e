"""Methods as recipes: what a training is told, which text it reads beside its items, and what no study may ask for."""

import copy
import json
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml
from nursery import tuned_nursery

from ripeness.runtime.errors import UserError
from ripeness.study.grid import plan_cells, probes_of
from ripeness.study.load import load_study
from ripeness.study.methods.reading import read_settings
from ripeness.study.named_files import named_files
from ripeness.workflow import forecast, resources
from ripeness.workflow.lookups import audit, collect, keep, measure
from ripeness.workflow.lookups import train as train_lookups
from ripeness.workflow.operations import training_operations

ROOT = Path(__file__).parents[3]
CONFIG = tuned_nursery()
FULL = CONFIG["methods"]["full"]
RESULTS = "results/nursery"
ON_DISK = {"checkpoints": [{"path": "there/step8", "step": 8, "tokens": 4096}]}


def study_of(method=None, **change):
    config = copy.deepcopy(CONFIG) | change
    config["methods"]["treated"] = FULL | (method or {})
    return load_study(config, ROOT / "tasks")


def cell(series="nursery", checkpoint="step64", **change):
    place = {"series": series, "checkpoint": checkpoint, "dataset": "nursery-mood", "format": "io", "seed": "2"}
    return SimpleNamespace(**place | {"method": "treated"} | change)


DATASETS = ["nursery-mood", *(name for name in CONFIG["datasets"] if name != "nursery-mood")]
BEST = SimpleNamespace(series="nursery", checkpoint="step64", dataset="nursery-mood", tuning="treated")


@pytest.mark.parametrize(
    "recipe",
    [
        {"weight_decay": 0.1},
        {"pull": 0.01},
        {"replay": {"share": 0.1}},
        {"steps": 8},
        {"schedule": "cosine"},
        {"schedule": "constant"},
        {"kind": "lora", "rank": 4, "alpha": 8},
        {"kind": "freeze", "blocks": 2, "norms": True},
        {"kind": "lora", "rank": 4, "alpha": 8, "variant": "dora", "quantised": "nf4"},
        {"kind": "adalora", "rank": 4, "alpha": 8, "final_steps": 4},
        {"kind": "ia3"},
        {"kind": "oft", "block_size": 8},
        {"kind": "peft", "type": "HRA", "options": {"r": 4}},
        {"kind": "prefix", "tokens": 8, "initial": "normal"},
        {"kind": "prompt", "tokens": 8, "encoder": 64},
        {"kind": "lora", "rank": 4, "alpha": 8, "modules": ["q_proj"], "replay": {"share": 0.5}, "steps": 2},
        {"choose_by": "loss", "learning_rate": [1e-3, 1e-2]},
    ],
)
def test_every_recipe_of_a_config_is_one_that_a_training_understands(recipe):
    study = study_of(recipe)
    names = [name for name, on in study.recipes.items() if on["nursery-mood"]["method"] == "treated"]
    for name in names:
        told = json.loads(train_lookups.method_settings(study, cell(method=name)))
        expected = {key: value for key, value in recipe.items() if key not in ("learning_rate", "choose_by")}
        if "replay" in recipe:
            expected["replay"] = recipe["replay"]["share"]
        if "modules" in recipe:
            expected["modules"] = tuple(recipe["modules"])
        assert vars(read_settings(told)).items() >= expected.items()
    again = json.loads(keep.tuning_settings(study, BEST)) | {"learning_rate": 1e-3, "seed": 2}
    assert vars(read_settings(again)).items() >= expected.items()


def test_the_recipes_that_the_documentation_shows_are_a_studys_methods():
    page = (ROOT / "docs" / "methods.md").read_text(encoding="utf-8")
    shown = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    methods = shown["methods"] | {"base": CONFIG["methods"]["base"]}
    study = load_study(copy.deepcopy(CONFIG) | {"methods": methods}, ROOT / "tasks")
    named = (on["nursery-mood"] for on in study.recipes.values())
    assert {on.get("doses_of", on["method"]) for on in named} == shown["methods"].keys() - {"base"}
    for name in study.recipes:
        read_settings(json.loads(train_lookups.method_settings(study, cell(method=name))))


def test_a_method_without_treatments_keeps_its_settings():
    told = json.loads(train_lookups.method_settings(study_of(), cell()))
    others = {"schedule": "linear", "warmup_ratio": 0.03, "weight_decay": 0.0, "clip": 1.0, "precision": "auto"}
    assert told == FULL | others | {"seed": 2}


def test_a_series_that_was_pretrained_here_reads_its_training_tokens_again():
    study = study_of({"replay": {"share": 0.1}})
    for wildcards in (cell(), BEST):
        assert train_lookups.replay_inputs(study, wildcards) == [f"{RESULTS}/corpus/nursery"]
        option = train_lookups.replay_option(study, wildcards)
        assert option == f"--replay-text {RESULTS}/corpus/nursery/train.npy"  # not heldout.parquet
    assert train_lookups.replay_inputs(study, cell(method="full")) == []
    assert train_lookups.replay_option(study, cell(method="full")) == ""


def test_another_series_reads_the_file_that_the_recipe_names():
    series = CONFIG["series"] | {"other": ON_DISK}
    study = study_of({"replay": {"share": 0.1, "text": "web text.txt"}}, series=series, texts={}, suites={
        "in-domain": {"datasets": "own", "formats": "all"}
    })  # fmt: skip
    other = cell("other", "step8")
    assert train_lookups.replay_inputs(study, other) == ["web text.txt"]
    assert train_lookups.replay_option(study, other) == "--replay-text 'web text.txt'"
    assert train_lookups.replay_inputs(study, cell()) == [f"{RESULTS}/corpus/nursery"]
    assert ("methods.treated.replay.text", "web text.txt") in list(named_files(study))


def test_replay_of_no_text_of_one_that_nothing_reads_and_of_one_that_is_measured_is_refused():
    suites = {"in-domain": {"datasets": "own", "formats": "all"}, "web": {"texts": ["web"]}}
    other = {"series": {"other": ON_DISK}, "texts": {"web": {"path": "there/web.txt"}}, "suites": suites}
    for recipe, change, said in [
        (
            {"share": 0.1},
            other,
            "methods.treated.replay: the training text of other is unknown.*\nhint: give a UTF-8 file",
        ),
        (
            {"share": 0.1, "text": "x.txt"},
            {},
            "methods.treated.replay.text: all series were pre-trained here.*\nhint: ",
        ),
        (
            {"share": 0.1, "text": "./there/../there/web.txt"},
            other,
            "is the text 'web', on which .*\nhint: give another",
        ),
    ]:
        with pytest.raises(UserError, match=said):
            study_of({"replay": recipe}, **change)


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        ({"kind": "lora"}, "methods.treated: kind lora lacks rank and alpha\nhint: "),
        ({"alpha": 8}, "methods.treated: kind full has no alpha\nhint: kind: lora or adalora, "),
        ({"kind": "lora", "rank": 4, "alpha": 8, "pull": 0.1}, "methods.treated: `pull` holds weights"),
        ({"kind": "lora", "rank": 4, "alpha": 8, "gpu": 2}, "methods.treated: .* cannot be split over 2 GPUs\nhint: "),
        ({"weigth_decay": 0.1}, "methods.treated: unknown key 'weigth_decay'.*\nhint: did you mean 'weight_decay'"),
        ({"kind": "lora", "rank": 4, "alpa": 8}, "methods.treated: unknown key 'alpa'.*\nhint: did you mean 'alpha'"),
        ({"replay": {"share": 1.5}}, "methods.treated.replay.share: 1.5 is greater than or equal to the maximum"),
        ({"replay": 0.5}, "methods.treated.replay: 0.5 is not a mapping {key: value}"),
        ({"pull": 0}, "methods.treated.pull: 0 is less than or equal to the minimum"),
        ({"steps": 0}, "methods.treated.steps: 0 is less than the minimum"),
        ({"choose_by": "perplexity"}, "methods.treated.choose_by: 'perplexity' is not one of score, loss"),
    ],
)
def test_recipes_that_cannot_be_are_refused_before_anything_runs(recipe, said):
    with pytest.raises(UserError, match=said):
        study_of(recipe)


def test_curvature_is_measured_on_the_first_text_where_the_study_wants_it():
    settings = {"texts": ["heldout"], "curvature": True}
    study = study_of(sensitivity=settings)
    assert train_lookups.curvature_inputs(study, cell()) == [f"{RESULTS}/corpus/nursery"]
    option = train_lookups.curvature_option(study, cell())
    assert option == f"--curvature-text {RESULTS}/corpus/nursery/heldout.parquet"
    for beside in ({"kind": "adapter", "size": 4}, {"kind": "prefix", "tokens": 4}, {"kind": "prompt", "tokens": 4}):
        assert train_lookups.curvature_option(study_of(beside, sensitivity=settings), cell()) == ""
    lora = study_of({"kind": "lora", "rank": 4, "alpha": 8}, sensitivity=settings)
    assert train_lookups.curvature_option(lora, cell()) == option
    for other in (study_of(), study_of(sensitivity=settings | {"curvature": False})):
        assert train_lookups.curvature_inputs(other, cell()) == []
        assert train_lookups.curvature_option(other, cell()) == ""
    with pytest.raises(UserError, match=r"sensitivity.curvature: .*treated uses several .*\nhint: "):
        study_of({"gpu": 2}, sensitivity=settings)


def test_what_a_method_is_chosen_by_is_known_to_those_who_choose():
    study = study_of({"choose_by": "loss"})
    assert json.loads(collect.chosen_by(study)) == {"full": "score", "known": "score", "treated": "loss"}
    assert keep.tuning_chosen_by(study, BEST) == "loss"


def test_forecasts_know_fewer_steps_and_text_next_to_items():
    plain, study = study_of(), study_of({"steps": 8, "replay": {"share": 0.5}, "pull": 0.1})
    whole, treated = (training_operations(s, cell(), s.recipes["treated"]["nursery-mood"]) for s in (plain, study))
    n_items = CONFIG["items"]["train"] * FULL["epochs"]
    assert treated == whole * 2 * 8 * FULL["batch_size"] / n_items
    assert resources.training_memory(study, cell(), 1) >= resources.training_memory(plain, cell(), 1)


def test_a_method_may_differ_by_dataset():
    study = study_of({"by_dataset": {"nursery-mood": {"learning_rate": 2e-4, "epochs": 2}}})
    mood, capital = (json.loads(train_lookups.method_settings(study, cell(dataset=name))) for name in DATASETS[:2])
    assert (mood["learning_rate"], mood["epochs"]) == (2e-4, 2)
    plain = json.loads(train_lookups.method_settings(study_of(), cell(dataset=DATASETS[1])))
    assert capital == plain and capital.keys() == mood.keys()
    assert json.loads(keep.tuning_settings(study, BEST))["epochs"] == 2
    of_cells = [json.loads(measure.cell_identity(study, cell(dataset=name))) for name in DATASETS[:2]]
    assert [(row["method"], row["learning_rate"]) for row in of_cells] == [
        ("treated", 2e-4), ("treated", FULL["learning_rate"]),
    ]  # fmt: skip
    work = [training_operations(study, cell(dataset=name), study.recipes["treated"][name]) for name in DATASETS[:2]]
    assert work[0] * FULL["epochs"] == work[1] * 2


def test_rates_tried_may_differ_by_dataset():
    study = study_of({"by_dataset": {"nursery-mood": {"learning_rate": [1e-4, 1e-3]}}})
    planned = {(c.dataset, c.method) for c in plan_cells(study) if c.method.startswith("treated")}
    assert planned == {(DATASETS[0], "treated-lr0.0001"), (DATASETS[0], "treated-lr0.001")} | {
        (name, "treated") for name in study.config["datasets"] if name != DATASETS[0]
    }


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ({"by_dataset": {"nursery-mod": {"epochs": 2}}}, r"methods.treated.by_dataset: unknown dataset 'nursery-mod'"),
        ({"by_dataset": {"nursery-mood": {"kind": "lora"}}}, r"methods.treated.by_dataset.nursery-mood: .*kind"),
        (
            {"by_dataset": {"nursery-mood": {"learning_rate": [1e-3, 1.00000001e-3]}}},
            r"methods.treated.learning_rate: .* second method named 'treated-lr0.001'",
        ),
    ],
)
def test_what_differs_by_dataset_is_checked(method, message):
    with pytest.raises(UserError, match=message):
        study_of(method)


def test_a_file_of_a_cell_that_is_not_planned_is_refused():
    study = study_of({"datasets": ["nursery-category"]})
    with pytest.raises(UserError, match=r"treated does not tune on nursery-mood, but on nursery-category\nhint: "):
        train_lookups.method_settings(study, cell())


def test_a_small_state_is_measured_with_its_checkpoint_and_by_the_code_of_its_kind():
    lora, full = study_of({"kind": "lora", "rank": 4, "alpha": 8}), study_of()
    place = cell()
    assert measure.checkpoint_of_state(lora, place) == [f"{RESULTS}/checkpoints/nursery/step64"]
    assert measure.kind_modules(lora, place) == ["ripeness/models/methods/lora.py"]
    for study, wildcards in ((full, place), (lora, cell(method="full")), (lora, cell(method="base"))):
        assert measure.checkpoint_of_state(study, wildcards) == measure.kind_modules(study, wildcards) == []
    for wildcards in (place, BEST):
        assert train_lookups.kind_modules(lora, wildcards) == ["ripeness/models/methods/lora.py"]
        assert train_lookups.kind_modules(full, wildcards) == ["ripeness/models/methods/full.py"]
    kinds = {on["nursery-mood"]["kind"] for on in lora.recipes.values()}
    assert all((ROOT / "scripts" / file).is_file() for kind in kinds for file in train_lookups.modules_of(kind))


@pytest.mark.parametrize("keep_models", ["all", "best"])
def test_small_states_take_less_of_the_disk(keep_models):
    sizes = {}
    for change in ({"kind": "full"}, {"kind": "lora", "rank": 8, "alpha": 16}):
        study = study_of(change, keep_models=keep_models)
        study.config["methods"].pop("full")
        study.recipes.pop("full")
        sizes[change["kind"]] = forecast.disk_bytes(study, 2)
    full, lora = (sizes[kind]["tuned models kept"] for kind in ("full", "lora"))
    assert full / 6 < lora < full / 2  # a sixth in truth; the estimate is on the safe side
    assert sizes["lora"]["tuned models at once"] < sizes["full"]["tuned models at once"]


def test_the_audit_knows_before_which_prompts_virtual_tokens_stand():
    assert "virtual_tokens" not in json.loads(audit.audit_plan(study_of()))["series"]["nursery"]
    study = study_of({"kind": "prefix", "tokens": 8, "datasets": ["nursery-mood"]})
    found = json.loads(audit.audit_plan(study))["series"]["nursery"]["virtual_tokens"]
    measured = {
        (probe.probe, probe.format)
        for cell in plan_cells(study)
        if cell.method == "treated"
        for probe in probes_of(study, cell)
        if probe.kind in ("choice", "generation")
    }
    assert {(dataset, format_) for dataset, format_, *_ in found} == measured and len(measured) > 1
    assert {n for *_, n, _ in found} == {8}
    trained = {(dataset, format_) for dataset, format_, _, n in found if n}
    assert trained == {("nursery-mood", format_) for format_ in study.settings.formats}


def test_what_learns_a_text_after_virtual_tokens_reads_no_training_items(tmp_path):
    (tmp_path / "domain.txt").write_text("otto sold a hook\n" * 1000)
    prefix = {"kind": "prefix", "tokens": 8, "learns": "text", "text": str(tmp_path / "domain.txt")}
    found = json.loads(audit.audit_plan(study_of(prefix)))["series"]["nursery"]["virtual_tokens"]
    assert found and {tuple(counts) for _, _, *counts in found} == {(8, 0)}
