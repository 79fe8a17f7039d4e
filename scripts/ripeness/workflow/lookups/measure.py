"""Give inputs and parameters to the rules of rules/measure.smk."""

from collections.abc import Mapping
from typing import Any

from ripeness.study.grid import HARNESS_FORMAT, TEXT_FORMAT, Cell, Probe, Study, probes_of, recipe_on, says_reward
from ripeness.study.methods.register import KINDS
from ripeness.study.methods.settings import ANSWERS, RULE, Reference
from ripeness.study.scoring.metrics import primary_metrics
from ripeness.study.tasks import normalisation_of
from ripeness.study.trainings import START, has_small_state, is_read_by_another, references, states_of, training_of
from ripeness.workflow.lookups.pictures import pictures_seen
from ripeness.workflow.lookups.shared import made_for, results, text_file, to_json
from ripeness.workflow.lookups.train import folder_of, modules_of_states
from ripeness.workflow.wildcards import Wildcards, cell_of


def model_folder(study: Study, wildcards: Wildcards) -> str:
    """Return the model of a cell: the checkpoint itself for `base`."""
    cell = cell_of(wildcards)
    if cell.method == "base":
        return f"{results(study)}/checkpoints/{cell.series}/{cell.checkpoint}"
    return f"{folder_of(study, training_of(study, cell))}/model"


def states_read(study: Study, wildcards: Wildcards) -> list[Cell]:
    """Return the trainings that the model of a cell is made from, itself first; none for `base`."""
    cell = cell_of(wildcards)
    return [] if cell.method == "base" else states_of(study, cell)


def checkpoint_of_state(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the checkpoint that the small state of a cell is put into; none where the model has all weights."""
    cell, found = cell_of(wildcards), states_read(study, wildcards)
    checkpoint = f"{results(study)}/checkpoints/{cell.series}/{cell.checkpoint}"
    return [checkpoint] if found and has_small_state(study, found[-1]) else []


def starts_of_state(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the models of other cells that the small state of a cell is put into."""
    return [f"{folder_of(study, cell)}/model" for cell in states_read(study, wildcards)[1:]]


def kind_modules(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the modules that put the small states of a cell into what they were tuned from."""
    return modules_of_states(study, states_read(study, wildcards))


def delete_option(study: Study, wildcards: Wildcards) -> str:
    """Return the option by which a measured model is deleted at once, where the run wants it.

    Not where another training reads the model, or other cells share it: Snakemake deletes that once nothing needs it.
    """
    cell = cell_of(wildcards)
    is_alone = cell.method != "base" and training_of(study, cell) == cell
    return "$DELETE_MEASURED" if is_alone and not is_read_by_another(study, cell) else ""


def training_record(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the record of a cell's training; none for `base`."""
    cell = cell_of(wildcards)
    return [] if cell.method == "base" else [f"{folder_of(study, training_of(study, cell))}/training.json"]


def training_usage(study: Study, wildcards: Wildcards) -> str:
    """Return the log of what a cell's training used; nothing for `base`. It may be gone, so it is no input."""
    cell = cell_of(wildcards)
    if cell.method == "base":
        return ""
    return f"{results(study)}/logs/train_model/{training_of(study, cell).path}.usage.json"


def method_facts(study: Study, wildcards: Wildcards) -> str:
    """Return the columns of the table of cells that the method decides; none for `base`."""
    cell = cell_of(wildcards)
    if cell.method == "base":
        return to_json({})
    recipe = recipe_on(study, cell.method, cell.dataset)
    start = next((one for one in references(recipe) if one.role == START), None)
    dose = {key: recipe.get(key) for key in ("examples", "doses_of")}
    facts = {"kind": recipe["kind"], "learns": recipe.get("learns", ANSWERS), "start": start.method if start else None}
    return to_json(facts | dose | chain_facts(recipe, cell, start))


def chain_facts(recipe: Mapping[str, Any], cell: Cell, start: Reference | None) -> dict[str, str]:
    """Return columns that few cells have, and that are no parameter of others: of another dataset, and of a reward."""
    found = {}
    if start and start.datasets and start.datasets[0] != cell.dataset:
        found["start_dataset"] = start.datasets[0]
    if "reward" in recipe:
        is_both = "rule_share" in recipe
        found["rewarded_by"] = f"{RULE} and {recipe['reward']}" if is_both else recipe["reward"]
    return found


def asks_map(study: Study, cell: Cell, probe: Probe) -> bool | None:
    """Tell whether a map to labels answers a probe, for a cell whose model has one; None for all other cells."""
    if cell.method == "base" or probe.kind != "choice":
        return None
    kind = KINDS[recipe_on(study, cell.method, cell.dataset)["kind"]]
    return probe.probe == cell.dataset if kind.has_labels else None


def asks_reward(study: Study, cell: Cell) -> bool:
    """Tell whether the model of a cell says a reward in place of words."""
    return cell.method != "base" and says_reward(recipe_on(study, cell.method, cell.dataset))


def probe_rows(study: Study, place: Wildcards | Cell) -> list[dict[str, Any]]:
    """Return the probes of a cell with the files that they read."""
    cell = cell_of(place)
    rows = []
    for probe in probes_of(study, cell):
        if probe.kind == TEXT_FORMAT:
            rows.append(vars(probe) | {"examples": text_file(study, cell.series, probe.probe)})
            continue
        if probe.kind == "harness":
            rows.append(vars(probe) | {"examples": f"{results(study)}/{HARNESS_FORMAT}/{probe.probe}/task.json"})
            continue
        folder = f"{results(study)}/examples/{probe.probe}/{probe.format}"
        task = study.tasks[probe.probe]
        more: dict[str, str | int | bool] = {"examples": f"{folder}/{probe.split}.parquet"}
        if probe.shots:
            more |= {"shot_examples": f"{folder}/shots.parquet", "separator": task.separator}
        if probe.kind == "generation":
            more |= {"max_new_tokens": task.max_new_tokens, "stop": task.stop}
        asked = asks_map(study, cell, probe)
        more |= {} if asked is None else {"head": asked}
        more |= {"reward": True} if asks_reward(study, cell) else {}
        if (seen := pictures_seen(study, cell, probe.probe)) is not None:
            more |= {"pictures": seen}
        if normalisation_of(task, probe.format) == "pmi" and not asked and not asks_reward(study, cell):
            more |= {"unconditional": task.unconditional}
        rows.append(vars(probe) | more)
    return rows


def probe_normalisations(study: Study, wildcards: Wildcards) -> str:
    """Return how log-likelihoods of options are normalised, by dataset and format, if they are.

    What a map says of labels has no length, nor has a reward.
    """
    found: dict[str, dict[str, str]] = {}
    cell = cell_of(wildcards)
    for probe in probes_of(study, cell):
        if asks_map(study, cell, probe) or asks_reward(study, cell):
            continue
        if probe.kind == "choice" and (name := normalisation_of(study.tasks[probe.probe], probe.format)) != "none":
            found.setdefault(probe.probe, {})[probe.format] = name
    return to_json(found)


def probe_extracts(study: Study, wildcards: Wildcards) -> str:
    """Return the patterns that find the answer in a generated text, by dataset, where there are any."""
    asked = {probe.probe for probe in probes_of(study, cell_of(wildcards)) if probe.kind == "generation"}
    return to_json({name: study.tasks[name].extract for name in sorted(asked) if study.tasks[name].extract})


def probe_metrics(study: Study, wildcards: Wildcards) -> str:
    """Name the primary metric by dataset, where it is not the usual one of its kind."""
    found = {}
    for probe in probes_of(study, cell_of(wildcards)):
        if probe.kind in ("choice", "preference", "generation"):
            metric = study.tasks[probe.probe].metric
            if metric != primary_metrics(probe.kind)[0]:
                found[probe.probe] = metric
    return to_json(found)


def probe_words(study: Study, wildcards: Wildcards) -> str:
    """Name the words that ROUGE-L compares, by dataset, where they are not those of English."""
    probes = [probe.probe for probe in probes_of(study, cell_of(wildcards)) if probe.kind == "generation"]
    return to_json({name: words for name in probes if (words := study.tasks[name].rouge_words) != "english"})


def probe_list(study: Study, wildcards: Wildcards) -> str:
    """Return the probes of a cell as the option of predict; one that several suites want is measured once."""
    rows = {to_json(row | {"suite": ""}): row for row in reversed(probe_rows(study, wildcards))}
    return to_json([rows[key] for key in reversed(rows)])


def scored_probes(study: Study, wildcards: Wildcards) -> str:
    """Return the probes of a cell suite by suite, as the option of score."""
    return to_json([vars(probe) for probe in probes_of(study, cell_of(wildcards))])


def probe_files(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the folders and files that a cell's probes read."""
    rows = probe_rows(study, wildcards)
    seen = [row["pictures"] for row in rows if "pictures" in row]
    return [*made_for(study, (row["examples"] for row in rows)), *dict.fromkeys(seen)]


def cell_identity(study: Study, wildcards: Wildcards) -> str:
    """Return the identity columns of a cell that its checkpoint does not know."""
    cell = cell_of(wildcards)
    recipe = {} if cell.method == "base" else recipe_on(study, cell.method, cell.dataset)
    return to_json(
        {
            "study": study.settings.study,
            "dataset": cell.dataset,
            "format": cell.format,
            "method": recipe.get("method", "base"),
            "learning_rate": recipe.get("learning_rate"),
            "seed": cell.seed,
        }
    )
