"""Random edits of a study whose trainings are of many kinds and read each other; see walk.py."""

import random
from collections.abc import Callable
from pathlib import Path

from cut_study import Study
from forked_snakemake import ForkedStudy
from kinds_model import READING, KindsModel
from test_reruns import replace
from walk import EDITS, SMALL, Walk, removed, shuffled

FULL = {"kind": "full", "learning_rate": 1e-3, "epochs": 1, "batch_size": 4}
CHOICE, PAIRS = {"datasets": ["nursery-sentiment"]}, {"datasets": ["nursery-headline"]}
POLICY = FULL | PAIRS | {"from": "sft", "learns": "policy", "kl_weight": 0.05, "samples": 4, "tries": 4, "steps": 2}
# what may be added, by name
WAYS = {
    "lora": FULL | {"kind": "lora", "rank": 2, "alpha": 4},
    "later": FULL | {"kind": "lora", "rank": 2, "alpha": 4, "from": "sft"},
    "ia3": FULL | {"kind": "ia3"},
    "head": FULL | CHOICE | {"kind": "head", "moves": "head"},
    "known": CHOICE | {"kind": "features"},
    "form": FULL | {"examples": [4, 8]},
    "dpo": FULL | PAIRS | {"from": "sft", "learns": "preferences", "loss": "dpo", "beta": 0.1},
    "orpo": FULL | PAIRS | {"learns": "preferences", "loss": "orpo", "beta": 0.5},
    "grpo": POLICY | {"reward": "rule"},
    "ppo": POLICY | {"algorithm": "ppo", "reward": "judge", "kind": "lora", "rank": 2, "alpha": 4},
    "ring": FULL | {"kind": "peft", "type": "VERA", "modules": ["q_proj", "v_proj"], "options": {"r": 2}},
}
FIRST = {"base": {"shots": [0]}, "sft": FULL, "judge": FULL | PAIRS | {"from": "sft", "learns": "reward"}}
NAMES = ["one", "two", "three", "four", "five"]
# of the settings of each kind one that changes what is learned, and its values
MATTERS = {
    "learning_rate": (1e-3, 2e-3),
    "penalties": ([1.0], [1.0, 0.1]),
    "beta": (0.1, 0.5),
    "kl_weight": (0.05, 0.1),
    "examples": ([4, 8], [4], [8, 4]),
    "alpha": (4, 8),
}


def kinds_study(folder: Path) -> Study:
    """The smallest study with trainings that read others, once run."""
    study = ForkedStudy(folder)
    replace(folder / "rules/audit.smk", "terminal.say_warnings(Path(study_folder(None)))", "pass")
    config = study.config()
    config["series"]["nursery"]["pretrain"] |= SMALL
    config["series"]["nursery"]["checkpoints"] = [{"step": 3}]
    config |= {"items": {"train": 16, "validation": 4, "test": 4, "shots": 2}, "formats": ["default"]}
    config["datasets"] = {"nursery-sentiment": {}, "nursery-headline": {}}
    config["suites"] = {"own": {"datasets": "own", "formats": "trained"}, "pretraining": {"texts": ["heldout"]}}
    config["methods"] = FIRST | {name: WAYS[name] for name in ("ppo", "known")}
    study.write(config)
    run = study.snakemake("--scheduler", "greedy")
    assert run.returncode == 0, run.stdout + run.stderr
    return study


def renamed(draw: random.Random, c: dict) -> None:
    """Give a method another name, also where others read its model."""
    old = draw.choice([name for name in c["methods"] if name != "base"])
    new = draw.choice([name for name in NAMES if name not in c["methods"]])
    c["methods"] = {new if name == old else name: settings for name, settings in c["methods"].items()}
    for settings in c["methods"].values():
        settings |= {key: new for key in READING if settings.get(key) == old}


def added(draw: random.Random, c: dict) -> None:
    name = draw.choice([name for name in WAYS if name not in c["methods"]])
    wanted = {WAYS[name].get(key, "rule") for key in READING} - {"rule"}
    if wanted <= c["methods"].keys():
        c["methods"][name] = dict(WAYS[name])


def dropped(draw: random.Random, c: dict) -> None:
    """Remove a method, and those that read its model."""
    removed(draw, c["methods"], least=2)
    while lost := [
        name
        for name, one in c["methods"].items()
        if {one.get(key, "rule") for key in READING} - {"rule"} - c["methods"].keys()
    ]:
        for name in lost:
            del c["methods"][name]
    if c["methods"].keys() == {"base"}:
        c["methods"]["sft"] = dict(FULL)


def changed(draw: random.Random, c: dict) -> None:
    """Change a setting that matters."""
    places = [(one, key) for one in c["methods"].values() for key in MATTERS if key in one or is_given(one, key)]
    one, key = draw.choice(places)
    one[key] = draw.choice(MATTERS[key])


def is_given(settings: dict, key: str) -> bool:
    return key == "penalties" and settings.get("kind") == "features"


def start_changed(draw: random.Random, c: dict) -> None:
    """Let a method start from another one, or from the checkpoint."""
    starts = [name for name, one in c["methods"].items() if one.get("kind") == "full" and "examples" not in one]
    free = [one for one in c["methods"].values() if one.get("kind") == "lora" and one.get("learns") != "policy"]
    if free:
        one = draw.choice(free)
        fit = [name for name in starts if c["methods"][name].get("learns", "answers") == "answers"]
        one.pop("from", None)
        if fit and draw.random() < 0.7:
            one["from"] = draw.choice(fit)


class KindsWalk(Walk):
    """A study of many kinds of tuning."""

    model_of = KindsModel
    edits: list[Callable[[random.Random, dict], object]] = [
        renamed,
        added,
        added,
        dropped,
        changed,
        changed,
        start_changed,
        EDITS[5],  # checkpoints
        lambda draw, c: c.update(methods=shuffled(draw, c["methods"])),
        lambda draw, c: c.update(datasets=shuffled(draw, c["datasets"])),
        lambda draw, c: c.update(formats=draw.choice([["default"], ["default", "io"], ["io", "default"]])),
        lambda draw, c: c.update(seeds=draw.choice([[1], [1, 2]])),
        lambda draw, c: c.update(
            title=f"Title {draw.random()}", findings={"smallest_effect": draw.choice([0.02, 0.05])}
        ),
    ]

    def others(self) -> list[Callable[[], None]]:
        return [self.move, self.copy, self.touch, self.upgrade, self.upgrade_kind, self.lose]

    def upgrade_kind(self) -> None:
        """Change the code of one kind in a way that changes no number."""
        path = self.study.folder / "scripts/ripeness/models/methods/lora.py"
        path.write_text(path.read_text() + f"\nlora_is_the_same = {len(self.said)}\n")
        self.model.code_of["lora"] = len(self.said)
