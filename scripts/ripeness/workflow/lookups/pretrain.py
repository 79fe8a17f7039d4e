"""Give inputs and parameters to the rules of rules/pretrain.smk."""

from typing import Any

from ripeness.study.grid import Study, pretraining_of, state_before, state_steps
from ripeness.study.lock_file import with_commit
from ripeness.study.pretraining_steps import SCHEDULE_KEYS, Place, place_of, schedule_for
from ripeness.workflow.lookups.shared import CORPUS_KEYS, corpus_folder, corpus_settings, results, to_json


def corpus_recipe(study: Study, wildcards: Any) -> str:
    """Return what the corpus of a series is made of."""
    settings = corpus_settings(study, wildcards.series)
    source = settings.pop("source")
    if "hub" in source:
        folder = f"{results(study)}/text/{wildcards.series}"
        source = {"text": {split: f"{folder}/{split}.txt" for split in ("train", "validation")}}
    return to_json(source | settings)


def corpus_read(study: Study, wildcards: Any) -> str:
    """Return the folder of the corpus that a series is pre-trained on."""
    return corpus_folder(study, wildcards.series)


def corpus_files(study: Study, wildcards: Any) -> list[str]:
    """Return the text files that a corpus is made of, or the folder of fetched ones; none for the nursery's world."""
    source = pretraining_of(study, wildcards.series)["source"]
    if "hub" in source:
        return [f"{results(study)}/text/{wildcards.series}"]
    return sorted(source.get("text", {}).values())


def text_on_hub(study: Study, wildcards: Any) -> str:
    """Return the dataset of the hub from which a series' text comes."""
    source = pretraining_of(study, wildcards.series)["source"]["hub"]
    return to_json(with_commit(study.lock, source, source["id"]))


def pretraining_settings(study: Study, wildcards: Any) -> str:
    """Return model, optimiser, schedule and seed of a pre-training; for a state those of the shared run."""
    settings = pretraining_of(study, wildcards.series)
    entry = None
    if hasattr(wildcards, "checkpoint"):
        entry = study.checkpoints[wildcards.series][wildcards.checkpoint]
    apart = CORPUS_KEYS | SCHEDULE_KEYS | {"source"}
    own = {key: value for key, value in settings.items() if key not in apart}
    return to_json(own | schedule_for(settings, entry))


def earlier_state(study: Study, wildcards: Any) -> list[str]:
    """Return the kept state from which a state continues; none for the first."""
    earlier = [step for step in state_steps(study, wildcards.series) if step < int(wildcards.step)]
    return [f"{results(study)}/pretraining/{wildcards.series}/step{max(earlier)}.safetensors"] if earlier else []


def resume_option(study: Study, wildcards: Any) -> str:
    """Return the option before the earlier state; nothing for the first state."""
    return "--resume" if earlier_state(study, wildcards) else ""


def place_for(study: Study, wildcards: Any) -> Place:
    """Return the place in its series of a checkpoint that is pre-trained here."""
    settings = pretraining_of(study, wildcards.series)
    return place_of(settings, study.checkpoints[wildcards.series][wildcards.checkpoint])


def state_for(study: Study, wildcards: Any) -> list[str]:
    """Return the kept state from which a checkpoint is made; none for one with a run of its own."""
    shared = place_for(study, wildcards).shared
    if shared is None:
        return []
    before = state_before(study, wildcards.series, shared)
    return [f"{results(study)}/pretraining/{wildcards.series}/step{before}.safetensors"]


def state_option(study: Study, wildcards: Any) -> str:
    """Return the option before that state; nothing for a run of its own."""
    return "--state" if state_for(study, wildcards) else ""


def pretraining_priority(study: Study, wildcards: Any) -> float:
    """Rank checkpoints with a run of their own before states, which others wait for, and the longest run first."""
    place = place_for(study, wildcards)
    if place.shared is not None:
        return 20
    budgets = [entry["step"] for entry in study.checkpoints[wildcards.series].values()]
    return 31 + place.step / max(*budgets, 1)


def pretrained_checkpoint(study: Study, wildcards: Any) -> str:
    """Return the place of a checkpoint, and the steps over which the rate falls to zero, if it does."""
    place = place_for(study, wildcards)
    identity = {"series": wildcards.series, "checkpoint": wildcards.checkpoint, "phase": place.phase}
    fall = {"from_step": place.shared, "steps": place.decay_steps} if place.decay_steps else {}
    return to_json(identity | fall | ({} if place.phase == "annealed" else {"step": place.step}))
