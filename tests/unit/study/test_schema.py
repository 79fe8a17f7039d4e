"""Studies as data: defaults filled in, and a message with place, value, choices and hint for what is wrong."""

import copy
import re
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator

from ripeness.runtime.errors import UserError
from ripeness.study.schema import check_config, describe, read_yaml

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
STUDIES = [ROOT / "config.yaml", *sorted((ROOT / "studies").glob("*.yaml"))]


def study_with(text):
    """Merge lines of YAML into the cut study; a mapping is merged, any other value replaced."""

    def merge(old, new):
        return {**old, **{k: merge(old.get(k, {}), v) if isinstance(v, dict) else v for k, v in new.items()}}

    return merge(copy.deepcopy(CUT), yaml.safe_load(text))


def refusal(text):
    with pytest.raises(UserError) as error:
        check_config(study_with(text))
    return str(error.value)


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.name)
def test_a_shipped_study_is_good_and_keeps_what_it_says(path):
    given = read_yaml(path)
    study = check_config(given)
    named = {key: value for key, value in given.get("findings", {}).items() if key in ("form", "knowledge")}
    assert study["findings"] == named | {
        "smallest_effect": 0.02,
        "smallest_loss": 0.02,
        "smallest_slope": 0.1,
        "smallest_doublings": 0.1,
        "draws": 2000,
    }
    assert study.keys() & {"published", "theory"} or study["items"]["seed"] == given["items"].get("seed", 0)

    def keeps(known, full):
        if isinstance(known, dict):
            return all(keeps(value, full[key]) for key, value in known.items())
        if isinstance(known, list):
            return len(known) == len(full) and all(map(keeps, known, full))
        return known == full

    assert keeps(given, study)


def test_defaults_are_filled_in_at_every_depth():
    study = check_config(CUT)
    assert study["predict"]["batch_tokens"] == 4096 and study["keep_models"] == "none"
    assert study["series"]["nursery"]["seed"] == 0
    assert study["series"]["nursery"]["pretrain"]["betas"] == [0.9, 0.95]
    assert study["methods"]["full"]["schedule"] == "linear" and study["methods"]["full"]["warmup_ratio"] == 0.03
    assert study["methods"]["base"] == {"shots": [0, 4]}
    assert [suite["shots"] for suite in study["suites"].values()] == [[0]] * 3
    assert study["texts"]["heldout"] == {"heldout": True, "items": 100}
    del (without := copy.deepcopy(CUT))["texts"]
    assert check_config(without)["texts"] == {}


def test_defaults_of_a_list_and_of_what_a_schema_refers_to_are_filled_in(tmp_path):
    schema = {"properties": {"a": {"items": {"$ref": "#/$defs/one"}}}}
    schema["$defs"] = {"one": {"properties": {"b": {"default": [1]}, "c": {"$ref": "#/$defs/two", "default": 3}}}}
    schema["$defs"]["two"] = {"type": "integer", "default": 2}
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(schema))
    found = check_config({"a": [{}, {"b": [], "c": 1}]}, tmp_path / "x.yaml")
    assert found == {"a": [{"b": [1], "c": 3}, {"b": [], "c": 1}]}


def test_what_is_given_wins_over_defaults_and_is_left_as_it_was():
    given = study_with("{findings: {draws: 100}, methods: {full: {schedule: constant}}, keep_models: all}")
    before = copy.deepcopy(given)
    study = check_config(given)
    assert given == before
    assert study["findings"]["draws"] == 100 and study["findings"]["smallest_effect"] == 0.02
    assert study["keep_models"] == "all"
    assert study["methods"]["full"]["schedule"] == "constant"


def test_defaults_are_not_shared_between_studies():
    check_config(CUT)["series"]["nursery"]["pretrain"]["betas"].append(1)
    assert check_config(CUT)["series"]["nursery"]["pretrain"]["betas"] == [0.9, 0.95]


@pytest.mark.parametrize(
    ("text", "where", "unknown", "near"),
    [
        ("sedes: [1]", "the top level", "sedes", "seeds"),
        ("items: {tset: 5}", "items", "tset", "test"),
        ("methods: {full: {learning_rat: 1}}", "methods.full", "learning_rat", "learning_rate"),
        ("series: {nursery: {pretrain: {hidden: 8}}}", "series.nursery.pretrain", "hidden", "hidden_size"),
        ("suites: {transfer: {dataset: own}}", "suites.transfer", "dataset", "datasets"),
    ],
)
def test_an_unknown_key_is_named_with_those_known_and_the_nearest(text, where, unknown, near):
    said = refusal(text)
    assert re.fullmatch(
        rf"{where}: unknown key '{unknown}'; known are .*\b{near}\b.*\nhint: did you mean '{near}'\?", said
    )


def test_a_key_like_no_other_points_at_the_schema():
    assert refusal("zzz: 1").endswith("\nhint: config.schema.yaml explains every key")


def test_a_misspelt_key_is_named_rather_than_the_right_one_that_is_missing():
    study = {"sereis" if key == "series" else key: value for key, value in CUT.items()}
    with pytest.raises(UserError, match=r"^the top level: unknown key 'sereis'(.|\n)*\nhint: did you mean 'series'"):
        check_config(study)


@pytest.mark.parametrize("written", ["1e-3", "1.0e3"])
def test_a_number_that_yaml_takes_for_text_is_refused_with_how_to_write_it(written):
    said = refusal(f"methods: {{full: {{learning_rate: {written}}}}}")
    assert said.startswith("methods.full.learning_rate: ") and written in said
    assert "hint: YAML reads 1e-3 and 1.0e3 as text; write 1.0e-3" in said
    assert "YAML reads 1e-3" not in refusal("methods: {full: {learning_rate: fast}}")
    assert "hint: YAML reads 1e-3" in refusal("seeds: [1e3]")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("seeds: 2", "seeds: 2 is not a list [..]"),
        ("datasets: [rte]", "datasets: ['rte'] is not a mapping {key: value}"),
        ("items: {test: many}", "items.test: 'many' is not a whole number"),
        ("title: 3", "title: 3 is not text"),
    ],
)
def test_a_wrong_type_is_refused_in_plain_words(text, said):
    assert refusal(text).startswith(f"{said}\nhint: ")


def test_a_number_in_quotes_is_refused_with_how_to_write_it():
    for study, said in (("seeds: [1, '2']", "seeds.1: '2'"), ("methods: {full: {learning_rate: '0.001'}}", "'0.001'")):
        assert re.search(rf"{said} .*\nhint: a number in quotes is text; write it without quotes$", refusal(study))


def test_a_study_that_only_the_command_line_gives_is_refused_with_the_file_to_add():
    with pytest.raises(UserError, match=r"^the top level: missing .*\nhint: .*--config.*--configfile config"):
        check_config({"study": "other"})


@pytest.mark.parametrize(
    ("text", "where", "value"),
    [
        ("items: {test: 5.0}", "items.test", "5.0"),
        ("items: {test: true}", "items.test", "True"),
        ("seeds: 1", "seeds", "1"),
        ("seeds: [1, two]", "seeds.1", "'two'"),
        ("series: {nursery: {checkpoints: []}}", "series.nursery.checkpoints", "[]"),
        ("methods: {full: {batch_size: 0}}", "methods.full.batch_size", "0"),
        ("study: 5", "study", "5"),
        ("keep_models: yes", "keep_models", "True"),
        ("methods: {full: {learning_rate: .nan}}", "methods.full.learning_rate", "nan"),
        ("series: {nursery: {pretrain: {betas: [0.9, .nan]}}}", "series.nursery.pretrain.betas.1", "nan"),
    ],
)
def test_a_value_of_another_type_is_named_with_its_place(text, where, value):
    said = refusal(text)
    assert said.startswith(f"{where}: ") and value in said.partition("\n")[0]
    assert said.count("\nhint: ") == 1


def test_a_key_that_yaml_takes_for_another_type_is_refused_with_how_to_write_it():
    assert refusal("datasets: {no: {}}").startswith("datasets: the key False is not text\nhint: put it in quotes; ")
    assert check_config(study_with("datasets: {'no': {values: {no: a}}}"))["datasets"]["no"] == {"values": {False: "a"}}


def test_a_long_value_is_cut_in_its_middle():
    said = refusal(f"study: a{'b' * 5000}/c")
    assert len(said) < 800 and "'abbb" in said and " ... " in said and "bb/c'" in said


def test_one_error_is_reported_and_every_kind_of_it_has_a_hint():
    assert refusal("{sedes: 1, items: {tset: 5}, keep_models: some}").count("hint: ") == 1
    (error,) = Draft202012Validator({"maxProperties": 1}).iter_errors({"a": 1, "b": 2})
    assert describe(error, "x.yaml").endswith("\nhint: x.yaml explains every key")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a: 1\nb: {c: 1, d: 2,\n  c: 3}\n", r"x\.yaml:3: duplicate key 'c'"),
        ("a:\n  - b: 1\n    b: 2\n", r"x\.yaml:3: duplicate key 'b'"),
        ("a: [1\n", r"x\.yaml is not YAML: .*line 2"),
        ("\ta: 1\n", r"x\.yaml is not YAML: "),
        ("- a\n", r"x\.yaml has no keys"),
        ("", r"x\.yaml has no keys"),
        (b"a: \xff\n", r"x\.yaml is not YAML: .*utf-8"),
        (None, r"there is no file .*x\.yaml"),
    ],
)
def test_a_file_that_is_no_study_is_refused_by_name_and_line(tmp_path, text, message):
    if text is not None:
        (tmp_path / "x.yaml").write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(UserError, match=rf"(?s){message}.*\nhint: "):
        read_yaml(tmp_path / "x.yaml")


def test_the_same_key_may_stand_in_different_places(tmp_path):
    (tmp_path / "x.yaml").write_text("a: {c: 1}\nb: {c: 2, d: [{c: 3}, {c: 4}]}\n")
    assert read_yaml(tmp_path / "x.yaml") == {"a": {"c": 1}, "b": {"c": 2, "d": [{"c": 3}, {"c": 4}]}}


@pytest.mark.parametrize("text", ['title: "a\\0b"', 'methods: {full: {replay: {share: 0.1, text: "a\\0"}}}'])
def test_text_that_no_command_can_hold_is_refused(text):
    assert "has a character that commands and files cannot have\nhint: remove NUL" in refusal(text)


@pytest.mark.parametrize(
    "title", ["{a, b}", "</script>", "\"'`$(id)", "line\nline", "\U0001f389 \u202eabc", "\\n", "100 %"]
)
def test_a_title_is_any_text(title):
    assert check_config(study_with("{}") | {"title": title})["title"] == title


def test_a_title_of_nothing_is_refused():
    assert refusal("title: '  '").startswith("title: '  ' does not match")
