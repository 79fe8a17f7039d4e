"""Rule inputs and parameters for rules/perturb.smk."""

from typing import Any

from ripeness.study.grid import Study
from ripeness.workflow.lookups.shared import made_for, results, text_file, to_json


def perturbed_series(study: Study) -> list[str]:
    """The series whose checkpoints are perturbed."""
    settings = study.config.get("sensitivity")
    return [] if settings is None else settings.get("series", list(study.checkpoints))


def text_files(study: Study, wildcards: Any) -> dict[str, str]:
    """The passages of every text on which a series is read, by name."""
    return {text: text_file(study, wildcards.series, text) for text in study.config["sensitivity"]["texts"]}


def text_list(study: Study, wildcards: Any) -> str:
    """The texts as the option of measure_sensitivity."""
    return to_json(text_files(study, wildcards))


def text_inputs(study: Study, wildcards: Any) -> list[str]:
    """The folders and files that the texts lie in."""
    return made_for(study, text_files(study, wildcards).values())


def noise_settings(study: Study, wildcards: Any) -> str:
    """Noise, seeds and bits."""
    return to_json({key: study.config["sensitivity"][key] for key in ("noise", "seeds", "bits")})


def start_of_series(study: Study, wildcards: Any) -> list[str]:
    """The weights at step 0, if noise is scaled by them and the series has them.

    Of a pre-training done here the first training state, which is there whatever checkpoints are listed.
    """
    series = wildcards.series
    if not study.config["sensitivity"]["noise"]["init"]:
        return []
    if "pretrain" in study.config["series"][series]:
        return [f"{results(study)}/pretraining/{series}/step0.safetensors"]
    starts = [name for name, entry in study.checkpoints[series].items() if entry.get("step") == 0]
    return [f"{results(study)}/checkpoints/{series}/{name}" for name in starts[:1]]


def sensitivity_tables(study: Study, wildcards: Any) -> list[str]:
    """The table of every perturbed checkpoint."""
    return [
        f"{results(study)}/sensitivity/{series}/{checkpoint}.parquet"
        for series in perturbed_series(study)
        for checkpoint in study.checkpoints[series]
    ]


def sensitivity_table(study: Study, wildcards: Any) -> list[str]:
    """The collected table, if the study wants it."""
    return [f"{results(study)}/tables/sensitivity.parquet"] if perturbed_series(study) else []
