"""Hold a training with a first stage against one without at an equal loss on the answers."""

from typing import Any

import polars as pl

from ripeness.findings.equal_losses import CELL, Path, losses
from ripeness.findings.seeing import Stages


def pairs_at_equal_loss(measurements: pl.DataFrame, stages: Stages, without: Stages) -> pl.DataFrame:
    """Compare the increase of text loss at the lowest answer loss that both reach.

    A row for each cell (CELL) with `with`, `without` and their difference `change`, null where they cannot be matched.
    """
    found = losses(measurements)
    sides = [paths_of(found, one) for one in (stages, without)]
    rows = []
    for cell in sides[0].keys() & sides[1].keys():
        paths = [side[cell] for side in sides]
        target = max(path.best for path, _ in paths)
        values = [text_at(path, target) for path, _ in paths]
        lost = [
            None if value is None else value - untouched for value, (_, untouched) in zip(values, paths, strict=True)
        ]
        change = None if None in lost else lost[1] - lost[0]  # type: ignore[operator]
        rows.append(dict(zip(CELL, cell, strict=True)) | {"with": lost[0], "without": lost[1], "change": change})
    schema: dict[str, Any] = dict.fromkeys(("with", "without", "change"), pl.Float64)
    table = pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)
    return table.sort(CELL) if rows else pl.DataFrame(schema={**dict.fromkeys(CELL, pl.String), **schema})


def paths_of(found: pl.DataFrame, stages: Stages) -> dict[tuple, tuple[Path, float]]:
    """Make the path of each cell from the model that the second stage starts from over rising rates.

    With it the text loss of the untouched model.
    """
    paths = {}
    for cell, part in found.group_by(CELL, maintain_order=True):
        start, tuned = (part.filter(method=name).sort("learning_rate") for name in (stages.first, stages.second))
        both = pl.concat([start, tuned]).filter(pl.col("text").is_finite(), pl.col("answer").is_finite())
        if start.height == 1 and not tuned.is_empty() and both.height > 1:
            path = Path(both["answer"].to_numpy(), both["text"].to_numpy())
            paths[tuple(cell)] = path, float(both["untouched_text"][0])
    return paths


def text_at(path: Path, target: float) -> float | None:
    """Interpolate the loss on text at a loss on the answers; that of the start where it is there already."""
    return float(path.text[0]) if path.answer[0] <= target else path.text_at(target)
