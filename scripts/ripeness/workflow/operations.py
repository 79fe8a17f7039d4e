"""Count the parameters of models and the operations of jobs, from the config or from files that exist.

The operations are those of the matrix products: two a parameter and token forward, four more backward (Kaplan et al.
2020, arXiv 2001.08361, section 2.1).
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ripeness.runtime.files import read_json
from ripeness.study.annealed_twins import is_twin
from ripeness.study.grid import (
    Cell,
    Probe,
    Study,
    perturbed_series,
    plan_cells,
    pretraining_of,
    probes_of,
    recipe_on,
    sensitivity_of,
    state_steps,
)
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import POLICY, TEXT
from ripeness.study.objectives.goal import draws_pairs
from ripeness.study.objectives.policy import PolicyGoal
from ripeness.study.objectives.register import LEARNED
from ripeness.study.pictures import SCENE_SIZE
from ripeness.study.pretraining_steps import place_of, tokens_per_step
from ripeness.study.published_runs import series_facts
from ripeness.study.study_config import Checkpoint, Pretrain
from ripeness.study.tasks import sizes_of
from ripeness.study.trainings import trainings

STATES_MB = 2.3  # of a picture: states of CLIP ViT-L/14 at 336 pixels in fp32, which are larger than most
PHOTOGRAPH_MB = 0.2  # of a picture as it was published
FORWARD, TRAINING = 2, 6  # operations a parameter and token
TOKENS_A_WINDOW = 2048  # of a model from elsewhere, where a line does not say it
BYTES_A_TOKEN = (
    2  # of running text, at least; a tokenizer of a small world has longer tokens, one of a page shorter ones
)
TOKENS_AN_ITEM = 512  # a prompt with its answer, at most on average
UNKNOWN_PARAMETERS = 1_000_000_000  # of a checkpoint that is not fetched yet; once it is, its files say
DTYPE_BYTES = {"float32": 4, "float16": 2, "bfloat16": 2}


def n_parameters(study: Study, series: str, checkpoint: str) -> int:
    """Count the parameters of a checkpoint: from its files, else from settings or series file, else a guess."""
    settings, entry = study.settings.series[series], study.checkpoints[series][checkpoint]
    if settings.pretrain is not None:
        return designed_parameters(settings.pretrain)
    if is_twin(entry):
        return n_parameters(study, series, entry["anneal"])
    published = series_facts(series, settings.mapping) or {}
    folder = entry.get("path") or f"results/{study.settings.study}/checkpoints/{series}/{checkpoint}"
    return stored_parameters(folder) or published.get("n_parameters", UNKNOWN_PARAMETERS)


def designed_parameters(design: Pretrain) -> int:
    """Count the parameters of a Llama or OLMo-2 with tied embeddings, without norms."""
    hidden = design["hidden_size"]
    layer = 4 * hidden**2 + 3 * hidden * design["intermediate_size"]
    return design["vocabulary_size"] * hidden + design["n_layers"] * layer


def stored_parameters(folder: str) -> int:
    """Count the parameters in the weight files of a folder; 0 if there are none yet."""
    n_bytes = sum(path.stat().st_size for path in Path(folder).glob("*.safetensors"))
    if not n_bytes:
        return 0
    config = read_json(Path(folder) / "config.json", dict, advice="it is damaged; copy it again")
    dtype = config.get("dtype") or config.get("torch_dtype") or "float32"
    return n_bytes // DTYPE_BYTES.get(dtype, 4)


def tokens_an_item(study: Study, series: str) -> int:
    """Estimate the tokens of a prompt with its answer, at most as many as a model that is trained here can read."""
    design = study.settings.series[series].pretrain
    return TOKENS_AN_ITEM if design is None else min(TOKENS_AN_ITEM, design["sequence_length"])


def training_operations(study: Study, place: Any, settings: Mapping[str, Any]) -> int:
    """Count the operations of tuning the checkpoint at `place` (a cell or wildcards) with a method's settings."""
    n_a_token = TRAINING + FORWARD * bool(settings.get("gradient_checkpointing"))  # a pass more
    if settings.get("learns") == TEXT:
        n_model = n_parameters(study, place.series, place.checkpoint)
        return round(n_a_token * n_model * text_tokens(settings) / (1 - settings.get("replay", {"share": 0})["share"]))
    task = study.tasks[place.dataset]
    n_rows, sizes = (task.rows or {}).get("train", 10**9), sizes_of(task, asdict(study.settings.items))
    n_rows = min(n_rows, settings.get("examples", n_rows))
    n_weights = n_parameters(study, place.series, place.checkpoint)
    if not KINDS[settings.get("kind", "full")].takes_steps:  # every item is read once
        n_read = min(sizes["train"], n_rows) + sizes["validation"]
        return FORWARD * n_weights * n_read * tokens_an_item(study, place.series)
    n_items = min(sizes["train"], n_rows) * settings["epochs"]
    if "steps" in settings:
        n_items = min(n_items, settings["steps"] * settings["batch_size"])
    if settings.get("learns") == POLICY:  # each text is drawn, read twice for the KL to the start, and learned from
        n_items *= 2 * settings.get("samples", PolicyGoal.samples)
    elif settings.get("learns") in LEARNED and "preference" in LEARNED[settings["learns"]].kinds:  # two answers
        n_items *= 2 * (1 + draws_pairs(settings) / settings["epochs"])  # which may be drawn first
    n_read = n_items / (1 - settings.get("replay", {"share": 0})["share"])  # pieces of text count as items
    n_tokens = round(n_read * tokens_an_item(study, place.series))
    return n_a_token * n_weights * n_tokens


def text_tokens(settings: Mapping[str, Any]) -> int:
    """Count the tokens that a training on a text reads, at most."""
    path = Path(settings["text"])
    n_tokens = (path.stat().st_size if path.is_file() else 0) * settings["epochs"] // BYTES_A_TOKEN
    return (
        min(n_tokens, settings["steps"] * settings["batch_size"] * TOKENS_AN_ITEM) if "steps" in settings else n_tokens
    )


def prediction_operations(study: Study, cell: Cell) -> int:
    """Count the operations of measuring a cell on its probes: every item with its shots."""
    n_items = sum((1 + probe.shots) * n_items_of(study, probe) for probe in probes_of(study, cell))
    n_tokens = n_items * tokens_an_item(study, cell.series)
    return FORWARD * n_parameters(study, cell.series, cell.checkpoint) * n_tokens


def n_items_of(study: Study, probe: Probe) -> int:
    """Count the items of a probe, at most; a task of lm-eval counts as a dataset."""
    if probe.kind == "text":
        return study.settings.texts[probe.probe].items
    task, sizes = study.tasks.get(probe.probe), vars(study.settings.items)  # a copy a probe takes most of a forecast
    if not task:
        return sizes[probe.split]
    return min(sizes_of(task, sizes)[probe.split], (task.rows or {}).get(probe.split, 10**9))


def n_pictures(study: Study, dataset: str) -> int:
    """Count the pictures of a dataset, at most: one an item of every role."""
    sizes = sizes_of(study.tasks[dataset], asdict(study.settings.items))
    return sum(int(sizes[role]) for role in ("train", "validation", "test", "shots"))


def picture_mb(study: Study, dataset: str) -> float:
    """Estimate the megabytes of a dataset's pictures: their states, or the pictures themselves where `live`.

    The encoder that is pre-trained here has states of known size; of any other that of CLIP ViT-L/14 is taken.
    """
    given = study.settings.pictures or {}
    if given.get("live"):
        return n_pictures(study, dataset) * PHOTOGRAPH_MB
    if "pretrain" not in given:
        return n_pictures(study, dataset) * STATES_MB
    made = given["pretrain"]
    n_patches = (SCENE_SIZE // made["patch_size"]) ** 2
    return n_pictures(study, dataset) * n_patches * made["hidden_size"] * 4 / 2**20


def sensitivity_operations(study: Study, series: str, checkpoint: str) -> int:
    """Count the operations of reading all texts once as they are and once under every perturbation."""
    settings = sensitivity_of(study)
    noise = settings.noise
    n_noises = len(settings.seeds) * (len(noise.init) + len(noise.relative) + len(noise.absolute))
    n_items = sum(study.settings.texts[text].items for text in settings.texts)
    n_tokens = (1 + n_noises + len(settings.bits)) * n_items * tokens_an_item(study, series)
    return FORWARD * n_parameters(study, series, checkpoint) * n_tokens


def pretraining_operations(study: Study, series: str, n_steps: int) -> int:
    """Count the operations of some steps of a pre-training."""
    design = pretraining_of(study, series)
    return TRAINING * designed_parameters(design) * n_steps * tokens_per_step(design)


def annealing_tokens(entry: Checkpoint) -> int:
    """Count the tokens that an annealed twin reads; with a guess for a window that is not known yet."""
    return entry["steps"] * entry["batch_size"] * entry.get("sequence_length", TOKENS_A_WINDOW)


def annealing_operations(study: Study, series: str, checkpoint: str) -> int:
    """Count the operations of annealing one checkpoint."""
    n_tokens = annealing_tokens(study.checkpoints[series][checkpoint])
    return TRAINING * n_parameters(study, series, checkpoint) * n_tokens


def gpu_jobs(study: Study) -> Iterator[tuple[str, str, int]]:
    """Yield (rule, place, operations) of every job for a GPU.

    The place is its path below the folder of the rule's logs.
    """
    for series, entries in study.checkpoints.items():
        for name in (name for name, entry in entries.items() if is_twin(entry)):
            yield "anneal_checkpoint", f"{series}/{name}", annealing_operations(study, series, name)
    for series, settings in study.settings.series.items():
        if settings.pretrain is None:
            continue
        steps = state_steps(study, series)
        for before, step in zip([0, *steps], steps, strict=False):
            yield "pretrain_state", f"{series}/step{step}", pretraining_operations(study, series, step - before)
        for name, entry in study.checkpoints[series].items():
            if is_twin(entry):
                continue
            place = place_of(settings.pretrain, entry)
            before = 0 if place.shared is None else max(kept for kept in steps if kept <= place.shared)
            yield "pretrain_checkpoint", f"{series}/{name}", pretraining_operations(study, series, place.step - before)
    for cell in trainings(study):
        yield "train_model", cell.path, training_operations(study, cell, recipe_on(study, cell.method, cell.dataset))
    for cell in plan_cells(study):
        yield "predict", cell.path, prediction_operations(study, cell)
    for series in perturbed_series(study):
        for name in study.checkpoints[series]:
            yield "measure_sensitivity", f"{series}/{name}", sensitivity_operations(study, series, name)
