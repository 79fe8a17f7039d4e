"""What the rules ask of the plan about series: corpora, training states, checkpoints."""

import copy
import json
from pathlib import Path

import pytest
from planned_nursery import CONFIG, RESULTS, asked, study_of

from ripeness.hub.resolve import unresolved
from ripeness.workflow.lookups import fetch, shared
from ripeness.workflow.lookups import pretrain as pretrain_lookups
from ripeness.workflow.lookups import texts as texts_lookups

ROOT = Path(__file__).parents[3]
ANNEALED = "step4096-annealed"
SUITES = {name: suite for name, suite in CONFIG["suites"].items() if "texts" not in suite}


@pytest.mark.parametrize(
    ("source", "recipe", "files"),
    [
        (
            {"text": {"train": "b.txt", "validation": "a.txt"}},
            {"text": {"train": "b.txt", "validation": "a.txt"}},
            ["a.txt", "b.txt"],
        ),
        (
            {"hub": {"id": "a/b", "revision": "0" * 40, "column": "text", "train": "x", "validation": "y"}},
            {"text": {split: f"{RESULTS}/text/nursery/{split}.txt" for split in ("train", "validation")}},
            [f"{RESULTS}/text/nursery"],
        ),
    ],
)
def test_a_corpus_is_made_of_files_or_of_text_fetched_from_the_hub(source, recipe, files):
    series = copy.deepcopy(CONFIG["series"])
    series["nursery"]["pretrain"]["source"] = source
    study, place = study_of(series=series), asked(series="nursery")
    assert json.loads(pretrain_lookups.corpus_recipe(study, place))["text"] == recipe["text"]
    assert pretrain_lookups.corpus_files(study, place) == files
    if "hub" in source:
        assert json.loads(pretrain_lookups.text_on_hub(study, place)) == source["hub"]


def test_passages_of_a_text_come_from_the_hub_at_a_commit_before_anything_expensive():
    hub = {"id": "a/b", "revision": "main", "column": "text", "split": "validation"}
    study = study_of(texts={"heldout": {"heldout": True}, "web": {"hub": hub}})
    assert texts_lookups.texts_on_hub(study) == {"web"}
    (wanted,) = unresolved(study)
    assert (wanted.kind, wanted.repo, wanted.revision, wanted.where) == (
        "datasets", "a/b", "main", "texts.web.hub.revision",
    )  # fmt: skip
    study.lock["datasets"]["a/b"] = {"is_whole": False, "revisions": {"main": "1" * 40}}
    assert not unresolved(study)
    assert json.loads(texts_lookups.text_on_hub(study, asked(text="web"))) == hub | {"commit": "1" * 40}
    assert f"{RESULTS}/texts/web.parquet" in fetch.ready_inputs(study)


@pytest.mark.parametrize(("step", "before"), [(0, None), (64, 0), (128, 64), (1536, 1024), (4096, 3072)])
def test_a_training_state_goes_on_from_the_one_before(study, step, before):
    state = asked(series="nursery", step=str(step))
    earlier = [] if before is None else [f"{RESULTS}/pretraining/nursery/step{before}.safetensors"]
    assert pretrain_lookups.earlier_state(study, state) == earlier
    assert pretrain_lookups.resume_option(study, state) == ("--resume" if earlier else "")


def test_a_checkpoint_is_made_from_the_last_state_before_it(study):
    made = {name: asked(series="nursery", checkpoint=name) for name in ("step512", ANNEALED)}
    states = [pretrain_lookups.state_for(study, one) for one in made.values()]
    assert [pretrain_lookups.state_option(study, one) for one in made.values()] == ["--state"] * 2
    assert [path for (path,) in states] == [
        f"{RESULTS}/pretraining/nursery/step{step}.safetensors" for step in (512, 3072)
    ]
    how = [json.loads(pretrain_lookups.pretrained_checkpoint(study, one)) for one in made.values()]
    assert how[0] == {"series": "nursery", "checkpoint": "step512", "phase": "stable", "step": 512}
    annealed = {"phase": "annealed", "from_step": 3072, "steps": 1024}
    assert how[1] == {"series": "nursery", "checkpoint": ANNEALED} | annealed


def test_corpus_and_pretraining_share_no_setting_but_have_all_of_them(study):
    recipe = json.loads(pretrain_lookups.corpus_recipe(study, asked(series="nursery")))
    settings = json.loads(pretrain_lookups.pretraining_settings(study, asked(series="nursery")))
    sizes = {"n_tokens": 4_200_000, "n_heldout": 100, "vocabulary_size": 512}
    assert recipe == {"world": {"seed": 0}} | sizes and not recipe.keys() & settings.keys()
    given = study.config["series"]["nursery"]["pretrain"]
    # a constant rate has no word for its schedule: jobs that were run before there were others stay as they are
    assert settings == {key: value for key, value in given.items() if key not in {*sizes, "source", "schedule"}}
    assert pretrain_lookups.corpus_files(study, asked(series="nursery")) == []
    assert shared.pretrained_series(study) == {"nursery"}


def test_a_checkpoint_from_elsewhere_is_checked_before_anything_expensive():
    checkpoints = [{"path": "models/a/", "step": 5, "tokens": 7}, {"revision": "0" * 40, "step": 9, "tokens": 8}]
    study = study_of(series={"mine": {"repo": "a/b", "seed": 3, "checkpoints": checkpoints}}, texts={}, suites=SUITES)
    disk, hub = (asked(series="mine", checkpoint=name) for name in ("step5", "step9"))
    known = {"series": "mine", "checkpoint": "step9", "seed": 3, "repo": "a/b"} | checkpoints[1]
    assert json.loads(fetch.fetched_checkpoint(study, hub)) == known
    assert "repo" not in json.loads(fetch.fetched_checkpoint(study, disk))
    assert fetch.checkpoint_files(study, disk) == ["models/a/config.json"]
    assert fetch.checkpoint_files(study, hub) == []
    folders = [f"{RESULTS}/checkpoints/mine/{name}" for name in ("step5", "step9")]
    items, gates = [f"{RESULTS}/items/{d}" for d in CONFIG["datasets"]], [f"{RESULTS}/gate/mine.json"]
    audit = f"{RESULTS}/audit/inputs.parquet"
    assert fetch.ready_inputs(study) == [*items, *folders, *gates, audit]
    assert shared.pretrained_series(study) == set()
    assert [fetch.hub_requests(study, place) for place in (disk, hub)] == [0, 1]
    assert fetch.folders_of_series(study, hub) == folders
    assert (fetch.gate_option(study, hub), fetch.refuse_option(study, hub)) == ("", "--refuse")
    own = {"checkpoints": checkpoints[:1], "gate_text": "my text.txt", "accept_loss": True}
    study = study_of(series={"mine": own}, texts={}, suites=SUITES)
    assert fetch.gate_option(study, disk) == "--gate-text 'my text.txt' --accept-loss"
    assert fetch.refuse_option(study, disk) == ""
    assert fetch.checkpoint_files(study, disk) == ["models/a/config.json", "my text.txt"]
