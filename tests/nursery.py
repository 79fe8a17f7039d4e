"""The config of the nursery without its second series, which is perturbed only: what tests of the plan count."""

from pathlib import Path

from ripeness.study.schema import read_yaml

ROOT = Path(__file__).parents[1]


def tuned_nursery() -> dict:
    """The embedded study with the series that is tuned alone."""
    config = read_yaml(ROOT / "config.yaml")
    return {key: value for key, value in config.items() if key != "sensitivity"} | {
        "series": {"nursery": config["series"]["nursery"]}
    }
