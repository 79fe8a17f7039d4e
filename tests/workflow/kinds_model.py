"""A simple model of what results know where trainings read each other: which of them run, and how many predictions.

A model is deleted once all that needs it has run. So a training runs again where a training that runs, or a prediction
that runs, reads its model.
"""

from collections.abc import Iterator
from itertools import product
from typing import Any

Config = dict[str, Any]
Cell = tuple[str, str, str, str, int]  # checkpoint, dataset, format, method, seed
READING = ("from", "reward")  # settings that may name a method, by which names change nothing
SMALL = {"lora", "ia3", "head", "features", "peft"}  # kinds whose state is put into what it was tuned from


def recipes_of(config: Config) -> dict[str, dict]:
    """Settings by the name that a method has in results: one for each dose."""
    found = {}
    for name, settings in config["methods"].items():
        doses = settings.get("examples")
        if name == "base":
            continue
        if isinstance(doses, list) and len(doses) > 1:
            found |= {f"{name}-n{dose}": settings | {"examples": dose} for dose in doses}
        else:
            found[name] = settings | ({"examples": doses[0]} if isinstance(doses, list) else {})
    return found


class Known:
    """Sources of results by place, and of those that stood in a place that another result was linked to."""

    def __init__(self) -> None:
        self.here: dict[tuple, tuple] = {}
        self.aside: set[tuple] = set()

    def __contains__(self, source: tuple) -> bool:
        return source in self.aside or source in self.here.values()

    def run(self, wanted: dict[tuple, tuple]) -> None:
        """Note what is there after a run: what is known is linked, and what it replaces is moved aside."""
        linked = [place for place, source in wanted.items() if source in self]
        self.aside |= {self.here[place] for place in linked if self.here.get(place, wanted[place]) != wanted[place]}
        self.here |= wanted


class KindsModel:
    """What is known of trainings and predictions, in whatever place."""

    def __init__(self) -> None:
        self.checkpoints: dict[str, str] = {}
        self.trained, self.predicted = Known(), Known()
        self.code = 0
        self.code_of: dict[str, int] = {}  # of the module of a kind

    def cells(self, config: Config) -> Iterator[Cell]:
        """All tuned cells."""
        recipes, formats, seeds = recipes_of(config), config["formats"], config["seeds"]
        for checkpoint, dataset in product(self.entries(config), config["datasets"]):
            for format_, (name, recipe), seed in product(formats, recipes.items(), seeds):
                if dataset in recipe.get("datasets", [dataset]):
                    yield checkpoint, dataset, format_, name, seed

    def entries(self, config: Config) -> list[str]:
        return [str(entry) for entry in config["series"]["nursery"]["checkpoints"]]

    def checkpoint(self, config: Config, entry: str) -> str:
        return str((entry, sorted(config["series"]["nursery"]["pretrain"].items(), key=str)))

    def read(self, config: Config, cell: Cell) -> dict[str, Cell]:
        """The cells whose models a training reads."""
        recipe = recipes_of(config)[cell[3]]
        names = {key: recipe[key] for key in READING if recipe.get(key, "rule") != "rule"}
        return {key: (*cell[:3], name, cell[4]) for key, name in names.items()}

    def states(self, config: Config, cell: Cell) -> list[Cell]:
        """The cells whose folders the model of a cell is made from, itself first."""
        found = [cell]
        while recipes_of(config)[found[-1][3]]["kind"] in SMALL and "from" in self.read(config, found[-1]):
            found.append(self.read(config, found[-1])["from"])
        return found

    def source(self, config: Config, cell: Cell) -> tuple:
        """What a training is made from."""
        checkpoint, dataset, format_, method, seed = cell
        recipe = recipes_of(config)[method]
        own = {key: value for key, value in recipe.items() if key not in ("from", "datasets")}
        if own.get("reward", "rule") != "rule":
            own["reward"] = "a model"
        read = {key: self.source(config, other) for key, other in self.read(config, cell).items()}
        made = self.checkpoint(config, checkpoint)
        code = self.code, self.code_of.get(recipe["kind"], 0)
        return made, dataset, format_, str(sorted(own.items())), seed, code, tuple(sorted(read.items()))

    def base(self, config: Config) -> dict[tuple, tuple]:
        """Sources of the predictions of untouched checkpoints by place; their items are those of the first seed."""
        seed, asked = config["seeds"][0], [("text",), *product(config["datasets"], config["formats"])]
        return {
            (checkpoint, *one, seed): (self.checkpoint(config, checkpoint), *one)
            for checkpoint, one in product(self.entries(config), asked)
        }

    def planned(self, config: Config, *, once_made: bool = False) -> dict[str, int]:
        """Jobs that are planned, by rule."""
        cells = list(self.cells(config))
        sources = {cell: self.source(config, cell) for cell in cells}
        predicts = [cell for cell in cells if sources[cell] not in self.predicted]
        trains = {cell for cell in cells if sources[cell] not in self.trained}
        trains |= {state for cell in predicts for state in self.states(config, cell)}
        waiting = list(trains)
        while waiting:
            one = waiting.pop()
            needed = {state for other in self.read(config, one).values() for state in self.states(config, other)}
            waiting += needed - trains
            trains |= needed
        n_base = sum(source not in self.predicted for source in self.base(config).values())
        new = [one for one in self.entries(config) if self.checkpoints.get(one) != self.checkpoint(config, one)]
        return {"pretrain_checkpoint": len(new), "train_model": len(trains), "predict": len(predicts) + n_base}

    def run(self, config: Config) -> None:
        """Note what is there after a run."""
        sources = {cell: self.source(config, cell) for cell in self.cells(config)}
        self.trained.run(sources)
        self.predicted.run(sources | self.base(config))
        self.checkpoints |= {one: self.checkpoint(config, one) for one in self.entries(config)}
