"""Hold two ways of tuning against each other at an equal loss on the answers, by interpolation over their rates."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from ripeness.findings.treated_curves import PLACE, TEXT
from ripeness.study.study_config import BASE
from ripeness.tables.intervals import compared, mean_or_null

CELL = ["series", "checkpoint", "tokens", "phase", "dataset", "format", "seed"]


@dataclass(frozen=True)
class Path:
    """The losses on answers and on text of one way of tuning, from the untouched model over rising rates.

    Each is [1 + rates]. A training that diverged is left out.
    """

    answer: np.ndarray
    text: np.ndarray

    @property
    def best(self) -> float:
        """The lowest loss on the answers that is reached."""
        return float(self.answer.min())

    def text_at(self, target: float) -> float | None:
        """Interpolate the loss on text where the loss on answers first falls to a target.

        Beyond the best rate a larger one only destroys, so that the first one counts that gets there (as in
        arXiv 2605.02105). None where the untouched model is there already, or no rate gets there.
        """
        least = np.minimum.accumulate(self.answer)
        (reached,) = np.nonzero(least <= target)
        if not len(reached) or reached[0] == 0:
            return None
        last = int(reached[0])
        before = int(np.argmin(self.answer[:last]))
        share = (self.answer[before] - target) / (self.answer[before] - self.answer[last])
        return float(self.text[before] + share * (self.text[last] - self.text[before]))


def losses(measurements: pl.DataFrame) -> pl.DataFrame:
    """Collect losses on text and on right answers of models at all rates, and of untouched ones (`untouched_...`).

    These are on the same texts, and on the same items with as many shots: the fewest with which tuned models are asked.
    """
    is_text = (pl.col("probe_kind") == TEXT) & (pl.col("metric") == "loss")
    is_answer = (pl.col("metric") == "answer_loss") & (pl.col("split") == "test")
    own = (pl.col("probe") == pl.col("dataset")) & (pl.col("probe_format") == pl.col("format"))
    keys, probe = [*CELL, "method", "learning_rate"], [*PLACE, "probe", "probe_format"]
    sides = []
    for name, rows in (("text", measurements.filter(is_text)), ("answer", measurements.filter(is_answer))):
        asked = compared(rows)
        before = asked.filter(method=BASE).group_by(probe).agg(mean_or_null("value").alias("before"))
        tuned = asked.filter(pl.col("method") != BASE, own | (pl.col("probe_kind") == TEXT))
        both = tuned.join(before, on=probe, how="left").group_by(keys)
        sides.append(both.agg(mean_or_null("value").alias(name), mean_or_null("before").alias(f"untouched_{name}")))
    return sides[0].join(sides[1], on=keys, nulls_equal=True).sort(keys)


def paths_of(found: pl.DataFrame) -> dict[tuple, dict[str, Path]]:
    """Make the path of every way of tuning, by cell (in the order of CELL) and method."""
    paths: dict[tuple, dict[str, Path]] = {}
    for (*cell, method), part in found.group_by([*CELL, "method"], maintain_order=True):
        is_known = pl.all_horizontal(pl.col("text", "answer", "untouched_text", "untouched_answer").is_finite())
        part = part.sort("learning_rate").filter(is_known)
        if not part.is_empty():
            answer, text = ([part[f"untouched_{name}"][0], *part[name]] for name in ("answer", "text"))
            paths.setdefault(tuple(cell), {})[str(method)] = Path(np.array(answer, float), np.array(text, float))
    return paths


def matched(paths: dict[tuple, dict[str, Path]], plain: str, others: Sequence[str]) -> pl.DataFrame:
    """Compare what each way forgets with plain tuning, at the lowest answer loss that both reach.

    A row for each cell and other method: `change` is the text loss of plain tuning less that of the other; null where
    the two cannot be matched, since one of them does not get below the untouched model.
    """
    rows = []
    for cell, methods in paths.items():
        for name in others:
            if plain not in methods or name not in methods:
                continue
            target = max(methods[plain].best, methods[name].best)
            first, second = methods[plain].text_at(target), methods[name].text_at(target)
            change = None if first is None or second is None else first - second
            rows.append(dict(zip(CELL, cell, strict=True)) | {"method": name, "change": change, "target": target})
    schema = {"method": pl.String, "change": pl.Float64, "target": pl.Float64}
    return pl.DataFrame(rows, schema_overrides=schema, infer_schema_length=None)
