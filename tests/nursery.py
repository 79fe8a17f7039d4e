"""The config of the whole nursery without its second series, which is perturbed only: what tests of the plan count."""

from pathlib import Path

from ripeness.study.schema import read_yaml

ROOT = Path(__file__).parents[1]


def tuned_nursery() -> dict:
    """The nursery of studies/ with the series that is tuned alone, under the name of the embedded study."""
    config = read_yaml(ROOT / "studies/nursery.yaml") | {"study": "nursery"}
    return {key: value for key, value in config.items() if key != "sensitivity"} | {
        "series": {"nursery": config["series"]["nursery"]}
    }
