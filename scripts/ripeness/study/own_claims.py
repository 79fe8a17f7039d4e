"""A user's own claims: the keys of `findings` that are no settings, checked against what the study has."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.runtime.wording import hint
from ripeness.study.grid import Study, formats_used
from ripeness.study.schema import SCHEMA, read_schema
from ripeness.study.scoring.metrics import BY_NAME, METRICS, TEXT
from ripeness.study.study_config import BASE, PUBLISHED, THEORY

SCORE = "score"  # the primary metric of each dataset
OWN, OTHERS, ALL, TRAINED, FIRST, LAST = "own", "others", "all", "trained", "first", "last"
KEYS = ("series", "checkpoint", "phase", "method", "dataset", "probe", "format", "asked_in")
WORDS = {"checkpoint": (FIRST, LAST), "probe": (OWN, OTHERS, ALL), "asked_in": (TRAINED,)}
WHAT = {"probe": "probe", "asked_in": "format"}  # in messages
FINDINGS = Path(__file__).parents[1] / "findings"  # a folder for each claim that every study tests
ANSWERS = {"ripe", "indicators", "looks"}  # the entries of findings.json that are no claims
SETTINGS = frozenset(read_schema(SCHEMA)["properties"]["findings"]["properties"])  # keys of `findings`, no claims
Selection = Mapping[str, Any]


def settings_alone(findings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keys of `findings` that are settings, without the study's own claims."""
    return {key: value for key, value in findings.items() if key in SETTINGS}


def own_claims(config: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the claims among the keys of `findings`, each with its smallest effect written out."""
    findings = config["findings"]
    return {
        name: {"smallest": smallest_of(claim["metric"], findings), **claim}
        for name, claim in findings.items()
        if name not in SETTINGS
    }


def smallest_of(metric: str, findings: Mapping[str, Any]) -> float:
    """Take the smallest effect that matters from the settings for a score, else the usual one of a loss."""
    return float(findings["smallest_effect" if is_share(metric) else "smallest_loss"])


def is_share(metric: str) -> bool:
    """Say whether the values of a metric are shares from 0 to 1."""
    return metric == SCORE or (BY_NAME[metric].lowest, BY_NAME[metric].highest) == (0, 1)


def names_in(selection: Selection, key: str) -> list[str]:
    """List what a selection names under a key; nothing where the key is left out."""
    value = selection.get(key, [])
    return [value] if isinstance(value, str) else list(value)


def inherited(claim: Mapping[str, Any]) -> Selection:
    """Complete `against` by the keys of `compare` that it leaves out."""
    return {**claim["compare"], **claim["against"]}


def is_base(selection: Selection) -> bool:
    """Say whether a selection is of untouched checkpoints."""
    return names_in(selection, "method") == [BASE]


def check_own_claims(study: Study) -> None:
    """Refuse claims of a study of the theory, and those that name what no study, or not this one, has."""
    for name, claim in study.config["findings"].items():
        if name in SETTINGS:
            continue
        where = f"findings.{name}"
        check_claim(where, name, claim)
        if study.settings.kind == THEORY:
            raise UserError(f"{where}: a study of the theory has no claims of your own\nhint: remove the key")
        if study.settings.kind == PUBLISHED:
            continue  # the names are in its tables
        for side in ("compare", "against"):
            check_names(f"{where}.{side}", claim.get(side, {}), known_names(study, claim["metric"]))
            if (shots := claim.get(side, {}).get("shots", 0)) and shots not in study.settings.base_shots:
                known = [str(number) for number in study.settings.base_shots]
                raise unknown_name(f"{where}.{side}.shots", "number", str(shots), known)


def check_claim(where: str, name: str, claim: Mapping[str, Any]) -> None:
    """Refuse a name that another claim has, an unknown metric, and a comparison that compares nothing."""
    taken = {folder.parent.name.replace("_", "-") for folder in FINDINGS.glob("*/claim.py")} | ANSWERS
    if name in taken:
        raise UserError(f"{where}: {name!r} is a claim that every study tests\nhint: give your claim another name")
    if claim["metric"] not in (SCORE, *BY_NAME):
        raise unknown_name(f"{where}.metric", "metric", claim["metric"], [SCORE, *BY_NAME])
    for side in ("compare", "against"):
        methods = names_in(claim.get(side, {}), "method")
        if BASE in methods and len(methods) > 1:
            raise UserError(
                f"{where}.{side}.method: base is the untouched checkpoint and cannot be mixed with {methods}\n"
                "hint: compare models that were tuned with `against: {method: base}`"
            )
    if claim["of"] == "change" and any(is_base(claim.get(side, {})) for side in ("compare", "against")):
        raise UserError(f"{where}: an untouched checkpoint has no change\nhint: leave out `of: change`")
    if "against" in claim and inherited(claim) == claim["compare"]:
        raise UserError(
            f"{where}: `against` selects the same as `compare`\n"
            "hint: name in `against` what differs, such as {method: base}; or leave it out to test a trend"
        )


def known_names(study: Study, metric: str) -> dict[str, list[str]]:
    """List what a selection may name in this study, by key; phases are known once a checkpoint is read.

    Probes are texts for a metric of texts, and datasets for any other.
    """
    asked = [
        name
        for suite in study.settings.suites.values()
        for name in (suite.datasets if not isinstance(suite.datasets, str) else study.settings.datasets) or []
    ]
    formats = list(formats_used(study))
    return {
        "series": list(study.checkpoints),
        "checkpoint": list(dict.fromkeys(name for names in study.checkpoints.values() for name in names)),
        "method": list(study.settings.methods),
        "dataset": list(study.settings.datasets),
        "probe": list(study.settings.texts if is_of_texts(metric) else dict.fromkeys(asked)),
        "format": formats,
        "asked_in": formats,
    }


def check_names(where: str, selection: Selection, known: Mapping[str, Iterable[str]]) -> None:
    """Refuse names that are not known, for the keys of which the names are known."""
    for key in KEYS:
        for name in names_in(selection, key):
            if key in known and name not in (*WORDS.get(key, ()), *known[key]):
                raise unknown_name(f"{where}.{key}", WHAT.get(key, key), name, [*known[key], *WORDS.get(key, ())])


def is_of_texts(metric: str) -> bool:
    """Say whether a metric is one of running text."""
    return metric != SCORE and BY_NAME[metric].kinds == (TEXT,)


def unknown_name(where: str, what: str, value: str, choices: Iterable[str]) -> UserError:
    """Make the error for a name that nothing bears."""
    known = list(choices)
    metrics = ", ".join(metric.name for metric in METRICS if metric.kinds == (TEXT,))
    otherwise = f"metrics of texts are {metrics}" if what == "metric" else "docs/study.md explains selections"
    said = "no model tuned by" if what == "method" else f"unknown {what}"
    return UserError(
        f"{where}: {said} {value!r}; known are {', '.join(known)}\n{hint(value, known, otherwise=otherwise)}"
    )
