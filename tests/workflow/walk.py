"""Random edits of a small study: each plan is that of a model of the keys, the tables those of a run from nothing.

In a walk that pretends, a script stands for every program and makes empty files: what Snakemake plans, starts and
notes is real, and a hundred walks take an hour and not a day.
"""

import copy
import hashlib
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

from cut_study import Study, jobs_done, without_costs
from forked_snakemake import ForkedStudy
from keys_model import Model
from project import PARTS
from test_keys import program
from test_reruns import replace

from ripeness.study.written_claims import LOOKS

RATES = (1e-3, 2e-3, [1e-3])
DATASETS = ("nursery-sentiment", "nursery-summary", "nursery-mood")
MOST_STEPS = 8
SMALL = {"n_tokens": 20_000, "hidden_size": 8, "n_layers": 1, "n_heads": 2, "intermediate_size": 16, "batch_size": 2}
SMALL |= {"sequence_length": 64, "vocabulary_size": 300, "warmup_steps": 1}


def toy_study(folder: Path, *, pretends: bool = False) -> Study:
    """The smallest study, once run."""
    study = ForkedStudy(folder) if pretends else Study(folder)
    if pretends:
        replace(folder / "rules/audit.smk", "terminal.say_warnings(Path(study_folder(None)))", "pass")
    config = study.config()
    config["series"]["nursery"]["pretrain"] |= SMALL
    config["series"]["nursery"]["checkpoints"] = [{"step": 0}, {"step": 3}]
    config |= {"items": {"train": 8, "validation": 4, "test": 4, "shots": 2}, "formats": ["default"]}
    config["methods"] = {"base": {"shots": [0]}, "full": config["methods"]["full"] | {"batch_size": 4}}
    study.write(config)
    run = study.snakemake("--scheduler", "greedy")
    assert run.returncode == 0, run.stdout + run.stderr
    return study


def shuffled(draw: random.Random, mapping: dict) -> dict:
    return dict(draw.sample(list(mapping.items()), len(mapping)))


def renamed(draw: random.Random, mapping: dict, names: list[str]) -> None:
    old = draw.choice([name for name in mapping if name != "base"])
    mapping[draw.choice([name for name in names if name not in mapping])] = mapping.pop(old)


def removed(draw: random.Random, mapping: dict, least: int = 1) -> None:
    if len(others := [name for name in mapping if name != "base"]) > least:
        del mapping[draw.choice(others)]


def rate(draw: random.Random, c: dict) -> None:
    c["methods"][draw.choice([name for name in c["methods"] if name != "base"])]["learning_rate"] = draw.choice(RATES)


def method(draw: random.Random, c: dict) -> None:
    name = draw.choice(["full", "mine", "third"])
    c["methods"][name] = {"kind": "full", "learning_rate": draw.choice(RATES), "epochs": 1, "batch_size": 4}


def suite(draw: random.Random, c: dict) -> None:
    some = {"datasets": "own", "formats": draw.choice(["all", "trained", ["io"]])}
    listed = {"datasets": draw.sample(list(c["datasets"]), 1), "formats": ["default"], "shots": draw.choice([[0], [1]])}
    c["suites"][draw.choice(["first", "second"])] = draw.choice([some, listed])


def datasets(draw: random.Random, c: dict) -> None:
    c["datasets"] = {name: {} for name in draw.sample(DATASETS, draw.choice([1, 2]))}
    for one in c["suites"].values():
        if isinstance(one.get("datasets"), list):
            one["datasets"] = list(c["datasets"])


def checkpoints(draw: random.Random, c: dict) -> None:
    first, *others = c["series"]["nursery"]["checkpoints"]
    if len(others) > 1 and draw.random() < 0.5:
        others.remove(draw.choice(others))
    else:
        others += [entry for entry in [{"step": draw.choice([2, 3, 5])}] if entry not in others]
    c["series"]["nursery"]["checkpoints"] = [first, *sorted(others, key=lambda entry: entry.get("step", 9999))]


def keep_valid(c: dict) -> None:
    """Tuned models are measured with numbers of shots that untouched ones are measured with."""
    known = c["methods"]["base"]["shots"]
    for one in c["suites"].values():
        if "datasets" in one:
            one["shots"] = [n for n in one.get("shots", [0]) if n in known] or known[:1]


EDITS: list[Callable[[random.Random, dict], object]] = [
    rate,
    rate,
    method,
    suite,
    datasets,
    checkpoints,
    lambda draw, c: renamed(draw, c["methods"], ["full", "mine", "third", "fourth"]),
    lambda draw, c: removed(draw, c["methods"]),
    lambda draw, c: c.update(methods=shuffled(draw, c["methods"])),
    lambda draw, c: renamed(draw, c["suites"], ["a", "b", "c", "d", "e"]),
    lambda draw, c: removed(draw, c["suites"]),
    lambda draw, c: c.update(suites=shuffled(draw, c["suites"]), datasets=shuffled(draw, c["datasets"])),
    lambda draw, c: c.update(formats=draw.choice([["default"], ["default", "io"], ["io", "default"], ["io"]])),
    lambda draw, c: c.update(seeds=draw.choice([[1], [2], [1, 2], [2, 1]])),
    lambda draw, c: c["methods"].update(base={"shots": draw.choice([[0], [0, 1], [1, 0]])}),
    lambda draw, c: c["series"]["nursery"]["pretrain"].update(learning_rate=draw.choice([3e-3, 4e-3])),
    lambda draw, c: c.update(title=f"Title {draw.random()}"),
]


class Walk:
    """A study that is edited step by step, and the model of what its results know."""

    edits, model_of = EDITS, Model

    def __init__(self, study: Study, number: int, *, pretends: bool = False) -> None:
        self.study, self.draw, self.pretends = study, random.Random(number), pretends
        self.model = self.model_of()
        self.now = study.config()
        self.model.run(self.now)
        self.former, self.said, self.code = [copy.deepcopy(self.now)], ["start"], 0

    @property
    def results(self):
        return self.study.folder / "results" / self.now["study"]

    def edit(self) -> None:
        """Change the study by one edit or two, or go back to what it was."""
        if self.draw.random() < 0.15:
            self.now = copy.deepcopy(self.draw.choice(self.former)) | {"study": self.now["study"]}
            self.said.append("restored")
        else:
            for edit in self.draw.sample(self.edits, self.draw.choice([1, 1, 2])):
                before = copy.deepcopy(self.now)
                edit(self.draw, self.now)
                keep_valid(self.now)
                changes = {key: value for key, value in self.now.items() if text_of(before[key]) != text_of(value)}
                self.said.append(json.dumps(changes.get("series", changes)))
        self.former.append(copy.deepcopy(self.now))
        self.study.write(self.now)

    def move(self) -> None:
        """Rename the study with its folder."""
        before = self.results
        self.now["study"] = f"moved{len(self.said)}"
        before.rename(self.results)
        self.study.write(self.now)

    def copy(self) -> None:
        """Go on in a copy without times and without Snakemake's metadata."""
        folder = self.study.folder.with_name(f"copy {len(self.said)}")
        shutil.copytree(self.study.folder, folder, copy_function=shutil.copy, symlinks=True)
        shutil.rmtree(folder / ".snakemake")
        shutil.rmtree(self.study.folder)
        self.study = type(self.study)(folder)

    def touch(self) -> None:
        """Give all sources the time of now."""
        for part in PARTS:
            for path in [self.study.folder / part, *(self.study.folder / part).rglob("*")]:
                path.touch()

    def upgrade(self) -> None:
        """Change the code of training in a way that changes no number."""
        before, self.code = f"betas=(0.9, 0.999{'0' * self.code})", self.code + 1
        replace(self.study.folder / "scripts/ripeness/train/loop.py", before, f"betas=(0.9, 0.999{'0' * self.code})")
        self.model.code += 1

    def upgrade_data(self) -> None:
        """Change the code by which items are drawn in a way that changes no item."""
        line = "options = parser.parse_args(argv)\n"
        replace(self.study.folder / "scripts/prepare_items.py", line, f"{line}    bool(options)\n")
        self.model.data_code += 1

    def accept(self) -> None:
        """Change the code of training, and accept the results."""
        self.upgrade()
        program(self.study, "explain_reruns", "--accept", "code")
        self.model.accept(self.now)

    def lose(self) -> None:
        """Delete findings."""
        (self.results / "findings.json").unlink()
        assert self.study.planned(self.now)["judge_claims"] == 1

    def others(self) -> list[Callable[[], None]]:
        """Steps that are no edit of the study."""
        return [self.move, self.copy, self.touch, self.upgrade, self.upgrade_data, self.accept, self.lose]

    def step(self) -> None:
        """Take one step, and compare what a dry run plans with the model."""
        others = self.others()
        if self.draw.random() < 0.3:
            other = self.draw.choice(
                [one for one in others if one != self.lose or (self.results / "findings.json").exists()]
            )
            self.said.append(other.__name__)
            other()
        else:
            self.edit()
        self.compare()

    def compare(self) -> None:
        planned = self.study.planned(self.now)
        wanted = self.model.planned(self.now)
        assert {rule: planned.get(rule, 0) for rule in wanted} == wanted, "\n".join([*self.said, str(planned)])
        if not wanted["pretrain_checkpoint"]:
            assert not planned.get("pretrain_state"), "\n".join(self.said)

    def run(self) -> None:
        """Run the study: its tables are those of a run from nothing, and then nothing is to do."""
        self.said.append("run")
        run = self.study.snakemake("--scheduler", "greedy")
        assert run.returncode == 0, "\n".join([*self.said, run.stdout, run.stderr])
        wanted, done = self.model.planned(self.now, once_made=True), jobs_done(run.stdout + run.stderr)
        assert {rule: done[rule] for rule in wanted} == wanted, "\n".join(self.said)
        self.model.run(self.now)
        assert self.study.planned(self.now) == {}, "\n".join(self.said)
        if self.pretends:
            return
        fresh, here = self.from_nothing(), digests(self.results)
        assert not [path for path, digest in fresh.items() if here.get(path) != digest], "\n".join(self.said)

    def from_nothing(self) -> dict[str, str]:
        folder = self.study.folder.with_name("from nothing")
        fresh = Study(folder)
        shutil.copytree(self.study.folder / "scripts", folder / "scripts", dirs_exist_ok=True)
        fresh.write(self.now)
        if (self.results / LOOKS).exists():  # claims are decided by how often results were looked at before
            (folder / "results" / self.now["study"]).mkdir(parents=True)
            shutil.copy(self.results / LOOKS, folder / "results" / self.now["study"])
        run = fresh.snakemake("--scheduler", "greedy")
        assert run.returncode == 0, run.stdout + run.stderr
        found = digests(folder / "results" / self.now["study"])
        shutil.rmtree(folder)
        return found


def text_of(value: object) -> str:
    """A value in its order."""
    return json.dumps(value)


def digests(results) -> dict[str, str]:
    """Digests of tables, scores, findings and the data of figures.

    Predictions are left out: their rows are in the order in which they were first asked for. What is made of them is
    not.
    """
    files = [*results.rglob("*.parquet"), *results.glob("figures/*.csv"), results / "findings.json"]
    files = [path for path in files if path.name != "predictions.parquet"]
    return {str(path.relative_to(results)): hashlib.sha256(without_costs(path)).hexdigest() for path in files}
