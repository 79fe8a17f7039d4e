"""What the rules ask of the plan about series: corpora, training states, checkpoints. See lookups.py."""

import shlex
from typing import Any

from ripeness.annealed_twins import is_twin
from ripeness.dataset_lookups import texts_on_hub
from ripeness.harness_lookups import harness_folders
from ripeness.lookups import results, to_json
from ripeness.plan import Study, state_before, state_steps
from ripeness.pretraining_steps import SCHEDULE_KEYS, Place, place_of, schedule_for
from ripeness.revisions import with_commit

CORPUS_KEYS = {"n_tokens", "n_heldout", "vocabulary_size"}


def corpus_recipe(study: Study, wildcards: Any) -> str:
    """What the corpus of a series is made of."""
    settings = study.config["series"][wildcards.series]["pretrain"]
    source = settings["source"]
    if "hub" in source:
        folder = f"{results(study)}/text/{wildcards.series}"
        source = {"text": {split: f"{folder}/{split}.txt" for split in ("train", "validation")}}
    return to_json(source | {key: settings[key] for key in CORPUS_KEYS})


def corpus_files(study: Study, wildcards: Any) -> list[str]:
    """The text files that a corpus is made of, or the folder of fetched ones; none for the nursery's world."""
    source = study.config["series"][wildcards.series]["pretrain"]["source"]
    if "hub" in source:
        return [f"{results(study)}/text/{wildcards.series}"]
    return sorted(source.get("text", {}).values())


def text_on_hub(study: Study, wildcards: Any) -> str:
    """The dataset of the hub from which a series' text comes."""
    source = study.config["series"][wildcards.series]["pretrain"]["source"]["hub"]
    return to_json(with_commit(study.lock, source, source["id"]))


def pretraining_settings(study: Study, wildcards: Any) -> str:
    """Model, optimiser, schedule and seed of a pre-training; of a state those of the run that checkpoints share."""
    settings = study.config["series"][wildcards.series]["pretrain"]
    entry = None
    if hasattr(wildcards, "checkpoint"):
        entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    apart = CORPUS_KEYS | SCHEDULE_KEYS | {"source"}
    return to_json({key: settings[key] for key in settings.keys() - apart} | schedule_for(settings, entry))


def earlier_state(study: Study, wildcards: Any) -> list[str]:
    """The kept state from which a state goes on; none for the first."""
    earlier = [step for step in state_steps(study, wildcards.series) if step < int(wildcards.step)]
    return [f"{results(study)}/pretraining/{wildcards.series}/step{max(earlier)}.safetensors"] if earlier else []


def resume_option(study: Study, wildcards: Any) -> str:
    """The option before the earlier state; nothing for the first state."""
    return "--resume" if earlier_state(study, wildcards) else ""


def pretrained_series(study: Study) -> set[str]:
    """The series that are pre-trained here."""
    return {name for name, series in study.config["series"].items() if "pretrain" in series}


def place_for(study: Study, wildcards: Any) -> Place:
    """Where in its series a checkpoint that is pre-trained here is taken."""
    settings = study.config["series"][wildcards.series]["pretrain"]
    return place_of(settings, study.checkpoints[wildcards.series][wildcards.checkpoint])


def state_for(study: Study, wildcards: Any) -> list[str]:
    """The kept state from which a checkpoint is made; none for one with a run of its own."""
    shared = place_for(study, wildcards).shared
    if shared is None:
        return []
    before = state_before(study, wildcards.series, shared)
    return [f"{results(study)}/pretraining/{wildcards.series}/step{before}.safetensors"]


def state_option(study: Study, wildcards: Any) -> str:
    """The option before that state; nothing for a run of its own."""
    return "--state" if state_for(study, wildcards) else ""


def pretraining_priority(study: Study, wildcards: Any) -> float:
    """Runs of their own come before states, which others wait for, and the longest first: it takes half of all time."""
    place = place_for(study, wildcards)
    if place.shared is not None:
        return 20
    budgets = [entry["step"] for entry in study.checkpoints[wildcards.series].values()]
    return 31 + place.step / max(*budgets, 1)


def pretrained_checkpoint(study: Study, wildcards: Any) -> str:
    """Where in the pre-training a checkpoint is taken, and over which steps the rate falls to zero, if it does."""
    place = place_for(study, wildcards)
    identity = {"series": wildcards.series, "checkpoint": wildcards.checkpoint, "phase": place.phase}
    fall = {"from_step": place.shared, "steps": place.decay_steps} if place.decay_steps else {}
    return to_json(identity | fall | ({} if place.phase == "annealed" else {"step": place.step}))


def fetched_checkpoint(study: Study, wildcards: Any) -> str:
    """Where a checkpoint that is not pre-trained here comes from, and what is known of it."""
    series = study.config["series"][wildcards.series]
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    identity = {"series": wildcards.series, "checkpoint": wildcards.checkpoint, "seed": series["seed"]}
    return to_json(identity | {key: value for key, value in entry.items() if key != "by_step"})


def hub_requests(study: Study, wildcards: Any) -> int:
    """1 for a checkpoint that comes from the hub, of which few are fetched at once; 0 for a folder on disk."""
    return int("repo" in study.checkpoints[wildcards.series][wildcards.checkpoint])


def hub_sources(study: Study) -> dict[str, dict[str, dict[str, Any]]]:
    """For each series that has checkpoints on the hub, where these lie."""
    found = {
        series: {
            name: {key: entry.get(key) for key in ("repo", "revision", "commit")}
            for name, entry in entries.items()
            if "repo" in entry and "revision" in entry and not is_twin(entry)
        }
        for series, entries in study.checkpoints.items()
    }
    return {series: sources for series, sources in found.items() if sources}


def gate_option(study: Study, wildcards: Any) -> str:
    """The options that say on which text a series is tried, if not on English prose, and whether any loss will do."""
    series = study.config["series"][wildcards.series]
    text = ["--gate-text", shlex.quote(series["gate_text"])] if "gate_text" in series else []
    return " ".join(text + (["--accept-loss"] if series["accept_loss"] else []))


def folders_of_series(study: Study, wildcards: Any) -> list[str]:
    """The checkpoints of one series but for annealed twins, which are made of checked ones and are tried when made."""
    folder, entries = f"{results(study)}/checkpoints/{wildcards.series}", study.checkpoints[wildcards.series]
    return [f"{folder}/{name}" for name, entry in entries.items() if not is_twin(entry)]


def fetched_folders(study: Study) -> list[str]:
    """The checkpoints that are not made here."""
    return [
        f"{results(study)}/checkpoints/{series}/{name}"
        for series, entries in study.checkpoints.items()
        if series not in pretrained_series(study)
        for name, entry in entries.items()
        if not is_twin(entry)
    ]


def refuse_option(study: Study, wildcards: Any) -> str:
    """Says that a checkpoint may be refused; nothing for what is pre-trained here, or where any loss will do."""
    series = study.config["series"][wildcards.series]
    return "" if "pretrain" in series or series["accept_loss"] else "--refuse"


def checkpoint_files(study: Study, wildcards: Any) -> list[str]:
    """The configuration of a checkpoint on disk and the gate's text, so that a replaced one is noticed."""
    entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    text = study.config["series"][wildcards.series].get("gate_text")
    return ([f"{entry['path'].rstrip('/')}/config.json"] if "path" in entry else []) + ([text] if text else [])


def weights_listed(study: Study) -> list[str]:
    """What the hub says of weights, before they are fetched; nothing where none come from it."""
    return [f"{results(study)}/audit/weights.json"] if hub_sources(study) else []


def ready_inputs(study: Study, wildcards: Any) -> list[str]:
    """All that is fetched and checked before an expensive job: items, texts, checkpoints, lm-eval tasks, the audit."""
    texts = [f"{results(study)}/texts/{name}.parquet" for name in sorted(texts_on_hub(study))]
    items = [f"{results(study)}/items/{name}" for name in study.tasks]
    gates = [f"{results(study)}/gate/{series}.json" for series in set(study.checkpoints) - pretrained_series(study)]
    audit = f"{results(study)}/audit/inputs.parquet"
    return [*items, *texts, *fetched_folders(study), *sorted(gates), *harness_folders(study, wildcards), audit]
