"""Compare what ripeness computes with plain transformers, for every causal language model that transformers knows.

.venv/bin/python tests/every_model.py --table docs/models.md    # all of them, some minutes; a few: --only llama,mamba

A tiny random model of each class is saved and loaded as a study loads it, past the gate. Then log-likelihoods of
options, of running text, greedy text and three steps of training are compared with one unpadded forward pass a text.
Each class is tried in a process of its own with a limit of time and memory.
"""

import argparse
import multiprocessing
import resource
import sys
import tempfile
import traceback
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

import torch
import transformers
from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES
from transformers.utils import logging

sys.path.insert(0, str(Path(__file__).parents[1] / "scripts"))  # it is run by itself, beside the tests

import model_zoo
from plain_passes import (
    LONG,
    SHORT,
    load_plain,
    logits_of,
    save,
    scores_differ,
    texts,
    texts_differ,
    training_differs,
    way,
)

from ripeness.models.context_limits import context_length
from ripeness.models.gate.folder import check_folder
from ripeness.models.load import load_model
from ripeness.runtime.errors import UserError

TOLERANCE = 2e-3  # nats; and the share of an update of the weights that may differ
SECONDS, BYTES = 300, 8 << 30

WRONG = ("differs", "traceback", "dies", "hangs")
BEGIN, END = "<!-- made by tests/every_model.py -->", "<!-- end -->"
MOST_CHARACTERS = 160  # of a reason in the table


class Verdict(NamedTuple):
    """One class, or one setting of it: "equal", "refused", "not built" or "differs", with why or by how much; and how
    texts within and beyond the windows are read."""

    name: str
    verdict: str
    why: str
    how: str = ""


def judge(name: str, model_type: str, changes: dict[str, Any], folder: Path) -> Verdict:
    """Build, save and load a model, and compare it with plain transformers."""
    try:
        save(model_zoo.tiny_model(model_type, **changes), folder, model_zoo.tiny_config(model_type, **changes))
    except Exception as error:
        return Verdict(name, "not built", f"{type(error).__name__}: {error}")
    try:
        check_folder(folder)
        model, plain = load_model(folder), load_plain(folder)
    except UserError as error:
        return Verdict(name, "refused", str(error).replace(str(folder), "FOLDER").splitlines()[0])
    found = {}
    room = context_length(model.config)
    with torch.inference_mode():
        found["a text as long as the context"] = len(logits_of(model, texts(0, [min(room, 4 * LONG)])[0])) * 0.0
    for kind, longest in (("short", SHORT), ("long", LONG)):
        found[f"scores, {kind}"] = scores_differ(model, plain, longest)
        found[f"texts, {kind}"] = texts_differ(model, plain, longest)
        found[f"training, {kind}"] = training_differs(folder, longest)
    short, long = way(model, SHORT), way(model, LONG)
    how = short if short == long else f"{short}; beyond the window {long}"
    worst = max(found, key=found.get)
    if found[worst] > TOLERANCE:
        wrong = ", ".join(f"{what} {value:.2g}" for what, value in found.items() if value > TOLERANCE)
        return Verdict(name, "differs", wrong, how)
    return Verdict(name, "equal", f"{found[worst]:.0e}", how)


def child(out: Any, name: str, model_type: str, changes: dict[str, Any]) -> None:
    """Send the verdict on one class."""
    resource.setrlimit(resource.RLIMIT_AS, (BYTES, BYTES))
    with tempfile.TemporaryDirectory() as folder:
        try:
            out.send(judge(name, model_type, changes, Path(folder)))
        except Exception as error:
            frames = traceback.extract_tb(error.__traceback__)
            ours = [frame for frame in frames if "ripeness" in frame.filename or "every_model" in frame.filename]
            where = ", ".join(f"{Path(frame.filename).name}:{frame.lineno}" for frame in (ours[-1], frames[-1]))
            out.send(Verdict(name, "traceback", f"{type(error).__name__}: {error} ({where})"))


def in_a_process(name: str, model_type: str, changes: dict[str, Any]) -> Verdict:
    """The verdict of a process of its own; one that dies or takes too long is a verdict too."""
    context = multiprocessing.get_context("fork")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=child, args=(theirs, name, model_type, changes))
    process.start()
    theirs.close()
    try:
        if not ours.poll(SECONDS):
            return Verdict(name, "hangs", f"no end after {SECONDS} s")
        return ours.recv()
    except EOFError:
        return Verdict(name, "dies", "the process ended without a word")
    finally:
        process.kill()
        process.join()


def table(found: dict[str, dict[str, Verdict]]) -> str:
    """The table of docs/models.md: a line a class, with what else of it was tried."""
    lines, counts = (
        ["| model type | class | verdict | how it is read | also tried |", "|---|---|---|---|---|"],
        Counter(),
    )
    for model_type, verdicts in found.items():
        first = verdicts[""]
        counts[first.verdict] += 1
        others = [(name, verdict) for name, verdict in verdicts.items() if name]
        # embeddings that cannot be tied otherwise are no news
        others = [other for other in others if other[1].verdict != "not built"]
        also = ", ".join(name if v.verdict == first.verdict else f"{name}: {cell(v)}" for name, v in others)
        name = MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[model_type]
        lines.append(f"| {model_type} | {name} | {cell(first)} | {first.how} | {also} |")
    total = ", ".join(f"{n} {verdict}" for verdict, n in counts.most_common())
    return "\n".join([f"transformers {transformers.__version__}: {sum(counts.values())} classes, {total}.", "", *lines])


def cell(verdict: Verdict) -> str:
    """A verdict as it stands in the table."""
    why = " ".join(verdict.why.split()).replace("|", "/").replace("<", "").replace(">", "")
    return f"{verdict.verdict} ({why[:MOST_CHARACTERS]})"


def write_table(path: Path, text: str) -> None:
    """Put a table between the marks of a Markdown file."""
    before, _, rest = path.read_text(encoding="utf-8").partition(BEGIN)
    path.write_text(f"{before}{BEGIN}\n\n{text}\n\n{END}{rest.partition(END)[2]}", encoding="utf-8")


def main() -> None:
    """Judge all classes, print each, and write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", help="some model types, parted by commas")
    parser.add_argument("--table", type=Path, help="Markdown file whose table is made anew, of all classes")
    options = parser.parse_args()
    logging.set_verbosity(logging.CRITICAL)
    logging.disable_progress_bar()
    torch.set_num_threads(1)
    found: dict[str, dict[str, Verdict]] = {}
    for model_type in options.only.split(",") if options.only else sorted(MODEL_FOR_CAUSAL_LM_MAPPING_NAMES):
        found[model_type] = {}
        for name, changes in model_zoo.settings_of(model_type).items():
            verdict = in_a_process(f"{model_type}, {name}" if name else model_type, model_type, changes)
            found[model_type][name] = verdict
            print(verdict.name, verdict.verdict, " ".join(verdict.why.split()), verdict.how, sep="\t", flush=True)
    if options.table:
        write_table(options.table, table(found))
    sys.exit(any(one.verdict in WRONG for verdicts in found.values() for one in verdicts.values()))


if __name__ == "__main__":
    main()
