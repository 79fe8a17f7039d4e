"""What the rules ask of the plan: paths and settings for the wildcards of config.yaml's study."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from planned_nursery import CONFIG, RESULTS, asked, study_of

from ripeness.study.grid import cells_at, plan_cells
from ripeness.study.load import load_study
from ripeness.workflow.lookups import analyse, collect, measure, prepare, provenance, report
from ripeness.workflow.lookups import texts as texts_lookups
from ripeness.workflow.lookups import train as train_lookups

ROOT = Path(__file__).parents[3]
RULES = "".join(path.read_text() for path in sorted((ROOT / "rules").glob("*.smk")))
FORMATS = ["default", "io", "instruct"]
FOLDER = {"series": "nursery", "checkpoint": "step64"}
TUNED = SimpleNamespace(**FOLDER, dataset="nursery-mood", format="io", method="full", seed="2")
BASE = SimpleNamespace(**FOLDER, dataset="nursery-summary", format="default", method="base", seed="1")
TEXT = SimpleNamespace(**FOLDER, dataset="heldout", format="text", method="base", seed="1")


def test_a_tuned_cell_is_asked_its_dataset_in_all_formats_others_in_one_and_running_text(study):
    rows = json.loads(measure.probe_list(study, TUNED))
    others = ["nursery-sentiment", "nursery-summary", "nursery-category"]
    validation, *rows = rows
    assert (validation["suite"], validation["examples"]) == (
        "validation",
        f"{RESULTS}/examples/nursery-mood/io/validation.parquet",
    )
    assert [(row["suite"], row["probe"], row["format"]) for row in rows] == [
        *(("in-domain", "nursery-mood", format_) for format_ in FORMATS),
        *(("transfer", dataset, "default") for dataset in others),
        ("pretraining", "heldout", "text"),
    ]
    assert (rows[1]["kind"], rows[1]["examples"]) == ("choice", f"{RESULTS}/examples/nursery-mood/io/test.parquet")
    assert (rows[4]["kind"], rows[4]["max_new_tokens"], rows[4]["stop"]) == ("generation", 8, "\n")
    assert rows[6]["examples"] == f"{RESULTS}/corpus/nursery/heldout.parquet"
    assert not any("shot_examples" in row or row["shots"] for row in rows)


def test_words_of_rouge_are_recorded_where_they_are_not_english_and_change_no_items(study):
    assert measure.probe_words(study, TUNED) == "{}"
    any_script = study_of(datasets=CONFIG["datasets"] | {"nursery-summary": {"rouge_words": "any"}})
    assert json.loads(measure.probe_words(any_script, TUNED)) == {"nursery-summary": "any"}
    assert json.loads(measure.probe_words(any_script, BASE)) == {"nursery-summary": "any"}
    for part in (prepare.item_task, prepare.render_task):
        assert part(any_script, BASE) == part(study, BASE)


def test_only_an_untouched_checkpoint_is_shown_examples(study):
    zero, four = json.loads(measure.probe_list(study, BASE))
    assert (zero["suite"], zero["shots"], four["shots"]) == ("base", 0, 4)
    pool = f"{RESULTS}/examples/nursery-summary/default/shots.parquet"
    assert four == zero | {"shots": 4, "shot_examples": pool, "separator": "\n\n"}
    # a seed draws shots and nothing else of an untouched model
    assert json.loads(measure.probe_list(study, SimpleNamespace(**vars(BASE) | {"seed": "2"}))) == [four]
    assert [row["shots"] for row in measure.probe_rows(study, TEXT)] == [0]


def test_a_tuned_cell_is_asked_the_very_items_that_the_untouched_checkpoint_is(study):
    def questions(method):
        keys = ("probe", "format", "shots", "examples")
        cells = [cell for cell in cells_at(study, "nursery", "step64") if cell.method == method]
        rows = [[row for row in measure.probe_rows(study, cell) if row["split"] == "test"] for cell in cells]
        return [{tuple(row[key] for key in keys) for row in some} for some in rows]

    untouched = set().union(*questions("base"))
    assert all(some and some <= untouched for some in questions("full"))
    assert {shots for _, _, shots, _ in untouched} == {0, 4}


@pytest.mark.parametrize("name", ["nursery", "texts"])
def test_a_cell_waits_for_the_folders_that_rules_make_and_for_texts(name):
    study = study_of(study=name, texts={"heldout": {"heldout": True}, "novel": {"path": "a/novel.txt"}})
    study.config["suites"]["pretraining"]["texts"].append("novel")
    examples = f"results/{name}/examples"
    others = [f"{examples}/nursery-{other}/default" for other in ("sentiment", "summary", "category")]
    own = [f"{examples}/nursery-mood/{format_}" for format_ in FORMATS]
    texts = [f"results/{name}/corpus/nursery", f"results/{name}/texts/novel.parquet"]
    assert sorted(measure.probe_files(study, TUNED)) == sorted(own + others + texts)
    assert measure.probe_files(study, BASE) == [f"{examples}/nursery-summary/default"]


def test_a_tuned_model_and_its_record_are_its_cells_and_a_base_model_is_the_checkpoint(study):
    cell = f"{RESULTS}/cells/nursery/step64/nursery-mood/io/full/seed2"
    assert measure.model_folder(study, TUNED) == f"{cell}/model"
    assert measure.training_record(study, TUNED) == [f"{cell}/training.json"]
    assert measure.model_folder(study, BASE) == f"{RESULTS}/checkpoints/nursery/step64"
    assert measure.training_record(study, BASE) == []


def test_settings_and_identity_of_a_cell_are_json_with_sorted_keys(study):
    recipe = CONFIG["methods"]["full"] | {"seed": 2, "schedule": "linear", "warmup_ratio": 0.03}
    settings = train_lookups.method_settings(study, TUNED)
    assert json.loads(settings).items() >= (recipe | {"weight_decay": 0.0, "clip": 1.0}).items()
    assert settings == json.dumps(json.loads(settings), sort_keys=True)
    names = {"study": "nursery", "dataset": "nursery-mood", "format": "io", "method": "full", "seed": 2}
    assert json.loads(measure.cell_identity(study, TUNED)) == names | {"learning_rate": 1e-3}
    assert json.loads(measure.cell_identity(study, BASE))["learning_rate"] is None


def test_collecting_takes_every_cell_of_a_checkpoint_and_every_checkpoint_once(study):
    places = [asked(series="nursery", checkpoint=name) for name in study.checkpoints["nursery"]]
    scores = [path for place in places for path in collect.scores_at(study, place)]
    assert scores == [f"{RESULTS}/cells/{cell.path}/measurements.parquet" for cell in plan_cells(study)]
    names = [f"step{step}" for step in (0, 64, 128, 256, 512, 1024, 2048, 4096)] + ["step4096-annealed"]
    for table, lookup in [
        ("measurements", collect.checkpoint_tables),
        ("cells", collect.status_tables),
        ("items", collect.item_tables),
    ]:
        assert lookup(study) == [f"{RESULTS}/tables/{table}/nursery/{name}.parquet" for name in names]
    assert provenance.checkpoint_folders(study) == [f"{RESULTS}/checkpoints/nursery/{name}" for name in names]


def test_the_report_shows_each_dataset_in_each_format_once_with_and_without_shots(study):
    shown = [(row["probe"], row["format"], row["shots"]) for row in json.loads(report.shown_probes(study))]
    assert sorted(shown) == sorted((d, f, n) for d in CONFIG["datasets"] for f in FORMATS for n in (0, 4))
    assert sorted(report.shown_files(study)) == sorted({f"{RESULTS}/examples/{d}/{f}" for d, f, _ in shown})
    assert report.shown_checkpoint(study) == f"{RESULTS}/checkpoints/nursery/step0"


def test_rows_of_the_world_are_made_as_many_as_items_are_drawn(study):
    mood = asked(dataset="nursery-mood")
    rows = {"train": 512 + 32, "validation": 80, "test": 200}
    assert json.loads(prepare.dataset_source(study, mood)) == {"world": "mood", "seed": 0, "rows": rows}
    assert prepare.dataset_files(study, mood) == []
    assert prepare.world_datasets(study) == set(CONFIG["datasets"])
    assert prepare.dataset_licence(study, mood) == "Apache-2.0"
    assert json.loads(prepare.item_sizes(study, mood)) == CONFIG["items"] | {"seed": 0, "shots_from": "train"}


def test_rows_on_disk_are_read_from_files_each_once():
    source = {"train": "a.jsonl", "validation": "a.jsonl", "test": "b.jsonl"}
    study = study_of(datasets=CONFIG["datasets"] | {"nursery-mood": {"source": source}})
    mood = asked(dataset="nursery-mood")
    assert json.loads(prepare.dataset_source(study, mood)) == source
    assert prepare.dataset_files(study, mood) == ["a.jsonl", "b.jsonl"]
    assert "nursery-mood" not in prepare.world_datasets(study)


@pytest.mark.parametrize(
    ("change", "anew"),
    [
        ({"separator": "\n", "stop": ".", "max_new_tokens": 3, "title": "t", "licence": "l", "homepage": "h"}, ""),
        ({"formats": {"default": "{{ text }}", "io": "a {{ text }}", "instruct": "b {{ text }}"}}, "wording"),
        ({"labels": {"good": " up", "bad": " down"}}, "wording"),
        ({"max_characters": 99}, "items"),
        ({"overlap": "drop"}, "items"),
    ],
)
def test_items_and_wording_are_made_again_only_for_what_they_depend_on(study, change, anew):
    other, mood = study_of(datasets={"nursery-mood": change}), asked(dataset="nursery-mood", format="default")
    assert (prepare.item_task(study, mood) != prepare.item_task(other, mood)) == (anew == "items")
    if anew != "items":
        wording = [prepare.render_task(one, mood) for one in (study, other)]
        assert (wording[0] != wording[1]) == (anew == "wording")


# Keys that decided the items of finished studies; a key that a task may have since then decides those of tasks with it.
KEYS_OF_OLD = (
    "answer cluster extract fields formats homepage id items keep kind label labels licence max_characters "
    "max_new_tokens metric name normalisation options overlap rouge_words rows separator source stop target title "
    "unconditional values"
)


def test_a_key_that_tasks_may_have_now_makes_no_items_of_others_again(study):
    mood = SimpleNamespace(dataset="nursery-mood", format="default")
    for part in (prepare.item_task, prepare.render_task):
        assert " ".join(sorted(json.loads(part(study, mood)))) == KEYS_OF_OLD


def test_the_wording_of_one_format_does_not_depend_on_another(study):
    formats = study.tasks["nursery-mood"].formats | {"io": "a {{ text }}"}
    other, mood = study_of(datasets={"nursery-mood": {"formats": formats}}), asked(dataset="nursery-mood")
    same = [prepare.render_task(one, asked(**vars(mood), format="default")) for one in (study, other)]
    assert same[0] == same[1] and list(json.loads(same[0])["formats"]) == ["default"]


def test_texts_and_captions_are_the_studys():
    study = study_of(texts={"heldout": {"heldout": True}, "novel": {"path": "a/novel.txt"}}, findings={"draws": 123})
    assert texts_lookups.text_files(study, asked(text="novel")) == ["a/novel.txt"]
    assert texts_lookups.text_items(study, asked(text="novel")) == 100
    found = json.loads(analyse.finding_settings(study, None))
    assert found == {
        "draws": 123,
        **dict.fromkeys(("smallest_effect", "smallest_loss"), 0.02),
        **dict.fromkeys(("smallest_slope", "smallest_doublings"), 0.1),
    }
    asked_after_four = {name: suite | {"shots": [4]} for name, suite in CONFIG["suites"].items() if "datasets" in suite}
    assert json.loads(analyse.finding_settings(study_of(suites=asked_after_four), None))["shots"] == 4
    settings = {key: value for key, value in study.config.items() if key != "scratch"}
    assert json.loads(provenance.config_json(study)) == settings
    for one, seeds in [(study, "2 seeds"), (study_of(seeds=[7]), "1 seed")]:
        caption = " ".join(analyse.figure_caption(one, asked(figure="gain")).split())
        assert f"and over {seeds}" in caption and "1 seeds" not in caption and "{" not in caption


def test_parameters_that_snakemake_shows_in_its_report_hold_no_tags():
    tables = {"tables": ["a.csv"], "learned": ["</script><script>alert(1)</script>"], "not_learned": ["a < b"]}
    study = load_study({"study": "p", "title": "</script>", "published": tables}, ROOT / "tasks")
    text = analyse.finding_settings(study, None)
    assert "<" not in text and json.loads(text)["learned"] == tables["learned"]
    for rule in ("write_report", "plot_figure"):
        params = RULES[RULES.index(f"rule {rule}:") :].partition("params:")[2].partition("shell:")[0]
        assert "title" not in params and "config" not in params
