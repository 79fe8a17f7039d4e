"""Checks of the grid: each on a plan that raises it, and on one that nearly does."""

import json
from pathlib import Path

import pytest

from ripeness.audit.grid import GRID_CHECKS
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow.lookups.audit import audit_plan, audited_checkpoints

ROOT = Path(__file__).parents[3]
B = 10**9
# OLMo-1B as Amuro and Char (arXiv 2408.06663) took it: every 70th of the published list, and its ends
PUBLISHED = [1000, 18000, 342000, 424000, 505000, 592000, 738000, 738020]


def points(tokens, **more):
    return [{"checkpoint": f"at{n}", "step": n // 1000, "tokens": n} | more for n in tokens]


def steps(numbers):
    return [{"checkpoint": f"step{n}", "step": n, "tokens": n * 4_194_304} for n in numbers]


def task(kind="choice", **more):
    source = {"train": "train.jsonl", "validation": "dev.jsonl", "test": "test.jsonl"}
    return {"kind": kind, "source": source, "stop": "\n", "max_new_tokens": 60} | more


def plan(**change):
    """A plan that no check has anything to say of."""
    sources = [{"train": f"{n}.jsonl", "validation": "dev.jsonl", "test": f"test{n}.jsonl"} for n in (1, 2)]
    good = {
        "series": {name: {"checkpoints": points([n * B for n in (1, 2, 4, 8, 16)])} for name in ("one", "two")},
        "tasks": {"rte": task(source=sources[0]), "xsum": task("generation", source=sources[1])},
        "datasets": ["rte", "xsum"],
        "methods": {"full": {"kind": "full", "learning_rate": [1e-6, 1e-5]}},
        "seeds": [1, 2, 3],
    }
    return good | change


def series(checkpoints):
    return {"series": {"one": {"checkpoints": checkpoints}, "two": {"checkpoints": []}}}


def methods(*settings):
    return {"methods": {f"method{n}": {"kind": "full"} | each for n, each in enumerate(settings)}}


def tasks(**sources):
    return {"tasks": {name: task(source=source) for name, source in sources.items()}, "datasets": list(sources)[:1]}


RTE = {
    "hub": "nyu-mll/glue",
    "config": "rte",
    "splits": {"train": "train", "validation": "train", "test": "validation"},
}
ON_TRAIN = RTE | {"splits": RTE["splits"] | {"test": "train"}}
OTHER = RTE | {"config": "mnli"}
FILES = {"train": "x", "test": "y"}
LISTED = {"github": "me/mine", "files": {"x": "x.json", "y": "y.json", "z": "z.json"}, "train": "x+y", "test": "z"}
LISTED_ELSE = LISTED | {"train": "z", "test": "y"}
DOUBLED = [B * 2**n for n in range(9)]


def weights(tokens=(B, 2 * B), **series):
    """A plan whose checkpoints have these parts of their weights: one="ab cd" has two checkpoints of two parts each."""
    made = {}
    for name, words in series.items():
        records = {
            f"at{n}": {"kind": "tensors", "parts": list(parts), "rest": ["norm"]}
            for n, parts in zip(tokens, words.split(), strict=False)
        }
        made[name] = {"seed": 0, "checkpoints": records}
    return {"series": {name: {"checkpoints": points(tokens)} for name in series}, "weights": made}


FULL = {"learning_rate": 2e-6, "datasets": ["rte"]}
# check -> (a plan that raises it, words of the remark; a plan that nearly does)
CASES = {
    "uneven-tokens": [
        (series(steps(PUBLISHED)), "nothing between 75.5B and 1.43T", series(steps(PUBLISHED[2:]))),
        (series(points([B, 2 * B, 3 * B, 40 * B, 41 * B])), "37.0 times", series(points([0, *DOUBLED]))),
        (
            series(points([B, 30 * B, 31 * B, 32 * B])),
            "4 checkpoints",
            series([*points([B, 2 * B, 4 * B, 8 * B]), *points([800 * B], phase="annealed")]),
        ),
    ],
    "near-identical-checkpoints": [
        (series(steps(PUBLISHED)), "step738000 and step738020 are 20 steps, 0.0027%", series(steps([737000, 738000]))),
        (series(points([B, B])), "0.0000%", series([*points([B]), *points([B], phase="annealed")])),
    ],
    "same-weights": [
        (weights(one="ab ab"), "at1000000000 and at2000000000 have the same weights (a)", weights(one="ab cd")),
        (weights(one="ab ac"), "share 1 of 2 matrices, and are not the same", weights(one="ab")),
        (
            weights(one="ab cd", two="ef ab"),
            "at1000000000 of one and at2000000000 of two have the same weights (a), but are described as seed 0 at "
            "1,000,000,000 tokens and seed 0 at 2,000,000,000 tokens",
            weights(one="ab cd", two="ef gh"),
        ),
        # two runs of one seed begin alike
        (weights(one="ab", two="ab"), "one run counts twice", weights((0, B), one="ab cd", two="ab ef")),
    ],
    "single-seed": [({"seeds": [42]}, "seed 42", {"seeds": [42, 43]})],
    "single-pretraining-run": [({"series": {"one": {"checkpoints": []}}}, "one", {})],
    "mixed-rates": [
        (
            methods(FULL, {"learning_rate": 2e-7, "datasets": ["xsum"]}),
            "2e-06 on rte; 2e-07 on xsum",
            methods(FULL, {"learning_rate": 2e-6, "datasets": ["xsum"]}),
        ),
        (
            methods(FULL | {"learning_rate": [2e-6, 2e-5]}, {"learning_rate": 2e-7, "datasets": ["xsum"]}),
            "2e-07 on xsum",
            methods({"learning_rate": 2e-6}, {"learning_rate": 2e-7}),  # each on everything
        ),
        (
            methods({"learning_rate": 2e-6, "by_dataset": {"xsum": {"learning_rate": 2e-7}}}),
            "2e-07 on xsum",
            methods({"learning_rate": 2e-6, "by_dataset": {"xsum": {"epochs": 2}}}),
        ),
        (
            methods(FULL, {"learning_rate": 2e-7, "datasets": ["xsum"]}),
            "2e-07 on xsum",
            methods(FULL, FULL | {"learning_rate": 2e-7}),  # two methods, on the same datasets
        ),
    ],
    "model-stays": [
        (methods({"kind": "features"}), "kind features is measured on its own datasets alone", methods(FULL)),
        (
            methods({"kind": "head", "moves": "head", "learning_rate": 1e-3}),
            "kind head is measured on its own",
            methods({"kind": "head", "moves": "all", "learning_rate": 1e-3}),
        ),
    ],
    "rate-not-chosen": [
        (methods({"learning_rate": 1e-3}), "0.001", methods({"learning_rate": [1e-3, 1e-4]})),
        (
            methods({"learning_rate": [1e-3, 1e-4], "by_dataset": {"xsum": {"learning_rate": 1e-5}}}),
            "1e-05",
            methods({"learning_rate": 1e-3, "by_dataset": dict.fromkeys(["rte", "xsum"], {"learning_rate": [1, 2]})}),
        ),
    ],
    "test-is-trained-on": [
        (
            tasks(first=RTE, second=ON_TRAIN),
            "glue rte train, on which second is tested",
            tasks(first=OTHER, second=ON_TRAIN),
        ),
        (tasks(a=FILES, b={"train": "z", "test": "x"}), "x", tasks(a={"world": "m"}, b={"world": "m"})),
        (tasks(a=LISTED, b=LISTED_ELSE), "a trains on me/mine y.json, on which b is tested", tasks(a=LISTED, b=LISTED)),
    ],
    "tests-share-rows": [(tasks(a=RTE, b=RTE), "glue rte validation", tasks(a=RTE, b=OTHER))],
    "no-stop": [
        ({"tasks": {"xsum": task("generation", stop="")}}, "60 new tokens", {"tasks": {"rte": task(stop="")}}),
    ],
}  # fmt: skip


def seen(check, change):
    return list(GRID_CHECKS[check](plan(**change)))


@pytest.mark.parametrize("check", GRID_CHECKS)
def test_a_check_sees_what_it_should_and_not_what_is_nearly_so(check):
    assert seen(check, {}) == []
    for raising, words, near in CASES[check]:
        found = seen(check, raising)
        assert len(found) == 1 and words in found[0].seen, found
        assert found[0].check == check and found[0].where and found[0].why
        assert seen(check, near) == []


def test_the_plan_of_the_nursery_has_the_tokens_of_its_checkpoints_and_only_true_remarks():
    study = load_study(read_yaml(ROOT / "config.yaml"), ROOT / "tasks")
    made = json.loads(audit_plan(study))
    found = {point["checkpoint"]: point for point in made["series"]["nursery"]["checkpoints"]}
    assert found["step64"] == {"checkpoint": "step64", "step": 64, "tokens": 64 * 8 * 128, "phase": "stable"}
    assert found["step2048-annealed"]["tokens"] == 2048 * 8 * 128
    assert made["series"]["nursery"]["window"] == 128 and len(made["probes"]) == 4 * 2
    assert audited_checkpoints(study) == ["results/nursery/corpus/nursery"]
    raised = [row.check for check in GRID_CHECKS.values() for row in check(made)]
    assert raised == ["single-pretraining-run", *["rate-not-chosen"] * 2, "model-stays"]
