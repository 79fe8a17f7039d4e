"""Names at the ends of lines: which point a name stands at, and how high so that no two overlap."""

import numpy as np
import polars as pl

GAP = 11.5  # pixels between two names
LETTER = 5.7  # pixels of a letter, on average
SHORTEST, LONGEST = 9, 16  # letters that have room; strips of a figure are alike unless a name is longer


def widest(frame: pl.DataFrame, named_by: str) -> int:
    """Return how many pixels the longest name takes at the right of a panel."""
    names = frame[named_by].drop_nulls().cast(pl.String)
    longest = max((len(name) for name in names), default=0)
    return round(10 + LETTER * min(LONGEST, max(SHORTEST, longest)))


def with_line_ends(
    frame: pl.DataFrame, lines: list[str], named_by: str, *, height: float, scale: str = "linear"
) -> pl.DataFrame:
    """Add `end_text` and `end_y` to the last point of each line, null elsewhere.

    A panel that is `height` pixels high has room for so many names; of more, those of the last values in order are left
    out evenly. Panels share their scale.
    """
    value = "shown" if "shown" in frame.columns else "value"
    rows = frame.with_row_index("place")
    known = rows.filter(pl.col(value).is_not_null(), pl.col(named_by).is_not_null())
    # a point that stands alone is named only where the line has no other
    last = known.sort("is_alone", -pl.col("tokens"), "place").unique(
        ["panel", *lines], keep="first", maintain_order=True
    )
    last = last.sort("is_alone", "place").unique(["panel", *without_phase(lines)], keep="first", maintain_order=True)
    low, high = ends_of(frame, value)
    scaled = Scaled(low, high, height, scale)
    text: dict[int, str] = {}
    place_of: dict[int, float] = {}
    for part in last.partition_by("panel"):
        part = part.sort(value, "place")
        most = max(1, int(height // GAP))
        if part.height > most:
            part = part[[round(k * (part.height - 1) / max(most - 1, 1)) for k in range(most)]]
        pixels = spread(scaled.to_pixels(part[value].to_numpy()), height)
        for place, name, pixel in zip(part["place"], part[named_by], pixels, strict=True):
            text[place], place_of[place] = str(name), scaled.to_value(pixel)
    return rows.with_columns(
        end_text=pl.col("place").replace_strict(text, default=None, return_dtype=pl.String),
        end_y=pl.col("place").replace_strict(place_of, default=None, return_dtype=pl.Float64),
    ).drop("place")


def without_phase(lines: list[str]) -> list[str]:
    """Name what tells lines apart, whatever the phase: a line and its annealed end have one name."""
    return [name for name in lines if name != "phase"]


def ends_of(frame: pl.DataFrame, value: str) -> tuple[float, float]:
    """Find the least and the most that is drawn."""
    columns = [name for name in (value, "low", "high") if name in frame.columns]
    numbers = np.concatenate([frame[name].drop_nulls().to_numpy() for name in columns]).astype(float)
    numbers = numbers[np.isfinite(numbers)]
    return (float(numbers.min()), float(numbers.max())) if len(numbers) else (0.0, 1.0)


class Scaled:
    """Values of an axis as pixels from its foot."""

    def __init__(self, low: float, high: float, height: float, scale: str) -> None:
        """Take the ends of the axis, its height and its kind (see panels.trend)."""
        self.scale, self.height = scale, height
        self.foot, self.top = (float(self.bent(np.array([end]))[0]) for end in (low, high))

    def bent(self, values: np.ndarray) -> np.ndarray:
        """Bend values as the axis does."""
        if self.scale == "linear":
            return values
        if self.scale == "log":
            return np.log(np.maximum(values, 1e-300))
        return np.sign(values) * np.log1p(np.abs(values) / float(self.scale))

    def to_pixels(self, values: np.ndarray) -> np.ndarray:
        """Place values on the axis."""
        return (self.bent(values.astype(float)) - self.foot) / ((self.top - self.foot) or 1.0) * self.height

    def to_value(self, pixel: float) -> float:
        """Find the value at a place."""
        bent = self.foot + pixel / self.height * (self.top - self.foot)
        if self.scale == "linear":
            return float(bent)
        if self.scale == "log":
            return float(np.exp(bent))
        return float(np.sign(bent) * np.expm1(abs(bent)) * float(self.scale))


def spread(pixels: np.ndarray, height: float) -> np.ndarray:
    """Move sorted places apart until all are GAP from each other and within the height, each as little as may be."""
    found = pixels.astype(float)
    for place in range(1, len(found)):
        found[place] = max(found[place], found[place - 1] + GAP)
    over = found[-1] - max(height, found[0]) if len(found) else 0.0
    if over > 0:
        found[-1] -= over
        for place in range(len(found) - 2, -1, -1):
            found[place] = min(found[place], found[place + 1] - GAP)
    return found
