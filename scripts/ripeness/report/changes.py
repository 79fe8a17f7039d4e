"""What changed between two sets of findings and scores: since the last report, or between two studies.

results/<study>/reported.json keeps what the last report showed, in short, and what the one before did.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.runtime.files import read_json, write_json
from ripeness.tables.main_scores import main_scores

FILE = "reported.json"
ADVICE = "delete it; the next report then says nothing of the one before"
KEPT = ("id", "claim", "verdict", "effect", "low", "high", "unit")
MODEL = ("series", "checkpoint", "dataset", "format", "method")
Entry = Mapping[str, Any]
Digest = dict[str, Any]  # {"findings": [...], "scores": [...]}


def digest_of(entries: Sequence[Entry], measurements: pl.DataFrame | None) -> Digest:
    """Keep what a comparison needs: claims with their numbers, answers in words, main scores over seeds."""
    claims = [{key: entry.get(key) for key in KEPT} for entry in entries if "answers" not in entry]
    answers = [{key: entry.get(key) for key in ("id", "claim", "statement")} for entry in entries if "answers" in entry]
    scores = [] if measurements is None else scores_of(measurements).to_dicts()
    return {"claims": claims, "answers": answers, "scores": scores}


def scores_of(measurements: pl.DataFrame) -> pl.DataFrame:
    """Average main scores after tuning over seeds: a row for each model, with its numbers of seeds and items."""
    by = main_scores(measurements).group_by(*MODEL, maintain_order=True)
    return by.agg(pl.col("after").mean().alias("score"), pl.len().alias("n_seeds"), pl.col("n_items").max())


def changes(before: Digest, after: Digest) -> dict[str, Any]:
    """Compare two digests: verdicts first, then answers, claims that came or went, effects, and scores."""
    old, new = ({one["id"]: one for one in digest["claims"]} for digest in (before, after))
    shared = [(old[name], new[name]) for name in new if name in old]
    said_old, said_new = ({one["id"]: one["statement"] for one in digest["answers"]} for digest in (before, after))
    found: dict[str, Any] = {
        "verdicts": [pair for pair in shared if pair[0]["verdict"] != pair[1]["verdict"]],
        "effects": [pair for pair in shared if pair[0]["verdict"] == pair[1]["verdict"] and has_moved(*pair)],
        "same": sum(pair[0]["verdict"] == pair[1]["verdict"] for pair in shared),
        "new": [one for name, one in new.items() if name not in old],
        "gone": [one for name, one in old.items() if name not in new],
        "answers": [
            {"id": name, "was": said_old.get(name), "is": said}
            for name, said in said_new.items()
            if said_old.get(name) != said
        ],
        "scores": score_changes(before["scores"], after["scores"]),
    }
    return found | {"nothing": is_empty(found)}


def has_moved(was: Entry, now: Entry) -> bool:
    """Say whether the effect or an end of its interval is another number; last digits do not count."""
    pairs = [(was[key], now[key]) for key in ("effect", "low", "high")]
    return any(
        (a is None) != (b is None) or (a is not None and not isclose(a, b, rel_tol=1e-6, abs_tol=1e-9))
        for a, b in pairs
    )


def score_changes(before: Sequence[Entry], after: Sequence[Entry]) -> dict[str, Any]:
    """List models that came and went, and those with another score, the largest change first."""
    old, new = ({tuple(row[key] for key in MODEL): row for row in rows} for rows in (before, after))
    moved = [
        {key: row[key] for key in MODEL} | {"was": old[name]["score"], "is": row["score"]}
        for name, row in new.items()
        if name in old and not isclose(old[name]["score"], row["score"], rel_tol=1e-6, abs_tol=1e-9)
    ]
    return {
        "new": [row for name, row in new.items() if name not in old],
        "gone": [row for name, row in old.items() if name not in new],
        "moved": sorted(moved, key=lambda row: -abs(row["is"] - row["was"])),
        "same": sum(name in old for name in new) - len(moved),
    }


def is_empty(found: Mapping[str, Any]) -> bool:
    """Say whether nothing changed."""
    lists = [found[key] for key in ("verdicts", "effects", "new", "gone", "answers")]
    return not any(lists) and not any(found["scores"][key] for key in ("new", "gone", "moved"))


def since_last(path: Path, digest: Digest) -> dict[str, Any] | None:
    """Compare with the last report that showed something else; None for the first report. Nothing is written."""
    kept = read_kept(path)
    last = kept.get("before") if kept.get("now") == digest else kept.get("now")
    if last is None:
        return None
    at = kept.get("before_at") if kept.get("now") == digest else kept.get("at")
    return changes(last, digest) | {"at": at}


def keep(path: Path, digest: Digest) -> None:
    """Keep what a report has shown, and what the last one with other results did."""
    kept = read_kept(path)
    if kept.get("now") == digest:
        return
    now = f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC"
    write_json(path, {"now": digest, "at": now, "before": kept.get("now"), "before_at": kept.get("at")})


def read_kept(path: Path) -> dict[str, Any]:
    """Read what was kept; nothing before the first report. UserError for a damaged file."""
    return read_json(path, dict, keys=("now", "at", "before"), advice=ADVICE) if path.is_file() else {}
