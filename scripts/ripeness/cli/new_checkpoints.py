"""Find the checkpoints that a user names: folders, a pattern, a hub id; with their steps and tokens."""

import glob
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ripeness.models.checkpoint_facts import read_facts
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.project import ROOT, searched
from ripeness.study.published_runs import known_steps, read_series

HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
NUMBER = r"[-_=]?(\d+(?:\.\d+)?)([kmbt]?)(?![\d.]*[a-z\d])"
# "step" before the others, since checkpoint-2-step500 is no step 2; an epoch has as many steps as nobody says
STEPS = [re.compile(f"(?:{word}){NUMBER}", re.IGNORECASE) for word in ("steps?", "checkpoint|iter(?:ation)?|ckpt")]
TOKENS = re.compile(f"tokens?{NUMBER}", re.IGNORECASE)
SIZES = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9, "t": 10**12}
FEWEST = 2
MOST = 8  # of a run that is named as a whole
Lines = list[dict[str, Any]]


def series_of(
    words: Sequence[str], steps: Sequence[int], tokens: Sequence[int], per_step: int | None
) -> dict[str, Any]:
    """Return the settings of a series: `from` a published run, `repo` on the hub, or folders on disk."""
    if len(words) == 1 and not Path(words[0]).exists():
        if any((folder / f"{words[0]}.yaml").is_file() for folder in searched(ROOT / "series")):
            return of_published(words[0])
        if HUB_ID.fullmatch(words[0]):
            return {"repo": words[0], "checkpoints": of_hub(words[0], per_step)}
    folders = [folder for word in words for folder in folders_of(word)]
    if len(folders) < FEWEST:
        raise UserError(
            f"{' '.join(words)}: {len(folders)} checkpoint, and two or more of one run are compared\n"
            "hint: name several folders, or a folder or a pattern with several, such as 'runs/mine/checkpoint-*'"
        )
    for name, given in (("--steps", steps), ("--tokens", tokens)):
        if given and len(given) != len(folders):
            raise UserError(
                f"{name}: {len(given)} numbers for {len(folders)} checkpoints\nhint: one for each, in order"
            )
    lines = [of_folder(folder) for folder in folders]
    for place, line in enumerate(lines):
        line |= {"step": steps[place]} if steps else {}
        line |= {"tokens": tokens[place]} if tokens else {}
        if per_step and "step" in line:
            line.setdefault("tokens", line["step"] * per_step)
    check_known(lines)
    return {"checkpoints": sorted(lines, key=lambda line: line["step"])}


def folders_of(word: str) -> list[Path]:
    """List the checkpoint folders that a word names; UserError where there is none."""
    path = Path(word).expanduser()
    places = [path] if path.is_dir() else [Path(found) for found in sorted(glob.glob(str(path)))]
    inner = [one for place in places for one in ([place] if is_model(place) else sorted(place.glob("*/")))]
    found = [folder for folder in inner if is_model(folder)]
    if not found:
        raise UserError(
            f"{word}: no checkpoint is there\nhint: name folders with config.json and a tokenizer, as save_pretrained "
            "writes them; or the id of a model on the hub, or a run that `ripeness` knows (series/)"
        )
    return found


def is_model(folder: Path) -> bool:
    """Say whether a folder is a model in the layout of transformers."""
    return (folder / "config.json").is_file()


def of_folder(folder: Path) -> dict[str, Any]:
    """Return the line of a checkpoint on disk: what its files say of step and tokens, else what its name says."""
    line: dict[str, Any] = {"path": str(folder)} | named(folder.name)
    state = folder / "trainer_state.json"  # of transformers' Trainer
    if state.is_file():
        known = read_json(state, dict)
        found = {"step": known.get("global_step"), "tokens": known.get("num_input_tokens_seen")}
        line |= {key: int(value) for key, value in found.items() if value}
    if (folder / "checkpoint.json").is_file():
        facts = read_facts(folder / "checkpoint.json")
        line |= {key: facts[key] for key in ("step", "tokens", "lr", "phase") if facts.get(key) is not None}
    return line


def named(name: str) -> dict[str, int]:
    """Read step and tokens from a name, such as step1000-tokens4B or checkpoint-500."""
    found = {}
    if name.isdecimal():
        found["step"] = int(name)
    elif match := next((match for one in STEPS if (match := one.search(name))), None):
        found["step"] = times_size(*match.groups())
    if match := TOKENS.search(name):
        found["tokens"] = times_size(*match.groups())
    return found


def times_size(number: str, size: str) -> int:
    """Read a number with a letter for its size, such as 1.5B."""
    return round(float(number) * SIZES[size.lower()])


def check_known(lines: Lines) -> None:
    """Refuse checkpoints whose step or tokens nobody says."""
    for key, way in (("step", "--steps 1000,2000"), ("tokens", "--tokens 4e9,8e9, or --tokens-per-step 4e6")):
        if lacking := [line.get("path") or line["revision"] for line in lines if key not in line]:
            raise UserError(
                f"{lacking[0]}: its {key} of pre-training is not known from its name or its files\n"
                f"hint: give one for each checkpoint, in the order in which they are named: {way}"
            )


def of_published(name: str) -> dict[str, Any]:
    """Return the settings of a run of series/: at most eight of its steps, evenly in tokens, of its first seed."""
    facts = read_series(name)
    steps = known_steps(facts)
    wanted = [steps[0] + (steps[-1] - steps[0]) * place / (MOST - 1) for place in range(MOST)]
    picked = sorted({min(steps, key=lambda step: abs(step - even)) for even in wanted})
    seed = {"seed": facts["seeds"][0]} if "seeds" in facts else {}
    return {"from": name, **seed, "checkpoints": [{"step": step} for step in picked]}


def of_hub(repo: str, per_step: int | None) -> Lines:
    """List the branches of a repository that are named after steps: at most eight, evenly over the run."""
    from huggingface_hub import list_repo_refs
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    try:
        branches = [ref.name for ref in list_repo_refs(repo).branches]
    except (HfHubHTTPError, OfflineModeIsEnabled, OSError) as error:
        first = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise UserError(f"{repo}: the hub does not say which checkpoints it has: {first}\nhint: docs/hub.md") from None
    lines = [{"revision": name} | named(name) for name in branches if "step" in named(name)]
    lines.sort(key=lambda line: line["step"])
    if len(lines) < FEWEST:
        raise UserError(
            f"{repo}: {len(lines)} of its branches are named after a step\n"
            "hint: write the study by hand, with `revision`, `step` and `tokens` of each checkpoint (docs/study.md)"
        )
    picked = [lines[round(place * (len(lines) - 1) / (MOST - 1))] for place in range(MOST)]
    unique = [json.loads(text) for text in dict.fromkeys(json.dumps(line) for line in picked)]
    for line in unique:
        if per_step:
            line.setdefault("tokens", line["step"] * per_step)
    check_known(unique)
    return unique
