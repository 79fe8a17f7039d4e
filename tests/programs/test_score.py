"""score, collect_checkpoint and collect: from predictions to the tables of a study, with identity in columns."""

import json
import math
import re

import polars as pl
import pytest

import collect
import collect_checkpoint
import score
from ripeness.measure import metrics, scorable
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import write_json
from ripeness.tables.columns import CELLS, IS_CHOSEN, ITEM_SCORES, MEASUREMENTS, PREDICTIONS, write_table

CHECKPOINT = {
    "series": "tiny",
    "checkpoint": "step8",
    "step": 8,
    "tokens": 4096,
    "lr": 1e-3,
    "phase": "stable",
    "seed": 5,
}
CELL = {"study": "s", "dataset": "film", "format": "io", "method": "full", "learning_rate": 1e-4, "seed": 2}
RECORD = {
    "status": "done",
    "n_examples": 12,
    "n_tokens": 700,
    "n_truncated": 0,
    "losses": [2.5, 1.25],
    "displacement": 0.5,
    "relative_displacement": 0.01,
    "precision": "fp32",
}


def predictions():
    """Give four answers by choice, two by text and one passage."""
    common = {"suite": "in-domain", "shots": 0, "split": "test", "is_truncated": False, "n_dropped_shots": 0}
    choice = common | {"probe": "film", "probe_kind": "choice", "probe_format": "io", "n_prompt_tokens": 9}
    text = common | {"probe": "see", "probe_kind": "generation", "probe_format": "io", "n_prompt_tokens": 7}
    prose = common | {"probe": "prose", "probe_kind": "text", "probe_format": "text", "n_prompt_tokens": 0}
    options = {"choices": [" good", " bad"], "target": " good", "gold": 0}
    answers = [choice | options | {"item": f"c{n}", "cluster": f"c{n // 2}", "logps": [-1.0, -n]} for n in range(4)]
    texts = [
        text | {"item": f"g{n}", "cluster": f"g{n}", "choices": [], "gold": -1, "target": " a dog", "text": written}
        for n, written in enumerate(["a dog", "a cat"])
    ]
    passage = prose | {"item": "p0", "cluster": "p0", "nll": 4 * math.log(2), "n_tokens": 3, "n_bytes": 8}
    return [*answers, *texts, passage]


@pytest.fixture
def scored(tmp_path):
    """Give a function that scores a cell and returns its folder."""
    write_json(tmp_path / "checkpoint.json", CHECKPOINT)

    def run(name, rows, record=None, normalisations=None, extracts=None, words=None, metrics=None, more=(), **identity):
        folder = tmp_path / name
        write_table(folder / "predictions.parquet", rows, PREDICTIONS)
        options = ["--predictions", str(folder / "predictions.parquet")]
        options += ["--checkpoint", str(tmp_path / "checkpoint.json"), "--cell", json.dumps(CELL | identity)]
        if extracts:
            options += ["--extracts", json.dumps(extracts)]
        if normalisations:
            options += ["--normalisations", json.dumps(normalisations)]
        if words:
            options += ["--words", json.dumps(words)]
        if metrics:
            options += ["--metrics", json.dumps(metrics)]
        if record:
            write_json(folder / "training.json", record)
            options += ["--training", str(folder / "training.json")]
        options += ["--items", str(folder / "items.parquet"), "--status", str(folder / "cell.parquet")]
        score.main([*options, *more, "--measurements", str(folder / "measurements.parquet")])
        return folder

    return run


@pytest.fixture
def collected_as(tmp_path):
    """Give a function that collects one cell and returns the tables."""

    def run(folder):
        outputs = {name: tmp_path / f"collected-{name}.parquet" for name in ("items", "measurements", "status")}
        options = [f"--{name}={path}" for name, path in outputs.items()]
        collect_checkpoint.main(["--scores", str(folder / "measurements.parquet"), *options])
        return {name: pl.read_parquet(path) for name, path in outputs.items()}

    return run


def test_every_row_says_what_was_measured_on_what(scored):
    folder = scored("cell", predictions(), RECORD)
    for name, schema in [("items", ITEM_SCORES), ("measurements", MEASUREMENTS)]:
        table = pl.read_parquet(folder / f"{name}.parquet")
        assert table.schema == pl.Schema(schema)
        assert table.select(list(CELL)).unique().row(0, named=True) == CELL
        facts = {key: value for key, value in CHECKPOINT.items() if key != "seed"}
        assert table.select(list(facts)).unique().row(0, named=True) == facts
        assert set(table["pretraining_seed"]) == {5}  # the seed of the tuning is another
        assert table["probe"].unique(maintain_order=True).to_list() == ["film", "see", "prose"]


def test_items_are_scored_as_their_probe_asks(scored):
    items = pl.read_parquet(scored("cell", predictions(), RECORD) / "items.parquet")
    assert items["item"].to_list() == ["c0", "c1", "c2", "c3", "g0", "g1", "p0"]
    assert items["is_correct"].to_list() == [False, True, True, True, None, None, None]
    assert items["is_tie"][:4].to_list() == [False, True, False, False]
    assert items["exact_match"].to_list() == [None] * 4 + [True, False, None]
    assert items["rouge_l"][4:6].to_list() == [1.0, 0.5]
    assert items["nll"][6] == pytest.approx(4 * math.log(2))


def test_the_normalisation_of_a_dataset_in_a_format_decides(scored):
    # -1 for "good", the right one, against 0, -1, -2, -3 for "bad"; by pmi 0 against 1.5, 0.5, -0.5, -1.5
    alone = [row | {"logps_unconditional": [-1.0, -1.5]} if "logps" in row else row for row in predictions()]
    found = {}
    for name, change in {"none": {}, "pmi": {"io": "pmi"}, "elsewhere": {"default": "pmi"}}.items():
        folder = scored(name, alone, normalisations={"film": change})
        found[name] = pl.read_parquet(folder / "items.parquet")["is_correct"].to_list()[:4]
    assert found == {"none": [False, True, True, True], "pmi": [False, False, True, True], "elsewhere": found["none"]}


def test_answers_in_generated_texts_are_compared_where_the_task_says_how(scored):
    texts = {"g0": ("so it is 1,000", "500+500 is 1000"), "g1": ("so it is 7", "it is 8")}
    rows = [
        row | dict(zip(("text", "target"), texts[row["item"]], strict=True)) | {"references": None}
        if row["item"] in texts
        else row
        for row in predictions()
    ]
    found = {}
    for name, extracts in {"whole": {"other": "(x)"}, "part": {"see": "is ([0-9,]+)"}}.items():
        folder = scored(name, rows, extracts=extracts)
        items = pl.read_parquet(folder / "items.parquet").filter(probe="see")
        values = {row["metric"]: row["value"] for row in pl.read_parquet(folder / "measurements.parquet").to_dicts()}
        found[name] = (items["exact_match"].to_list(), values["exact_match"], values["rouge_l"])
    assert found["whole"][:2] == ([False, False], 0.0) and found["part"][:2] == ([True, False], 0.5)
    assert found["whole"][2] == found["part"][2] > 0  # ROUGE-L is of the whole text


def test_the_primary_metric_is_that_of_the_task_and_the_score_of_an_item_follows_it(scored):
    for given, primary in [({}, "rouge_l"), ({"see": "exact_match"}, "exact_match")]:
        folder = scored("cell", predictions(), metrics=given)
        table, items = (pl.read_parquet(folder / f"{name}.parquet") for name in ("measurements", "items"))
        kinds = {"choice": "accuracy", "generation": primary, "text": "bits_per_byte"}
        found = table.filter("is_primary").select("probe_kind", "metric").unique()
        assert dict(found.iter_rows()) == kinds and table["is_primary"].null_count() == 0
        texts, choices = items.filter(probe="see"), items.filter(probe="film")
        assert texts["score"].to_list() == texts[primary].cast(float).to_list()
        assert choices["score"].to_list() == choices["is_correct"].cast(float).to_list()
        assert items.filter(probe="prose")["score"].null_count() == items.filter(probe="prose").height
    with pytest.raises(
        UserError, match=r"--metrics: 'exact_mach' of see is not one of rouge_l, exact_match\nhint: did"
    ):
        scored("wrong", predictions(), metrics={"see": "exact_mach"})


def test_measurements_are_means_over_items_with_their_error(scored):
    table = pl.read_parquet(scored("cell", predictions(), RECORD) / "measurements.parquet")
    values = {(row["probe"], row["metric"]): row for row in table.rows(named=True)}
    accuracy = values["film", "accuracy"]
    assert (accuracy["value"], accuracy["n_items"], accuracy["chance"], accuracy["majority"]) == (0.75, 4, 0.5, 1.0)
    assert accuracy["se"] == pytest.approx(0.25)  # two clusters with residuals -1/2 and 1/2: sqrt(1/2 * 2) / 4
    assert values["see", "rouge_l"]["value"] == 0.75
    assert values["prose", "bits_per_byte"]["value"] == pytest.approx(0.5)
    assert values["prose", "bits_per_byte"]["se"] is None  # one passage


def test_the_cell_says_how_its_training_went(scored):
    (row,) = pl.read_parquet(scored("cell", predictions(), RECORD) / "cell.parquet").rows(named=True)
    assert list(row) == list(CELLS)
    assert (row["status"], row["reason"], row["final_loss"]) == ("done", "", 1.25)
    assert (row["tokens"], row["n_tokens"], row["n_examples"]) == (4096, 700, 12)
    assert (row["displacement"], row["relative_displacement"], row["curvature"]) == (0.5, 0.01, None)


COSTS = {"trainable_parameters": 90, "state_bytes": 360, "tokens_seen": 800}


def test_the_cell_says_what_its_method_is_and_what_it_cost(scored, tmp_path):
    method = {"kind": "lora", "learns": "answers", "start": "sft", "examples": 8, "doses_of": "form"}
    write_json(tmp_path / "usage.json", {"train_s": 2.5, "peak_memory_mb": 3.0, "peak_cuda_mb": 0.0})
    more = ["--method", json.dumps(method), "--training-usage", str(tmp_path / "usage.json")]
    row = pl.read_parquet(scored("cell", predictions(), RECORD | COSTS, more=more) / "cell.parquet").row(0, named=True)
    assert {key: row[key] for key in method} == method and {key: row[key] for key in COSTS} == COSTS
    assert (row["steps"], row["train_seconds"], row["peak_bytes"]) == (len(RECORD["losses"]), 2.5, 3 * 2**20)
    write_json(tmp_path / "usage.json", {"train_s": 2.5, "peak_memory_mb": 3.0, "peak_cuda_mb": 7.0})
    row = pl.read_parquet(scored("gpu", predictions(), RECORD, more=more) / "cell.parquet").row(0, named=True)
    assert row["peak_bytes"] == 7 * 2**20


def test_a_record_of_an_older_version_leaves_costs_empty_but_those_that_it_tells(scored, tmp_path):
    more = ["--training-usage", str(tmp_path / "gone.json")]
    row = pl.read_parquet(scored("cell", predictions(), RECORD, more=more) / "cell.parquet").row(0, named=True)
    assert (row["tokens_seen"], row["steps"]) == (700, len(RECORD["losses"]))
    unknown = ("trainable_parameters", "state_bytes", "train_seconds", "peak_bytes", "kind", "start")
    assert {row[key] for key in unknown} == {None}
    for change in ({"n_replayed": 3}, {"status": "diverged"}):  # of which it is unknown how many tokens were read
        row = pl.read_parquet(scored("odd", [], RECORD | change) / "cell.parquet").row(0, named=True)
        assert row["tokens_seen"] is None
    row = pl.read_parquet(scored("base", predictions(), method="base", learning_rate=None) / "cell.parquet")
    assert row.select("steps", "tokens_seen", "kind", "peak_bytes").row(0) == (None,) * 4


def test_a_method_that_cannot_be_is_refused(scored):
    for said, words in ({"kinds": "full"}, "unknown key 'kinds'\nhint: did"), ({"examples": "8"}, "a whole number"):
        with pytest.raises(UserError, match=words):
            scored("odd", predictions(), RECORD, more=["--method", json.dumps(said)])


def test_the_cell_counts_the_shots_that_were_left_out_and_names_its_precision(scored):
    rows = [row | {"n_dropped_shots": number, "precision": "bf16"} for number, row in enumerate(predictions())]
    row = pl.read_parquet(scored("cell", rows, RECORD) / "cell.parquet").row(0, named=True)
    assert row["n_dropped_shots"] == sum(range(len(rows))) > 0
    assert (row["train_precision"], row["predict_precision"]) == ("fp32", "bf16")


def test_a_cell_without_numbers_has_no_scores_and_says_why(scored, collected_as):
    rows = predictions()
    rows[2]["logps"] = [float("nan"), -19.2]
    rows[6]["nll"] = math.inf
    folder = scored("cell", rows, RECORD)
    found = pl.read_parquet(folder / "measurements.parquet")
    null = found.filter(pl.col("value").is_null())
    assert set(found.filter(probe="film")["metric"]) - set(null["metric"]) == set()
    assert null["se"].null_count() == null.height and null["reason"].null_count() == 0
    assert found.filter(pl.col("value").is_not_null())["reason"].drop_nulls().is_empty()
    assert found["value"].is_nan().sum() == 0
    reason = "1 of 4 items without a number: no finite log-likelihood of 1 of 2 options"
    assert found.filter(metric="accuracy").select("value", "n_items", "reason").row(0) == (None, 4, reason)
    items = pl.read_parquet(folder / "items.parquet")
    assert items["is_correct"].null_count() == items.height and items["rouge_l"][4:6].to_list() == [1.0, 0.5]
    (cell,) = pl.read_parquet(folder / "cell.parquet").rows(named=True)
    assert cell["status"] == "done"
    assert cell["reason"] == (
        f"film (io, 0 shots): {reason}; prose (text, 0 shots): 1 of 1 item without a number: no finite log-likelihood "
        "of the text"
    )
    tables = collected_as(folder)
    assert tables["measurements"].drop("is_chosen").equals(found) and tables["items"].drop("is_chosen").equals(items)


def test_a_training_whose_numbers_are_none_says_so(scored):
    record = RECORD | {"displacement": None, "relative_displacement": float("inf"), "curvature": None}
    (row,) = pl.read_parquet(scored("cell", predictions(), record) / "cell.parquet").rows(named=True)
    assert row["reason"] == "no finite displacement; no finite relative displacement; no finite curvature"
    assert [row[key] for key in ("displacement", "relative_displacement", "curvature")] == [None] * 3
    lost = RECORD | {"status": "diverged", "losses": [2.5, None]}
    (row,) = pl.read_parquet(scored("lost", [], lost) / "cell.parquet").rows(named=True)
    assert row["final_loss"] is None and "to nan in 2 steps" in row["reason"]


def test_the_words_of_a_dataset_are_those_that_rouge_compares(scored):
    rows = [row | {"target": "кошка", "text": "Кошка"} if row["probe"] == "see" else row for row in predictions()]
    found = {}
    for name, words in {"english": {}, "any": {"see": "any"}, "elsewhere": {"saw": "any"}}.items():
        table = pl.read_parquet(scored(name, rows, words=words) / "measurements.parquet")
        found[name] = table.filter(metric="rouge_l")["value"].to_list()
    assert found == {"english": [0.0], "any": [1.0], "elsewhere": [0.0]}


def test_an_untouched_checkpoint_is_done_without_training(scored):
    folder = scored("cell", predictions(), method="base", learning_rate=None)
    (row,) = pl.read_parquet(folder / "cell.parquet").rows(named=True)
    assert (row["status"], row["method"], row["n_examples"], row["final_loss"]) == ("done", "base", None, None)


@pytest.mark.parametrize(
    ("losses", "reason"),
    [
        ([2.5, 9.0, 80.0], "the loss went from 2.5 to 80 in 3 steps"),
        ([2.5, float("nan")], "the loss went from 2.5 to nan in 2 steps"),
        ([6.2, 5.95], "the loss went from 6.2 to 5.95 in 2 steps, and the model can no longer learn"),
    ],
)
def test_a_diverged_model_has_no_scores_but_a_status_with_a_reason(scored, losses, reason):
    folder = scored("cell", [], RECORD | {"status": "diverged", "losses": losses})
    assert pl.read_parquet(folder / "items.parquet").schema == pl.Schema(ITEM_SCORES)
    assert pl.read_parquet(folder / "items.parquet").height == 0
    assert pl.read_parquet(folder / "measurements.parquet").height == 0
    (row,) = pl.read_parquet(folder / "cell.parquet").rows(named=True)
    assert (row["status"], row["reason"]) == ("diverged", reason)


def test_predictions_that_are_not_there_are_refused(tmp_path):
    options = ["--predictions", "nowhere", "--checkpoint", "c", "--cell", "{}", "--items", "i"]
    with pytest.raises(UserError, match=r"there is no nowhere\nhint: "):
        score.main([*options, "--measurements", "m", "--status", "s"])


@pytest.fixture
def collected(tmp_path, scored):
    """Collect a tuned, a diverged and an untouched cell as one checkpoint."""
    cells = [
        scored("tuned", predictions(), RECORD),
        scored("diverged", [], RECORD | {"status": "diverged"}, seed=3),
        scored("base", predictions()[:4], method="base", learning_rate=None),
    ]
    names = {"items": "items", "measurements": "measurements", "status": "cells"}
    options = [word for option, name in names.items() for word in (f"--{option}", str(tmp_path / f"{name}.parquet"))]
    collect_checkpoint.main(["--scores", *(str(cell / "measurements.parquet") for cell in cells), *options])
    return tmp_path


def test_the_cells_of_a_checkpoint_are_put_together_in_their_order(collected):
    items = pl.read_parquet(collected / "items.parquet")
    assert items.schema == pl.Schema(ITEM_SCORES | IS_CHOSEN)
    assert items["method"].to_list() == ["full"] * 7 + ["base"] * 4
    measurements = pl.read_parquet(collected / "measurements.parquet")
    assert measurements.schema == pl.Schema(MEASUREMENTS | IS_CHOSEN)
    assert measurements.height == 12 + 6
    cells = pl.read_parquet(collected / "cells.parquet")
    assert cells.schema == pl.Schema(CELLS | IS_CHOSEN)
    assert cells["status"].to_list() == ["done", "diverged", "done"]
    assert all(frame["is_chosen"].all() for frame in (items, measurements, cells))


def test_the_rate_that_is_best_on_validation_items_is_marked_in_every_table(tmp_path, scored):
    good, bad = ([[-1.0, -2.0], [-2.0, -1.0]][n] for n in (0, 1))
    cells = []
    for rate, on_validation, on_test in [(1e-4, bad, good), (1e-3, good, bad)]:
        rows = [row | {"logps": on_test} for row in predictions()[:4]]
        rows += [row | {"logps": on_validation, "suite": "validation", "split": "validation"} for row in rows]
        cells.append(scored(f"rate{rate}", rows, RECORD, learning_rate=rate))
    outputs = {name: tmp_path / f"{name}.parquet" for name in ("items", "measurements", "status")}
    options = [str(word) for name, path in outputs.items() for word in (f"--{name}", path)]
    collect_checkpoint.main(["--scores", *(str(cell / "measurements.parquet") for cell in cells), *options])
    for path in outputs.values():
        table = pl.read_parquet(path)
        assert table["learning_rate"].unique(maintain_order=True).to_list() == [1e-4, 1e-3]
        assert table.filter("is_chosen")["learning_rate"].unique().to_list() == [1e-3]
        assert table.filter(~pl.col("is_chosen"))["learning_rate"].unique().to_list() == [1e-4]


def test_a_table_of_other_columns_is_not_collected(collected):
    pl.read_parquet(collected / "tuned" / "items.parquet").drop("is_tie").write_parquet(
        collected / "tuned" / "items.parquet"
    )
    (collected / "items.parquet").unlink()
    with pytest.raises(UserError, match=r"tuned/items.parquet cannot be read: it lacks the column is_tie\nhint: "):
        collect_checkpoint.main(
            ["--scores", str(collected / "tuned" / "measurements.parquet")]
            + ["--items", str(collected / "items.parquet"), "--measurements", "unused", "--status", "unused"]
        )
    assert not (collected / "items.parquet").exists()


def test_the_checkpoints_of_a_study_are_put_together(collected):
    tables = {name: str(collected / f"{name}.parquet") for name in ("measurements", "cells")}
    outputs = {name: str(collected / "study" / f"{name}.parquet") for name in tables}
    words = ["--measurements", tables["measurements"], tables["measurements"], "--status", tables["cells"]]
    collect.main([*words, "--output-measurements", outputs["measurements"], "--output-cells", outputs["cells"]])
    assert pl.read_parquet(outputs["measurements"]).height == 36
    assert pl.read_parquet(outputs["measurements"]).schema == pl.Schema(MEASUREMENTS | IS_CHOSEN)
    assert pl.read_parquet(outputs["cells"]).equals(pl.read_parquet(tables["cells"]))


def test_a_table_with_a_column_that_the_schema_does_not_know_is_not_collected(collected):
    odd = collected / "odd.parquet"
    pl.read_parquet(collected / "measurements.parquet").with_columns(odd=1).write_parquet(odd)
    words = ["--measurements", str(odd), "--status", str(collected / "cells.parquet")]
    with pytest.raises(UserError, match=r"odd.parquet cannot be read: it has a column .* 'odd'\nhint: delete it; "):
        collect.main([*words, "--output-measurements", str(collected / "out.parquet"), "--output-cells", "unused"])
    assert not (collected / "out.parquet").exists()


# what of a prediction is odd -> what is said of it; the first answer by choice, by text, and of running text
ODD = [
    ("c0", {"n_option_tokens": [2, 0]}, "n_option_tokens is [2, 0]"),
    ("c0", {"n_option_tokens": [2]}, "n_option_tokens has 1 values for 2 choices"),
    ("c0", {"gold": None}, "gold is null, not the place of one of 2 choices"),
    ("c0", {"gold": 2}, "gold is 2, "),
    ("c0", {"gold": -1}, "gold is -1, "),
    ("c0", {"logps": [-1.0, -2.0, -3.0]}, "logps has 3 values for 2 choices"),
    ("c0", {"logps": None}, "logps has 0 values"),
    ("c0", {"logps_unconditional": [-1.0]}, "logps_unconditional has 1 values"),
    ("c0", {"choices": [" good", " "]}, 'choices is [" good", " "]'),
    ("c0", {"choices": [" good", None]}, 'choices is [" good", null]'),
    ("c0", {"choices": None}, "choices is null"),
    ("c0", {"same_text": [0, 2]}, "same_text is [0, 2]"),
    ("c0", {"same_tokens": [0, None]}, "same_tokens is [0, null]"),
    ("c1", {"item": "c0"}, "the item 'c0' of the probe 'film' is duplicated"),
    ("c1", {"probe": "other"}, "the rows of the probe 'film' are not consecutive"),
    ("c0", {"probe_kind": "choose"}, "probe_kind is 'choose', not one of choice, preference, generation, text"),
    ("c0", {"n_dropped_shots": None}, "n_dropped_shots is null"),
    ("c0", {"cluster": None}, "cluster is null"),
    ("g0", {"target": None}, "target is null"),
    ("g0", {"references": ["a", None]}, "one of the references is null"),
    ("g0", {"n_tokens": -3}, "n_tokens is -3"),
    ("p0", {"n_bytes": None}, "n_bytes is null"),
    ("p0", {"probe_kind": "harness"}, "harness holds null"),
]


@pytest.mark.parametrize(("item", "change", "seen"), ODD)
def test_a_prediction_that_no_score_can_be_had_of_is_named(scored, item, change, seen):
    rows = [row | change if row["item"] == item else row for row in predictions()]
    with pytest.raises(UserError, match=re.escape(seen)) as error:
        scored("odd", rows)
    assert re.search(r"predictions.parquet: row \d+, item '\w+': .*\nhint: fix the row, or delete", str(error.value))


def test_every_kind_of_probe_that_is_scored_is_looked_at():
    assert scorable.FAULTS.keys() == metrics.SCORERS.keys()


@pytest.mark.parametrize(
    ("column", "values", "seen"),
    [
        ("gold", ["0", "1"], "its column gold holds String, where Int64"),
        ("logps", ["-1", "-2"], "its column logps holds String, where List"),
        ("logp", [-1.0, -2.0], "a column that this table does not know, 'logp'"),
    ],
)
def test_predictions_of_another_make_are_named(scored, tmp_path, monkeypatch, column, values, seen):
    folder = scored("whole", predictions()[:2])
    path = folder / "predictions.parquet"
    odd = pl.read_parquet(path).with_columns(pl.Series(column, values))
    monkeypatch.setattr(f"{__name__}.write_table", lambda path, *_: odd.write_parquet(path))
    with pytest.raises(UserError, match=seen):
        scored("whole", [])


def test_predictions_by_hand_may_lack_columns_and_count_in_any_whole_number(scored, tmp_path, monkeypatch):
    folder = scored("whole", predictions()[:4])
    plain = pl.DataFrame(predictions()[:4]).with_columns(pl.col("gold").cast(pl.Int8), same_text=None)
    expected = (folder / "measurements.parquet").read_bytes()
    monkeypatch.setattr(f"{__name__}.write_table", lambda path, *_: plain.write_parquet(path))
    assert (scored("whole", []) / "measurements.parquet").read_bytes() == expected


@pytest.mark.parametrize(
    ("options", "seen"),
    [
        ({"words": {"see": "english "}}, r"--words: see is \"english \"; known are english, any\nhint: did you mean"),
        ({"words": {"see": 3}}, "--words: see is 3; known are english, any"),
        ({"normalisations": {"film": "pmi"}}, '--normalisations: film is "pmi"\nhint: by format'),
        ({"normalisations": {"film": {"io": "char"}}}, "known are none, character"),
        ({"extracts": {"see": "no group"}}, "'no group' has 0 groups"),
        ({"extracts": {"see": 3}}, "--extracts: see is 3\nhint: "),
        ({"seed": "2"}, r"--cell: seed is \"2\", not a whole number"),
        ({"study": None}, "--cell: study is null, not a text"),
        ({"metod": "full"}, "--cell: unknown key 'metod'\nhint: did you mean 'method'"),
        ({"learning_rate": "0.1"}, "--cell: learning_rate is"),
        ({"record": RECORD | {"losses": []}}, r"training.json cannot be read: losses is \[\]"),
        ({"record": RECORD | {"losses": ["a"]}}, "training.json cannot be read: losses is"),
        ({"record": {"status": "done", "losses": [1.0]}}, "training.json cannot be read: it lacks n_examples"),
    ],
)
def test_unknown_words_of_a_metric_or_a_cell_are_named(scored, options, seen):
    with pytest.raises(UserError, match=seen):
        scored("odd", predictions(), **options)
