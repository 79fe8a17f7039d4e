"""Rounded rows of Amuro and Char (arXiv 2408.06663), as a table of published numbers.

Facts: the untouched OLMo-1B and its tuned models, 4 shots, as the authors' repository (KaiserWhoLearns/
AmuroCharPTFTRelationship, results/analysis) gives them, to three digits.
"""

from pathlib import Path

CHECKPOINTS = ["1000", "18000", "342000", "424000", "505000", "592000", "738000", "main"]
STEPS = [1000, 18000, 342000, 424000, 505000, 592000, 738000, 738020]
TOKENS_PER_STEP = 4_194_304
# (learned in pre-training, with SciQ counted twice; in fine-tuning) at each checkpoint: the paper's Table 6
TABLE_6 = [
    (0.048, 0.062), (0.048, 0.149), (0.004, 0.286), (0.010, 0.297), (0.030, 0.304), (0.027, 0.297), (0.021, 0.264),
    (-0.005, 0.290),
]  # fmt: skip
TABLE_6_DISTINCT = [0.037, 0.041, 0.002, 0.009, 0.022, 0.017, 0.014, -0.002]  # the five datasets once each
SETTINGS = {
    "tokens_per_step": TOKENS_PER_STEP,
    "tuned_on": {
        "mnli": {"probes": ["mnli-m", "mnli-mm"]},
        "xsum": {"probes": ["xsum", "xlsum"]},
        "tulu": {"probes": ["arc-e", "arc-c", "obqa", "hellaswag", "sciq-mc", "boolq"], "kind": "mixed"},
    },
    "learned": ["hellaswag", "arc-c", "arc-e", "sciq-mc", "obqa"],
    "not_learned": ["mnli-m", "mnli-mm", "xsum", "xlsum", "socialiqa", "paws", "boolq"],
}
CHANCE = {
    "mnli-m": 1 / 3, "mnli-mm": 1 / 3, "rte": 0.5, "gpt3nli": 1 / 3, "paws": 0.558, "arc-e": 0.25, "arc-c": 0.25,
    "obqa": 0.25, "hellaswag": 0.25, "sciq-mc": 0.25, "boolq": 0.62,
}  # fmt: skip

BASE = """
xsum .079 .119 .106 .019 .108 .115 .088 .071
xlsum .076 .045 .053 .059 .060 .062 .061 .062
cnn .076 .059 .060 .062 .066 .075 .062 .063
socialiqa .018 .077 .044 .056 .056 .064 .101 .069
sciq-qg .028 .064 .166 .127 .124 .166 .169 .163
tweetqa .039 .053 .054 .067 .072 .063 .065 .053
mnli-m .354 .335 .343 .344 .352 .338 .328 .327
mnli-mm .352 .332 .336 .357 .364 .343 .329 .330
rte .485 .502 .479 .502 .502 .501 .298 .241
gpt3nli .333 .333 .348 .337 .333 .352 .342 .345
paws .558 .558 .540 .558 .476 .544 .558 .558
arc-e .272 .442 .600 .579 .574 .570 .575 .565
arc-c .231 .264 .378 .388 .371 .358 .358 .338
obqa .266 .384 .422 .442 .464 .426 .436 .434
hellaswag .253 .420 .599 .608 .610 .622 .628 .628
sciq-mc .382 .789 .921 .930 .873 .867 .878 .930
boolq .537 .620 .512 .482 .579 .586 .617 .617
"""
TUNED = """
xsum xsum .094 .120 .170 .092 .185 .192 .182 .183
xsum xlsum .125 .033 .057 .063 .063 .067 .065 .062
xsum cnn .097 .043 .059 .050 .065 .062 .061 .061
socialiqa socialiqa .380 .471 .566 .667 .662 .654 .640 .659
socialiqa sciq-qg .115 .135 .008 .158 .052 .136 .129 .050
socialiqa tweetqa .109 .112 .145 .143 .140 .131 .121 .123
mnli mnli-m .354 .557 .787 .784 .792 .799 .798 .790
mnli mnli-mm .352 .564 .803 .800 .809 .814 .817 .808
mnli rte .501 .531 .637 .653 .650 .669 .663 .661
mnli gpt3nli .333 .555 .729 .750 .701 .728 .689 .717
paws paws .581 .805 .874 .868 .911 .905 .732 .878
mnli xsum .013 .111 .036 .016 .006 .028 .005 .005
mnli socialiqa 0 0 0 0 0 0 0 0
paws xsum .002 .096 .099 .112 .097 .087 .011 .011
paws socialiqa 0 0 0 0 0 0 0 0
xsum mnli-m .353 .330 .332 .328 .353 .331 .327 .327
xsum paws .558 .558 .538 .558 .481 .555 .558 .558
socialiqa mnli-m .353 .329 .352 .336 .362 .330 .330 .331
socialiqa paws .558 .559 .546 .558 .558 .548 .557 .557
mnli paws .558 .558 - .555 .453 .447 .456 .445
paws mnli-m .354 .333 - .325 .323 .391 - .319
tulu arc-e .295 .514 .591 .602 .607 .581 .579 .570
tulu arc-c .237 .301 .358 .385 .361 .358 .365 .358
tulu obqa .316 .376 .418 .436 .462 .424 .434 .418
tulu hellaswag .254 .438 .624 .624 .631 .627 .629 .629
tulu sciq-mc .485 .873 .937 .944 .941 .940 .937 .910
tulu boolq .521 .576 .677 .679 .699 .699 .698 .687
"""
# tuned in the default format and asked in others: instruct/io
OTHER_FORMATS = """
mnli mnli-m .354/.346 .375/.356 .684/.429 .683/.419 .753/.528 .675/.465 .646/.558 .740/.609
socialiqa socialiqa .046/.043 .278/.081 .057/.558 .543/.522 .633/.475 .640/.520 .681/.526 .693/.520
paws paws .561/.558 .595/.631 .850/.809 .801/.769 .899/.792 .909/.878 .807/.879 .862/.879
xsum xsum .023/.005 .143/.012 .096/.107 .070/.109 .048/.100 .125/.102 .114/.079 .103/.090
"""
# the few that were asked without shots, at the last checkpoint
NO_SHOTS = {("mnli", "mnli-m"): 0.821, ("mnli", "mnli-mm"): 0.832, ("xsum", "xsum"): 0.256}


def rows_of() -> list[dict]:
    """All rows."""
    rows = []
    for line in BASE.split("\n")[1:-1]:
        probe, *values = line.split()
        rows += [measured("", probe, k, value) for k, value in enumerate(values)]
    for line in TUNED.split("\n")[1:-1]:
        dataset, probe, *values = line.split()
        rows += [measured(dataset, probe, k, value) for k, value in enumerate(values) if value != "-"]
    for line in OTHER_FORMATS.split("\n")[1:-1]:
        dataset, probe, *values = line.split()
        for k, both in enumerate(values):
            for name, value in zip(("instruct", "io"), both.split("/"), strict=True):
                rows.append(measured(dataset, probe, k, value) | {"format": name})
    rows += [measured(*place, 7, str(value)) | {"shots": 0} for place, value in NO_SHOTS.items()]
    return rows


def measured(dataset: str, probe: str, k: int, value: str) -> dict:
    """One row, asked in the default format with 4 shots."""
    metric = "accuracy" if probe in CHANCE else "rouge_l"
    place = {"series": "olmo-1b", "checkpoint": CHECKPOINTS[k], "step": STEPS[k], "dataset": dataset}
    asked = {"format": "default", "shots": 4, "probe": probe, "metric": metric}
    return place | asked | {"value": float(value), "chance": CHANCE.get(probe, "")}


def write_table(path: Path) -> None:
    """Write the table."""
    rows = rows_of()
    lines = [",".join(rows[0]), *(",".join(str(value) for value in row.values()) for row in rows)]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
