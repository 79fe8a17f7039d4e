"""A simple model of what results know: which jobs of a study of the nursery are to run, and how many."""

from collections.abc import Iterator
from itertools import product
from typing import Any

Config = dict[str, Any]
Probes = frozenset[tuple]


def recipes_of(config: Config) -> dict[str, dict]:
    """Settings of tuning by recipe; a list of several rates is not part of the walks."""
    found = {}
    for name, settings in config["methods"].items():
        if name != "base":
            rate = settings["learning_rate"]
            found[name] = settings | {"learning_rate": rate[0] if isinstance(rate, list) else rate}
    return found


def pairs_of(config: Config, suite: dict, own: list[str], trained: list[str], *, but: str = "") -> Iterator[tuple]:
    """Datasets and formats that a suite measures."""
    datasets, formats = suite.get("datasets") or [], suite.get("formats") or []
    names = own if datasets == "own" else [name for name in datasets if name != but]
    yield from product(
        names, {"all": config["formats"], "trained": trained}[formats] if isinstance(formats, str) else formats
    )


def tuned_probes(config: Config, dataset: str, format_: str, seed: int) -> Probes:
    """What a tuned model is measured on; the seed draws shots."""
    found = {("validation", dataset, format_, 0, None)}
    for suite in config["suites"].values():
        found |= {("text", name) for name in suite.get("texts") or []}
        for pair, n in product(pairs_of(config, suite, [dataset], [format_], but=dataset), suite.get("shots", [0])):
            found.add(("test", *pair, n, seed if n else None))
    return frozenset(found)


def base_cells(config: Config) -> Iterator[tuple[tuple, Probes]]:
    """Cells of an untouched checkpoint with their probes."""
    seeds, shots = config["seeds"], config["methods"]["base"]["shots"]
    texts = {name for suite in config["suites"].values() for name in suite.get("texts") or []}
    for name in texts:
        yield (name, "text", "base", seeds[0]), frozenset({("text", name)})
    pairs = {
        pair
        for suite in config["suites"].values()
        for pair in pairs_of(config, suite, list(config["datasets"]), config["formats"])
    }
    for pair in pairs:
        for seed in seeds if max(shots) else seeds[:1]:
            asked = [n for n in shots if n or seed == seeds[0]]
            yield (*pair, "base", seed), frozenset(("test", *pair, n, seed if n else None) for n in asked)


class Model:
    """Results by place, with what they were made from."""

    def __init__(self) -> None:
        self.checkpoints: dict[str, str] = {}
        self.trained: dict[tuple, tuple] = {}
        self.predicted: dict[tuple, tuple[tuple, Probes]] = {}
        # what was in a place that another result was linked to
        self.trained_aside: list[tuple] = []
        self.predicted_aside: list[tuple[tuple, Probes]] = []
        self.datasets: dict[str, int] = {}  # by which code their items were drawn, which draws the same
        self.code = self.data_code = 0

    def cells(self, config: Config) -> Iterator[tuple[tuple, tuple, Probes]]:
        """Place, what the model is made from, and probes of every cell."""
        for entry in config["series"]["nursery"]["checkpoints"]:
            made = self.checkpoint(config, entry)
            for place, probes in base_cells(config):
                yield (str(entry), *place), ("base", made), probes
            for dataset, format_, (name, recipe), seed in product(
                config["datasets"], config["formats"], recipes_of(config).items(), config["seeds"]
            ):
                source = ("tuned", made, dataset, format_, str(sorted(recipe.items())), seed, self.code)
                yield (str(entry), dataset, format_, name, seed), source, tuned_probes(config, dataset, format_, seed)

    def checkpoint(self, config: Config, entry: dict) -> str:
        return str((entry, sorted(config["series"]["nursery"]["pretrain"].items(), key=str)))

    def used_datasets(self, config: Config) -> set[str]:
        listed = {name for suite in config["suites"].values() for name in suite.get("datasets") or [] if "-" in name}
        return set(config["datasets"]) | listed

    def holds(self, place: tuple, source: tuple, probes: Probes) -> tuple[tuple, Probes] | None:
        """Predictions that serve a cell: its own, or those of another place or that were moved aside."""
        own = [self.predicted[place]] if place in self.predicted else []
        others = [*own, *self.predicted.values(), *self.predicted_aside]
        return next((one for one in others if one[0] == source and one[1] >= probes), None)

    def is_trained(self, source: tuple) -> bool:
        """Whether there is the record of a training, in whatever place."""
        return source in [*self.trained.values(), *self.trained_aside]

    def planned(self, config: Config, *, once_made: bool = False) -> dict[str, int]:
        """Jobs that are planned, by rule; with `once_made` those that run, when items have come out as before."""
        trained = predicted = 0
        redrawn = {
            name for name in self.used_datasets(config) if self.datasets.get(name, self.data_code) != self.data_code
        }
        doubtful = set() if once_made else redrawn
        for place, source, probes in self.cells(config):
            predicts = self.holds(place, source, probes) is None or bool(doubtful & {probe[1] for probe in probes})
            predicted += predicts
            trains = predicts or not self.is_trained(source) or bool(doubtful & set(source))
            trained += source[0] == "tuned" and trains
        entries = config["series"]["nursery"]["checkpoints"]
        new = [entry for entry in entries if self.checkpoints.get(str(entry)) != self.checkpoint(config, entry)]
        n_new = len(self.used_datasets(config) - set(self.datasets))
        return {
            "pretrain_checkpoint": len(new),
            "train_model": trained,
            "predict": predicted,
            "make_dataset": n_new,
            "prepare_items": n_new + len(redrawn),
        }

    def run(self, config: Config) -> None:
        """Note what is there after a run."""
        found = [
            (place, source, probes, self.holds(place, source, probes), self.is_trained(source))
            for place, source, probes in self.cells(config)
        ]
        for place, source, probes, predicted, is_trained in found:
            former, record = self.predicted.get(place), self.trained.get(place)
            if former and predicted not in (None, former):
                self.predicted_aside.append(former)
            self.predicted[place] = predicted or (source, probes)
            if source[0] == "tuned":
                if record and is_trained and record != source:
                    self.trained_aside.append(record)
                self.trained[place] = source
        for entry in config["series"]["nursery"]["checkpoints"]:
            self.checkpoints[str(entry)] = self.checkpoint(config, entry)
        self.datasets |= dict.fromkeys(self.used_datasets(config), self.data_code)

    def accept(self, config: Config) -> None:
        """Take results of the plan that differ in their code only."""
        self.datasets |= {name: self.data_code for name in self.used_datasets(config) if name in self.datasets}
        for place, source, probes in self.cells(config):
            if source[0] != "tuned":
                continue
            trained, predicted = self.trained.get(place), self.predicted.get(place)
            if trained and trained[:-1] == source[:-1]:
                self.trained[place] = source
            if predicted and predicted[0][:-1] == source[:-1] and predicted[1] >= probes:
                self.predicted[place] = (source, predicted[1])
