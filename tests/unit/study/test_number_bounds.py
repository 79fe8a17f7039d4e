"""Numbers that cannot be meant are refused: every number of the schemas has bounds, and tokens rise with steps."""

import copy
from pathlib import Path

import pytest
import yaml

from ripeness.runtime.errors import UserError
from ripeness.study.load import load_study
from ripeness.study.published_runs import read_series, step_of
from ripeness.study.schema import check_config, read_schema
from ripeness.study.series import name_checkpoints

ROOT = Path(__file__).parents[3]
CUT = yaml.safe_load((ROOT / "tests/workflow/cut.yaml").read_text())
SCHEMAS = [ROOT / f"{name}.schema.yaml" for name in ("config", "task", "series")]
LOWER, UPPER = {"minimum", "exclusiveMinimum"}, {"maximum", "exclusiveMaximum"}
METHOD, PRETRAIN, POINT = "methods/full", "series/nursery/pretrain", "series/nursery/checkpoints/1"
# a key of a study -> values that cannot be meant
REFUSED = {
    "findings/smallest_effect": [2, 0.51, 50, -0.02, float("nan")],
    "findings/smallest_slope": [-0.1, 11, float("nan"), "0.1"],
    "findings/smallest_loss": [-0.02, float("inf")],
    "findings/draws": [10, 10**9, 2000.0, True],
    f"{METHOD}/learning_rate": [2, 1.5, 0, -1.0e-3, float("inf"), float("nan"), [1.0e-3, 3], [0.1, float("nan")], []],
    f"{METHOD}/epochs": [10**6, 0, -1, 1.5, True],
    f"{METHOD}/batch_size": [0, -32, 10**7, 32.0],
    f"{METHOD}/steps": [0, -1, 10**10],
    f"{METHOD}/warmup_ratio": [3, -0.1, 100],
    f"{METHOD}/weight_decay": [-0.1, 100, float("inf")],
    f"{METHOD}/clip": [0, -1, float("inf")],
    f"{METHOD}/pull": [0, -1, 1.0e9],
    f"{METHOD}/rank": [0, 10**6],
    f"{METHOD}/alpha": [0, -1, 10**6],
    f"{METHOD}/gpu": [0, 10**6],
    f"{METHOD}/replay/share": [0, 1, 5, -0.5],
    "methods/base/shots": [[-1], [10**6], [1.0], []],
    "seeds": [[-1], [2**32], [1.0], [True], [], list(range(1001))],
    "items/train": [0, -64, 10**12],
    "items/test": [1, 0],
    "items/shots": [0],
    "items/seed": [-1, 2**32],
    "predict/batch_tokens": [0, -1, 10**12],
    "texts/heldout/items": [0, -1, 10**9],
    "suites/in-domain/shots": [[-4], [10**6]],
    f"{PRETRAIN}/learning_rate": [2, 0, -1],
    f"{PRETRAIN}/weight_decay": [-1, 11],
    f"{PRETRAIN}/betas": [[0.9], [0.9, 1], [0.9, -0.1], [9, 0.95]],
    f"{PRETRAIN}/initial_std": [0, -1, 100],
    f"{PRETRAIN}/embedding_std": [0, -1, 100],
    f"{PRETRAIN}/n_heldout": [1, 10**9],
    f"{PRETRAIN}/n_tokens": [0, 10**15],
    f"{PRETRAIN}/final_ratio": [-0.1, 10],
    f"{PRETRAIN}/seed": [-1, 2**40],
    "series/nursery/tokens_per_step": [0, -1, 10**15],
    f"{POINT}/step": [-1, 10**12, 1.5],
    f"{POINT}/tokens": [-1, 10**18],
    f"{POINT}/lr": [-1, 2],
}
SENSITIVITY = {"sensitivity/noise/init": [[0], [-0.1], [1000]], "sensitivity/bits": [[1], [32]]}


def numbers(schema, place=""):
    """Every part of a schema that takes a number, with its place."""
    if isinstance(schema, list):
        for part in schema:
            yield from numbers(part, place)
    if not isinstance(schema, dict):
        return
    kinds = schema.get("type", [])
    if isinstance(kinds, str | list) and {"integer", "number"} & {*([kinds] if isinstance(kinds, str) else kinds)}:
        yield place, schema
    for key, part in schema.items():
        if key not in ("default", "enum", "const"):
            yield from numbers(part, f"{place}/{key}")


def with_value(path, value):
    study = copy.deepcopy(CUT)
    *folders, last = path.split("/")
    place = study
    for folder in folders:
        place = place[int(folder)] if isinstance(place, list) else place.setdefault(folder, {})
    place[last] = value
    if path.startswith("sensitivity"):
        study["sensitivity"]["texts"] = ["heldout"]
    return study


@pytest.mark.parametrize("schema", SCHEMAS, ids=lambda path: path.name)
def test_every_number_of_a_schema_has_bounds(schema):
    found = list(numbers(read_schema(schema)))
    assert len(found) > 8
    assert [place for place, part in found if not (LOWER & part.keys() and UPPER & part.keys())] == []


CASES = [(path, value) for path, values in (REFUSED | SENSITIVITY).items() for value in values]


@pytest.mark.parametrize(("path", "value"), CASES, ids=lambda part: str(part)[:40])
def test_a_number_that_cannot_be_meant_is_refused_with_its_place(path, value):
    with pytest.raises(UserError) as error:
        check_config(with_value(path, value))
    said, _, way = str(error.value).partition("\nhint: ")
    assert said.startswith(path.replace("/", ".")) and way


def test_an_effect_in_percent_is_not_taken_for_a_share():
    with pytest.raises(UserError, match=r"2 is greater than the maximum of 0.5\nhint: .* 0.02 is two points"):
        check_config(with_value("findings/smallest_effect", 2))
    assert check_config(with_value("findings/smallest_effect", 0.5))["findings"]["smallest_effect"] == 0.5


def on_disk(*points):
    """A series of folders with (step, tokens) each, and a phase where there is a third."""
    keys = ("step", "tokens", "phase")
    lines = [
        {"path": f"p{n}", "name": f"c{n}"} | dict(zip(keys, point, strict=False)) for n, point in enumerate(points)
    ]
    return {"checkpoints": [{key: value for key, value in line.items() if value is not None} for line in lines]}


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (
            [(1000, 8_000_000), (2000, 4_000_000)],
            "'c0' has 8,000,000 tokens at step 1,000, and 'c1' 4,000,000 at step 2",
        ),
        ([(2000, 4_000_000), (1000, 8_000_000)], "'c1' has 8,000,000 tokens at step 1,000, and 'c0' 4,000,000"),
        ([(0, 0), (1000, 10), (3000, 30), (2000, 40)], "'c3' has 40 tokens at step 2,000, and 'c2' 30"),
        ([(1000, 10), (2000, 10)], "'c0' has 10 tokens at step 1,000, and 'c1' 10 at step 2,000"),
        ([(1000, 10), (1000, 20)], "'c0' has 10 tokens at step 1,000, and 'c1' 20 at step 1,000"),
        ([(1000, 0)], "'c0' has 0 tokens at step 1,000"),
    ],
)
def test_tokens_that_do_not_rise_with_steps_are_refused(points, message):
    with pytest.raises(UserError) as error:
        name_checkpoints("mine", on_disk(*points))
    assert str(error.value).startswith("series.mine.checkpoints: " + message) and "\nhint: " in str(error.value)


@pytest.mark.parametrize(
    "points",
    [
        [(0, 0), (1000, 8), (2000, 16)],
        [(2000, 16), (1000, 8)],
        [(1000, 8), (1000, 8)],
        [(0, 5), (1000, 8)],
        [(1000, None), (2000, 4), (3000, None)],
        [(1000, 8), (1000, 12, "annealed"), (2000, 10)],
    ],
)
def test_tokens_that_rise_are_taken(points):
    assert len(name_checkpoints("mine", on_disk(*points))) == len(points)


def test_a_study_with_falling_tokens_is_refused():
    study = copy.deepcopy(CUT) | {"texts": {"heldout": {"path": "README.md"}}}
    study["series"] = {"nursery": on_disk((1000, 8_000_000), (2000, 4_000_000))}
    with pytest.raises(UserError, match="tokens increase with steps"):
        load_study(study, ROOT / "tasks")


def test_a_grid_of_too_many_checkpoints_is_refused_at_once(tmp_path):
    settings = {"from": "pythia-160m", "every": "1 tokens", "seed": 0}
    with pytest.raises(
        UserError, match=r"^every: 1 tokens .* more than 100,000 checkpoints .*\nhint: give a larger distance"
    ):
        name_checkpoints("mine", settings)
    facts = yaml.safe_load((ROOT / "series/pythia-160m.yaml").read_text()) | {"name": "mine"}
    facts["steps"] = [{"from": 0, "to": 10**9, "by": 1}]
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump(facts))
    with pytest.raises(UserError, match=r"^series/mine.yaml: steps: .* more than 100,000 checkpoints\nhint: `by`"):
        read_series("mine", tmp_path)


def test_a_pattern_of_branches_ends():
    facts = {"branches": ["*a*a*a*a*a*a*a*a*a*a*a*a*a*a*b{step}"]}
    try:
        assert step_of(facts, "a" * 200 + "7") is None
    except UserError as error:
        assert "branches" in str(error)
