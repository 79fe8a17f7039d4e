"""studies/real-text.yaml with files in the place of the hub; by hand: python local_data.py FOLDER > x.yaml.

FOLDER holds text/novels/{train,validation}.txt and data/<dataset>/{train,validation,test}.jsonl.
"""

import sys
from pathlib import Path

import yaml

STUDY = Path(__file__).parents[2] / "studies/real-text.yaml"


def on_disk(folder: Path) -> dict:
    """The study as it is shipped, reading its text and its datasets from files."""
    study = yaml.safe_load(STUDY.read_text(encoding="utf-8"))
    text = {split: str(folder / f"text/novels/{split}.txt") for split in ("train", "validation")}
    study["series"]["small-english"]["pretrain"]["source"] = {"text": text}
    for name, dataset in study["datasets"].items():
        splits = ("train", "validation", "test")
        dataset["source"] = {split: str(folder / f"data/{name}/{split}.jsonl") for split in splits}
    # the files name the columns of RTE as MNLI does
    study["datasets"]["rte"]["fields"] = {"premise": "premise", "hypothesis": "hypothesis"}
    return study


if __name__ == "__main__":
    print(yaml.safe_dump(on_disk(Path(sys.argv[1])), sort_keys=False))
