"""The config of the full nursery without its second series, which is perturbed only: what tests of the plan count."""

from pathlib import Path

from ripeness.study.schema import read_yaml

ROOT = Path(__file__).parents[1]


def tuned_nursery() -> dict:
    """The full nursery with the series that is tuned alone, without LoRA, by the name of the embedded study."""
    config = read_yaml(ROOT / "studies/nursery-full.yaml")
    return {key: value for key, value in config.items() if key != "sensitivity"} | {
        "study": "nursery",
        "series": {"nursery": config["series"]["nursery"]},
        "methods": {name: how for name, how in config["methods"].items() if name != "lora"},
    }
