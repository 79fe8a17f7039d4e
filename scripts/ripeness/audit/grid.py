"""Checks of the grid: what can be said of a study from its plan alone (see audit.py).

A plan is what `audit_lookups.audit_plan` writes: `series` (checkpoints with step, tokens, phase), `tasks`, `datasets`
(tuned on), `methods`, `seeds`.
"""

import math
from collections.abc import Callable, Iterator
from itertools import pairwise, permutations
from typing import Any

from ripeness.audit.weights import same_weights
from ripeness.study.audit_checks import Remark, counted, remark
from ripeness.study.joined_sources import parts_of
from ripeness.study.methods.reading import on_dataset
from ripeness.study.methods.register import KINDS

Plan = dict[str, Any]
UNEVEN = 3  # widest gap over the median one; powers of two are even in log tokens, and one left out doubles a gap
NEAR = 1e-3  # of the tokens so far; 20 steps of 738,000 are 0.00003
MIN_POINTS = 4  # fewer have no spacing to speak of


def trend_of(checkpoints: list[dict[str, Any]]) -> list[tuple[str, float]]:
    """List (name, tokens) of the checkpoints that are not annealed, in order; steps where tokens are not known."""
    found = []
    for point in checkpoints:
        place = point["tokens"] if point.get("tokens") is not None else point.get("step")
        if point.get("phase") != "annealed" and place is not None:
            found.append((point["checkpoint"], place))
    return sorted(found, key=lambda point: point[1])


def near_pairs(points: list[tuple[str, float]]) -> list[tuple[tuple[str, float], tuple[str, float]]]:
    """Find neighbours with hardly any training between them."""
    return [(a, b) for a, b in pairwise(points) if b[1] and (b[1] - a[1]) / b[1] < NEAR]


def widest(gaps: list[float]) -> float:
    """Divide the widest gap by the median gap."""
    return max(gaps) / sorted(gaps)[(len(gaps) - 1) // 2]


def uneven_tokens(plan: Plan) -> Iterator[Remark]:
    """Find checkpoints that are spaced evenly neither in tokens nor in log tokens; near-identical ones count once."""
    for series, settings in plan["series"].items():
        points = trend_of(settings["checkpoints"])
        twice = {b[0] for _, b in near_pairs(points)}
        tokens = [n for name, n in points if name not in twice]
        gaps = [b - a for a, b in pairwise(tokens)]
        log_gaps = [math.log(b / a) for a, b in pairwise([n for n in tokens if n > 0])]
        if len(tokens) < MIN_POINTS or not log_gaps or min(widest(gaps), widest(log_gaps)) <= UNEVEN:
            continue
        place = gaps.index(max(gaps))
        yield remark(
            "uneven-tokens",
            series,
            f"{counted(len(tokens), 'checkpoint')} with nothing between {amount(tokens[place])} and "
            f"{amount(tokens[place + 1])}: the widest gap is {widest(gaps):.1f} times the median one in tokens, "
            f"{widest(log_gaps):.1f} times in log tokens",
        )


def near_identical_checkpoints(plan: Plan) -> Iterator[Remark]:
    """Find neighbours with less than a thousandth of the tokens between them."""
    for series, settings in plan["series"].items():
        steps = {point["checkpoint"]: point.get("step") for point in settings["checkpoints"]}
        for (earlier, before), (later, after) in near_pairs(trend_of(settings["checkpoints"])):
            apart = ""
            if steps[earlier] is not None and steps[later] is not None:
                apart = f"{counted(steps[later] - steps[earlier], 'step')}, "
            seen = f"{earlier} and {later} are {apart}{(after - before) / after:.4%} of the tokens apart"
            yield remark("near-identical-checkpoints", series, seen)


def single_seed(plan: Plan) -> Iterator[Remark]:
    """Find a study with one seed of tuning."""
    if len(plan["seeds"]) == 1:
        yield remark("single-seed", "seeds", f"every model is tuned once, with seed {plan['seeds'][0]}")


def single_pretraining_run(plan: Plan) -> Iterator[Remark]:
    """Find a study with one measured series."""
    asked = [name for name, settings in plan["series"].items() if settings.get("asked") != []]
    if len(asked) == 1:
        yield remark("single-pretraining-run", "series", f"one pre-training run, {asked[0]}")


def rates_of(settings: dict[str, Any]) -> list[float]:
    """List the learning rates of a method; a kind that takes no steps has none."""
    rates = settings.get("learning_rate", [])
    return list(rates) if isinstance(rates, list) else [rates]


def tuned_on(plan: Plan, settings: dict[str, Any]) -> list[str]:
    """List the datasets that a method tunes on."""
    own = settings["datasets"] if "datasets" in settings else plan["datasets"]
    return [name for name in plan["datasets"] if name in own]


def mixed_rates(plan: Plan) -> Iterator[Remark]:
    """Find methods of one kind whose learning rates differ by dataset, where one has a single rate."""
    kinds: dict[str, dict[tuple[float, ...], list[str]]] = {}
    for settings in plan["methods"].values():
        found = kinds.setdefault(settings["kind"], {})
        for dataset in tuned_on(plan, settings):
            found.setdefault(tuple(rates_of(on_dataset(settings, dataset))), []).append(dataset)
    for kind, by_rate in kinds.items():
        everywhere = set(plan["datasets"])
        apart = {rates: names for rates, names in by_rate.items() if set(names) != everywhere}
        places = {frozenset(names) for names in apart.values()}  # on the same datasets rates differ by method
        if len(places) > 1 and any(len(rates) == 1 for rates in apart):
            text = "; ".join(
                f"{', '.join(f'{rate:g}' for rate in rates)} on {', '.join(dict.fromkeys(names))}"
                for rates, names in apart.items()
            )
            yield remark("mixed-rates", f"methods of kind {kind}", text)


def rate_not_chosen(plan: Plan) -> Iterator[Remark]:
    """Find methods with one learning rate."""
    for name, settings in plan["methods"].items():
        tried = [rates_of(on_dataset(settings, dataset)) for dataset in tuned_on(plan, settings)]
        single = dict.fromkeys(f"{rates[0]:g}" for rates in tried if len(rates) == 1)
        if single:
            seen = f"the learning rate is {' or '.join(single)} at every checkpoint, not chosen on validation items"
            yield remark("rate-not-chosen", f"methods.{name}", seen)


def model_stays(plan: Plan) -> Iterator[Remark]:
    """Find methods that leave the model as it is, and learn a map of its states alone."""
    for name, settings in plan["methods"].items():
        if KINDS[settings["kind"]].leaves_model(settings):
            seen = f"kind {settings['kind']} is measured on its own datasets alone, and forgets nothing"
            yield remark("model-stays", f"methods.{name}", seen)


def sources_of(task: dict[str, Any], role: str) -> list[str]:
    """List the files or published splits of a role; none for generated rows, which are disjoint by construction."""
    source = task["source"]
    named = source.get("splits", source).get(role)
    parts = parts_of(source, named) if named else []
    if "hub" in source:
        return [f"{source['hub']} {source.get('config') or 'default'} {part}" for part in parts]
    if "github" in source:
        return [f"{source['github']} {source['files'][part]}" for part in parts]
    return parts


def test_is_trained_on(plan: Plan) -> Iterator[Remark]:
    """Find datasets whose training rows are the test rows of another measured one."""
    for tuned, asked in permutations(plan["tasks"], 2):
        train, test = sources_of(plan["tasks"][tuned], "train"), sources_of(plan["tasks"][asked], "test")
        if tuned in plan["datasets"] and (both := [part for part in train if part in test]):
            seen = f"{tuned} trains on {', '.join(both)}, on which {asked} is tested"
            yield remark("test-is-trained-on", f"{tuned}, {asked}", seen)


def tests_share_rows(plan: Plan) -> Iterator[Remark]:
    """Find datasets that are measured on the same rows."""
    asking: dict[str, list[str]] = {}
    for name, task in plan["tasks"].items():
        for source in sources_of(task, "test"):
            asking.setdefault(source, []).append(name)
    for source, names in asking.items():
        if len(names) > 1:
            yield remark(
                "tests-share-rows", ", ".join(names), f"{counted(len(names), 'dataset')} are tested on rows of {source}"
            )


def no_stop(plan: Plan) -> Iterator[Remark]:
    """Find generated texts without a text that ends them."""
    for name, task in plan["tasks"].items():
        if task["kind"] == "generation" and not task["stop"]:
            n = task["max_new_tokens"]
            yield remark("no-stop", name, f"all of up to {counted(n, 'new token')} are scored, whatever follows")


def amount(tokens: float) -> str:
    """Write a number of tokens in short: 1.43T, 75B, 131k."""
    for size, letter in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if tokens >= size:
            return f"{tokens / size:.3g}{letter}"
    return f"{tokens:g}"


GRID_CHECKS: dict[str, Callable[[Plan], Iterator[Remark]]] = {
    "uneven-tokens": uneven_tokens,
    "near-identical-checkpoints": near_identical_checkpoints,
    "same-weights": same_weights,
    "single-seed": single_seed,
    "single-pretraining-run": single_pretraining_run,
    "mixed-rates": mixed_rates,
    "rate-not-chosen": rate_not_chosen,
    "model-stays": model_stays,
    "test-is-trained-on": test_is_trained_on,
    "tests-share-rows": tests_share_rows,
    "no-stop": no_stop,
}
