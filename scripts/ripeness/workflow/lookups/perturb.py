"""Give inputs and parameters to the rules of rules/perturb.smk."""

from dataclasses import asdict

from ripeness.study.grid import Study, perturbed_series, sensitivity_of
from ripeness.workflow.lookups.shared import made_for, results, text_file, to_json
from ripeness.workflow.wildcards import Wildcards


def text_files(study: Study, wildcards: Wildcards) -> dict[str, str]:
    """Return the passages of every text on which a series is read, by name."""
    return {text: text_file(study, wildcards.series, text) for text in sensitivity_of(study).texts}


def text_list(study: Study, wildcards: Wildcards) -> str:
    """Return the texts as the option of measure_sensitivity."""
    return to_json(text_files(study, wildcards))


def text_inputs(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the folders and files that the texts lie in."""
    return made_for(study, text_files(study, wildcards).values())


def noise_settings(study: Study) -> str:
    """Return noise, seeds and bits."""
    settings = sensitivity_of(study)
    return to_json({"noise": asdict(settings.noise), "seeds": settings.seeds, "bits": settings.bits})


def start_of_series(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the weights at step 0, if noise is scaled by them and the series has them.

    Of a pre-training done here the first training state, which is there whatever checkpoints are listed.
    """
    series = wildcards.series
    if not sensitivity_of(study).noise.init:
        return []
    if study.settings.series[series].pretrain is not None:
        return [f"{results(study)}/pretraining/{series}/step0.safetensors"]
    starts = [name for name, entry in study.checkpoints[series].items() if entry.get("step") == 0]
    return [f"{results(study)}/checkpoints/{series}/{name}" for name in starts[:1]]


def sensitivity_tables(study: Study) -> list[str]:
    """Return the table of every perturbed checkpoint."""
    return [
        f"{results(study)}/sensitivity/{series}/{checkpoint}.parquet"
        for series in perturbed_series(study)
        for checkpoint in study.checkpoints[series]
    ]


def sensitivity_table(study: Study) -> list[str]:
    """Return the collected table, if the study perturbs weights."""
    return [f"{results(study)}/tables/sensitivity.parquet"] if perturbed_series(study) else []
