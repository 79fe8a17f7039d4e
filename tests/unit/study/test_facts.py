"""What the task files say of published datasets, against a table of facts from public sources.

Rows, columns and label orders: dataset_infos.json of huggingface/datasets at the commit before 8803c182e6, where it has
the dataset; commits: those that public code pins, or `main` of a repository when it was looked at. Columns and their
types stand in test_task_files.py.
"""

import re
from pathlib import Path

import pytest

from ripeness.study.schema import read_yaml
from ripeness.study.tasks import load_task

ROOT = Path(__file__).parents[3]
TASKS = ROOT / "tasks"
PUBLISHED = sorted(path.stem for path in TASKS.glob("*.yaml") if not path.stem.startswith("nursery-"))

COPY = "refs/convert/parquet"
GLUE = ("nyu-mll/glue", "bcdcba79d07bc864c1c254ccfcedcce55bcc9a8c")
ARC = ("allenai/ai2_arc", "210d026faf9955653af8916fad021475a3f00453")
SCIQ = ("allenai/sciq", "2c94ad3e1aafab77146f384e23536f97a4849815", "default", (11679, 1000, 1000))
SOCIAL = ("allenai/social_i_qa", COPY, "default", (33410, 33410, 1954))
TWEET = ("ucsbnlp/tweet_qa", COPY, "default", (10692, 10692, 1086))
LLMBAR = ("princeton-nlp/LLMBar", "900616bff90b6c6c8e1681f7d079250637c55992", None)
# (repository, revision, configuration, rows of the splits that serve as train, validation and test)
PLACES = {
    "anthropic-hh": (
        "Anthropic/hh-rlhf", "09be8c5bbc57cb3887f3a9732ad6aa7ec602a1fa", "default", (160800, 160800, 8552),
    ),
    "arc-challenge": (*ARC, "ARC-Challenge", (1119, 299, 1172)),
    "arc-easy": (*ARC, "ARC-Easy", (2251, 570, 2376)),
    "boolq": ("google/boolq", "35b264d03638db9f4ce671b711558bf7ff0f80d5", None, (9427, 9427, 3270)),
    "cnn-dailymail": ("abisee/cnn_dailymail", COPY, "3.0.0", (287113, 13368, 11490)),
    "gpt3nli": ("pietrolesci/gpt3_nli", "48d27a285f1919f3f7e6cd53b6a07fb13a238efb", "default", (30000, 30000, 30000)),
    "gsm8k": ("openai/gsm8k", "e53f048856ff4f594e959d75785d2c2d37b678ee", "main", (7473, 7473, 1319)),
    "hellaswag": ("Rowan/hellaswag", "218ec52e09a7e7462a5400043bb9a69a41d06b76", "default", (39905, 39905, 10042)),
    "llmbar-adversarial": (*LLMBAR, (100, 100, 134 + 92 + 47 + 46)),
    "llmbar-natural": (*LLMBAR, (319, 319, 100)),
    "mnli": (*GLUE, "mnli", (392702, 392702, 9815)),
    "mnli-mismatched": (*GLUE, "mnli", (392702, 392702, 9832)),
    "openbookqa": ("allenai/openbookqa", "388097ea7776314e93a529163e0fea805b8a6454", "main", (4957, 500, 500)),
    "paws": (
        "google-research-datasets/paws", "161ece9501cf0a11f3e48bd356eaa82de46d6a09", "labeled_final",
        (49401, 8000, 8000),
    ),
    "piqa": ("ybisk/piqa", COPY, "plain_text", (16113, 16113, 1838)),
    "qqp": (*GLUE, "qqp", (363846, 363846, 40430)),
    "rte": (*GLUE, "rte", (2490, 2490, 277)),
    "sciq": SCIQ,
    "sciq-passage": SCIQ,
    "sciq-questions": SCIQ,
    "socialiqa": SOCIAL,
    "socialiqa-questions": SOCIAL,
    "stsb": (*GLUE, "stsb", (5749, 5749, 1500)),
    "tulu": ("allenai/tulu-v2-sft-mixture", "main", "default", (326154, 326154, 326154)),
    "tweetqa": TWEET,
    "tweetqa-questions": TWEET,
    "winogrande": (
        "allenai/winogrande", "01e74176c63542e6b0bcb004dcdea22d94fb67b5", "winogrande_xl", (40398, 40398, 1267),
    ),
    "xlsum": ("csebuetnlp/xlsum", COPY, "english", (306522, 11535, 11535)),
    "xsum": ("EdinburghNLP/xsum", COPY, "default", (204045, 11332, 11334)),
}  # fmt: skip

# what serves as test, where that is another split than `test`
VALIDATION = {"boolq", "hellaswag", "piqa", "qqp", "rte", "socialiqa", "socialiqa-questions", "stsb", "tweetqa"}
TESTS = dict.fromkeys(VALIDATION | {"tweetqa-questions", "winogrande"}, "validation")
TESTS |= {"mnli": "validation_matched", "mnli-mismatched": "validation_mismatched"}
TESTS |= dict.fromkeys(("gpt3nli", "tulu"), "train")
TESTS |= {"llmbar-natural": "Natural", "llmbar-adversarial": "Neighbor+GPTInst+GPTOut+Manual"}

INFERENCE = ["entailment", "neutral", "contradiction"]
LABELS = {
    "boolq": {"true": "yes", "false": "no"},
    "gpt3nli": INFERENCE,
    "mnli": INFERENCE,
    "mnli-mismatched": INFERENCE,
    "paws": ["different", "same"],
    "qqp": ["different", "same"],
    "rte": ["entailment", "not_entailment"],
}
LICENCES = {
    "anthropic-hh": "MIT", "arc-challenge": "CC BY-SA 4.0", "arc-easy": "CC BY-SA 4.0", "boolq": "CC BY-SA 3.0",
    "cnn-dailymail": "Apache-2.0", "gpt3nli": "unknown", "gsm8k": "MIT", "hellaswag": "MIT",
    "llmbar-adversarial": "MIT", "llmbar-natural": "MIT", "openbookqa": "Apache-2.0 .*unknown by its card",
    "piqa": "AFL 3.0.*unknown by its card",
    "sciq": "CC BY-NC 3.0", "sciq-passage": "CC BY-NC 3.0", "sciq-questions": "CC BY-NC 3.0", "socialiqa": "CC BY 4.0",
    "tulu": "ODC-BY", "tweetqa": "CC BY-SA 4.0", "winogrande": "CC BY", "xsum": "unknown",
}  # fmt: skip
# names of branches that no commit is known for; all else is pinned
UNPINNED = {name for name, (_, revision, *_) in PLACES.items() if revision in (COPY, "main")}


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_dataset_is_taken_from_where_it_lies(name):
    repository, revision, config, rows = PLACES[name]
    task = load_task(name, TASKS, overrides={})
    assert task.source.get("hub", task.source.get("github")) == repository
    assert (task.source["revision"], task.source.get("config")) == (revision, config)
    assert tuple(task.rows[role] for role in ("train", "validation", "test")) == rows
    assert task.source.get("splits", task.source)["test"] == TESTS.get(name, "test")


def test_every_commit_that_is_known_is_pinned():
    assert set(PLACES) == set(PUBLISHED)
    assert {"xsum", "xlsum", "cnn-dailymail", "piqa", "socialiqa", "tweetqa", "tulu"} == {
        name for name in UNPINNED if not name.endswith("-questions")
    }
    study = read_yaml(ROOT / "studies/amuro-char.yaml")["datasets"]
    assert study["stsb"]["source"]["revision"] == "77bd85cf73a244d4503e477ce6de81196187839f"
    for name, keys in study.items():
        if "hub" in keys.get("source", {}) and keys["source"]["hub"] == PLACES[name][0]:
            assert keys["source"]["revision"] == PLACES[name][1]


@pytest.mark.parametrize("name", PUBLISHED)
def test_labels_stand_in_the_order_of_the_data(name):
    task = load_task(name, TASKS, overrides={})
    order = LABELS.get(name)
    if task.values is None:  # the labels are text, or options of their own
        assert order is None
    else:
        assert task.values == (order if isinstance(order, dict) else {str(place): x for place, x in enumerate(order)})


@pytest.mark.parametrize("name", PUBLISHED)
def test_every_file_names_its_sources_and_licence(name):
    text = (TASKS / f"{name}.yaml").read_text(encoding="utf-8")
    comment = " ".join(re.findall(r"^# ?(.*)$", text, flags=re.MULTILINE))
    assert re.search(
        r"Sources: .*(dataset_infos\.json|the card of [\w-]+/|princeton-nlp/LLMBar at this commit)", comment
    )
    assert re.match(LICENCES.get(name, "."), load_task(name, TASKS, overrides={}).licence)
    if name in UNPINNED:
        assert (
            re.search(r"[Nn]o commit of|No commit is known", comment)
            and "`make resolve` records the current one" in comment
        )
