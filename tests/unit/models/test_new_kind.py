"""What docs/add.md says of a new kind of tuning: two files, a line in each register, `make schema`; nothing reruns."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ripeness.workflow import code_digest

ROOT = Path(__file__).parents[3]
LIGHT = '''"""Define tuning of the norms' weights."""

from dataclasses import dataclass
from typing import Literal

from ripeness.study.methods.settings import Kind, TrainingSettings


@dataclass(frozen=True, kw_only=True)
class NormsSettings(TrainingSettings):
    """Settings of a training of the norms' weights below some layer."""

    below: int
    kind: Literal["norms"] = "norms"


NORMS = Kind(
    NormsSettings,
    trains="the weights of the norms",
    keys={"below": {"description": "The first layer whose norms stay.", "minimum": 1}},
    example="below: 12",
    has_small_state=True,
    state_size=lambda given, n_parameters: n_parameters // 1000,
)
'''
HEAVY = '''"""Train the weights of the norms alone."""

from ripeness.models.methods.attached import Attached
from ripeness.study.methods.norms import NormsSettings


class Norms(Attached):
    """The norms of a model, whose other weights are frozen meanwhile."""

    def __init__(self, model, below):
        self.model, self.names = model, {f"layers.{n}." for n in range(below)}
        for name, weight in model.named_parameters():
            weight.requires_grad_(name in self.weights())

    def weights(self):
        named = self.model.named_parameters()
        return {name: weight for name, weight in named if weight.ndim == 1 and any(n in name for n in self.names)}

    def state(self):
        return {name: weight.detach().cpu().clone() for name, weight in self.weights().items()}

    def load(self, state):
        for name, weight in self.weights().items():
            weight.data.copy_(state[name])

    def merge(self):
        self.model.requires_grad_(True)


def attach(model, settings: NormsSettings) -> Norms:
    """Freeze all weights but those."""
    return Norms(model, settings.below)
'''


@pytest.fixture
def project(tmp_path):
    """A copy of the project with one more kind, made by the steps of docs/add.md."""
    for part in ("scripts", "config.schema.yaml", "tasks", "series", "config.yaml"):
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copyfile
        copy(ROOT / part, tmp_path / part)
    study, models = (tmp_path / "scripts/ripeness" / layer / "methods" for layer in ("study", "models"))
    (study / "norms.py").write_text(LIGHT)
    (models / "norms.py").write_text(HEAVY)
    change(study / "register.py", "        LORA,\n", "        LORA,\n        NORMS,\n")
    change(study / "register.py", "\n# The rules", "from ripeness.study.methods.norms import NORMS\n\n# The rules")
    change(models / "register.py", "    lora,\n", "    lora,\n    norms,\n")
    change(
        models / "register.py", "\n# The rules", "from ripeness.study.methods.norms import NormsSettings\n\n# The rules"
    )
    change(
        models / "register.py",
        "    LoraSettings: lora.attach,\n",
        "    LoraSettings: lora.attach,\n    NormsSettings: norms.attach,\n",
    )
    run(tmp_path, "-m", "ripeness.study.methods.schema_part")
    return tmp_path


def change(path, before, after):
    text = path.read_text()
    assert text.count(before) == 1, (path, before)
    path.write_text(text.replace(before, after))


def run(project, *words):
    environment = os.environ | {"PYTHONPATH": str(project / "scripts"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, *map(str, words)], capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_kind_that_is_added_trains_is_saved_small_and_is_measured(project, checkpoint, examples, tmp_path):
    settings = {"kind": "norms", "below": 1, "learning_rate": 0.1, "epochs": 2, "batch_size": 4, "seed": 1}
    model, programs = tmp_path / "made/model", project / "scripts"
    words = ["--checkpoint", checkpoint, "--examples", examples / "choice/train.parquet", "--output", model]
    run(
        project,
        programs / "train_model.py",
        *words,
        "--settings",
        json.dumps(settings),
        "--record",
        tmp_path / "r.json",
    )
    assert [path.name for path in model.glob("*.safetensors")] == ["tuned.safetensors"]
    probe = {"suite": "s", "probe": "film", "kind": "choice", "format": "default", "shots": 0}
    probe["examples"] = str(examples / "choice/test.parquet")
    words = ["--model", model, "--probes", json.dumps([probe]), "--output", tmp_path / "said.parquet"]
    run(project, programs / "predict.py", *words)
    check = "from ripeness.study.schema import SCHEMA, read_schema; import json"
    method = json.loads(
        run(project, "-c", f"{check}; print(json.dumps(read_schema(SCHEMA)['$defs']['method']['properties']))")
    )
    assert {"full", "lora", "norms"} < set(method["kind"]["enum"])
    assert (method["below"]["type"], method["below"]["minimum"]) == ("integer", 1)


def test_a_kind_that_is_added_changes_the_code_of_no_program(project):
    for program in ("train_model", "predict", "measure_sensitivity", "anneal_checkpoint", "fetch_checkpoint"):
        ours, theirs = (code_digest.digest(root / f"scripts/{program}.py") for root in (ROOT, project))
        assert ours == theirs
    for kind in ("full", "lora"):
        ours, theirs = (
            code_digest.digest(root / f"scripts/ripeness/models/methods/{kind}.py") for root in (ROOT, project)
        )
        assert ours == theirs
