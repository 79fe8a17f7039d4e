"""Give inputs and parameters to the rules of rules/report.smk."""

from ripeness.study.grid import UNSEEDED, Cell, Study, cells_at, probes_asked
from ripeness.workflow.lookups.measure import probe_rows
from ripeness.workflow.lookups.shared import results, runs_models, to_json


def shown_series(study: Study) -> str:
    """Return the series whose prompts the report shows: the first of those measured most."""
    return max(study.checkpoints, key=lambda series: len(probes_asked(study, series)))


def shown_cells(study: Study) -> list[Cell]:
    """Return the untouched cells whose prompts the report shows: those of the first checkpoint and seed."""
    if not runs_models(study):
        return []
    series, seed = shown_series(study), study.settings.seeds[0]
    cells = cells_at(study, series, next(iter(study.checkpoints[series])))
    return [c for c in cells if c.method == "base" and c.seed == seed and c.format not in UNSEEDED]


def shown_probes(study: Study) -> str:
    """Return the probes whose prompts the report shows."""
    return to_json([row for cell in shown_cells(study) for row in probe_rows(study, cell)])


def shown_files(study: Study) -> list[str]:
    """Return the examples that the shown prompts are taken from."""
    return [f"{results(study)}/examples/{cell.dataset}/{cell.format}" for cell in shown_cells(study)]


def shown_checkpoint(study: Study) -> str:
    """Return the checkpoint whose tokenizer reads the shown prompts."""
    series = shown_series(study)
    return f"{results(study)}/checkpoints/{series}/{next(iter(study.checkpoints[series]))}"


def shown_seed(study: Study) -> int:
    """Return the seed that draws the shots of the shown prompts."""
    return study.settings.seeds[0]


def prompts_file(study: Study) -> list[str]:
    """Return the shown prompts; without models there are none."""
    return [f"{results(study)}/prompts.json"] if runs_models(study) else []


def picture_datasets(study: Study) -> list[str]:
    """Return the datasets whose pictures the report shows: those with pictures that some model is tuned on to see."""
    if study.settings.pictures is None:
        return []
    return [name for name in study.settings.datasets if study.tasks[name].image]


def picture_rows(study: Study) -> list[str]:
    """Return the rows of these datasets."""
    return [f"{results(study)}/datasets/{name}" for name in picture_datasets(study)]


def picture_items(study: Study) -> list[str]:
    """Return the items of these datasets."""
    return [f"{results(study)}/items/{name}" for name in picture_datasets(study)]


def picture_examples(study: Study) -> list[str]:
    """Return the examples of these datasets in the first format."""
    return [f"{results(study)}/examples/{name}/{study.settings.formats[0]}" for name in picture_datasets(study)]


def picture_scores(study: Study) -> str:
    """Return the answers at the last checkpoint of the series that is measured most."""
    series = shown_series(study)
    return f"{results(study)}/tables/items/{series}/{list(study.checkpoints[series])[-1]}.parquet"


def pictures_file(study: Study) -> list[str]:
    """Return the shown pictures; a study without pictures has none."""
    return [f"{results(study)}/pictures.json"] if picture_datasets(study) else []
