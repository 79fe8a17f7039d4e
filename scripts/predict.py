"""Measure one model on its probes: log-likelihoods of options and answers, a text for every open question.

By hand: python scripts/predict.py --model FOLDER --seed 1 --output predictions.parquet --probes probes.json, where
probes.json is a list such as [{"suite": "mine", "probe": "rte", "kind": "choice", "format": "default", "shots": 0,
"examples": "test.jsonl"}]; "shot_examples" names a file of shots, and kind "generation" needs "max_new_tokens" and
"stop". Kind "preference" is a choice between a better and a worse answer; "reward": true asks a reward model.
Files are JSONL, {"prompt": ..., "choices": [" yes", " no"], "gold": 0} or {"prompt": ..., "target": " ..."} a line, or
parquet from render_examples; "pictures" names the folder that encode_images wrote for them, for a model with a
projector. In the output, `logps` holds the summed log-probability (nats) of every option,
and `logps_unconditional` that after the text of the probe's key "unconditional", such as "Answer:", where it has one;
of an open question `nll` is the negative log-probability of its target, and `n_tokens` the tokens of that. What is NaN
or infinite is null, and `reason` says so.
"""

import argparse
import logging
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.generation import answer
from ripeness.measure.harness import predict_task
from ripeness.measure.label_words import check_says, label_scores
from ripeness.measure.options import option_answers, option_scores, unconditional_scores
from ripeness.measure.prompts import SEPARATOR, Prompt, Shot, build_prompts, draw_shots, target_prompts
from ripeness.measure.question_pictures import with_pictures
from ripeness.measure.rewarded import asks_reward, reward_scores
from ripeness.models.chat import turn_end
from ripeness.models.context_limits import room_for_text
from ripeness.models.forward.running_text import passage_losses, read_passages, read_rows
from ripeness.models.load import autocast, load_model, resolve_precision
from ripeness.models.next_token import Stopping
from ripeness.models.pictures import read_pictures, showing
from ripeness.models.row_tokens import row_tokens
from ripeness.models.token_healing import Start
from ripeness.models.tokens import end_tokens, load_tokenizer
from ripeness.models.tuned_weights import check_is_tuned, drop_weights
from ripeness.runtime.command_line import argument_parser, existing, output_table, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import read_json
from ripeness.runtime.freed_memory import keep_freed_memory
from ripeness.runtime.made_here import check_no_overlap
from ripeness.stats.finite import lost_items, with_reason
from ripeness.storage.parquet import read_table
from ripeness.study.equal_options import same_text
from ripeness.study.probes import read_probes
from ripeness.tables.columns import PREDICTIONS, write_table
from ripeness.tables.examples import read_examples


def predict_text(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[dict], batch_tokens: int
) -> list[dict]:
    """Compute the negative log-likelihood, tokens and bytes of every passage of running text."""
    passages = read_passages(model, tokenizer, rows, batch_tokens=batch_tokens)
    losses = passage_losses(model, passages)
    return [
        {
            "item": row["item"],
            "cluster": row["item"],
            "nll": nll,
            "n_tokens": n_tokens,
            "n_bytes": len(row["text"].encode()),
            "n_prompt_tokens": 0,
            "n_dropped_shots": 0,
        }
        for row, nll, n_tokens in zip(rows, losses, passages.n_tokens, strict=True)
    ]


def predict_questions(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    probe: dict,
    *,
    seed: int,
    batch_tokens: int,
    is_reward: bool = False,
) -> list[dict]:
    """Predict the items of a choice or generation probe; of a choice by a reward, where the model says one."""
    rows, shots = read_items(probe), read_shots(probe, seed)
    pictures = read_pictures(Path(probe["pictures"])) if "pictures" in probe else None
    is_open, room = probe["kind"] == "generation", room_for_text(model) - (pictures.n_patches if pictures else 0)
    answer_room, separator = probe["max_new_tokens"] if is_open else 0, probe.get("separator", SEPARATOR)
    prompts = build_prompts(tokenizer, rows, shots, separator=separator, room=room, answer_room=answer_room)
    seen = [row["item"] for row in rows], pictures, model, tokenizer
    asked_of = with_pictures(prompts, *seen)
    if is_open:
        targets = with_pictures(target_prompts(tokenizer, rows, shots, prompts, separator=separator, room=room), *seen)
        stopping = stopping_of(model, tokenizer, probe, rows)
        with showing(model, pictures):
            answers = open_answers(model, tokenizer, asked_of, targets, stopping, batch_tokens)
    elif is_reward:
        answers = reward_scores(model, tokenizer, rows, prompts, batch_tokens=batch_tokens)
    elif check_says(model, probe):
        answers = label_scores(model, rows, prompts, batch_tokens=batch_tokens)
    else:
        with showing(model, pictures):
            scores = option_scores(model, asked_of, batch_tokens=batch_tokens)
        answers = option_answers(scores, prompts)
    if text := probe.get("unconditional"):
        unconditional = unconditional_scores(model, tokenizer, rows, text, room=room, batch_tokens=batch_tokens)
        answers = [said | {"logps_unconditional": logps} for said, logps in zip(answers, unconditional, strict=True)]
    return [
        {key: row[key] for key in ("item", "cluster", "choices", "gold", "target")}
        | {"references": row.get("references") or [], "same_text": row.get("same_text") or same_text(row["choices"])}
        | {"n_prompt_tokens": len(prompt.context), "n_dropped_shots": prompt.n_dropped}
        | said
        for row, prompt, said in zip(rows, asked_of, answers, strict=True)
    ]


def read_items(probe: dict) -> list[dict]:
    """Read the items of a probe; UserError where a choice has an item without options."""
    rows = read_examples(Path(probe["examples"]))
    if probe["kind"] in ("choice", "preference") and (odd := [row["item"] for row in rows if not row["choices"]]):
        raise UserError(
            f"item {odd[0]!r} of {probe['examples']} has no choices\nhint: kind: generation for open questions"
        )
    return rows


def read_shots(probe: dict, seed: int) -> list[Shot]:
    """Draw the shots of a probe; none where it has none."""
    if not probe["shots"]:
        return []
    return draw_shots(read_examples(Path(probe["shot_examples"])), probe["shots"], seed=seed)


def stopping_of(model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: dict, rows: list[dict]) -> Stopping:
    """Describe when an answer to an open question ends; in a chat, also where its turn does."""
    texts, tokens = [probe["stop"]], end_tokens(Path(model.name_or_path))
    if rows and rows[0].get("turns"):
        turn = turn_end(tokenizer)
        texts.append(turn.text)
        tokens |= set() if turn.token is None else {turn.token}
    return Stopping(probe["max_new_tokens"], tuple(filter(None, texts)), tokens)


def open_answers(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: list[Prompt],
    targets: list[Prompt | None],
    stopping: Stopping,
    batch_tokens: int,
) -> list[dict]:
    """Generate a text after every prompt, and score the right answer where that is possible.

    Most targets follow the very tokens of the prompt, and are read with it. Where the end of a prompt is written again,
    a target may begin later.
    """
    is_alike = [t is not None and t.context == prompt.context for t, prompt in zip(targets, prompts, strict=True)]
    alike = [target.answers[0] if target and same else [] for target, same in zip(targets, is_alike, strict=True)]
    apart = [target for target, same in zip(targets, is_alike, strict=True) if target and not same]
    scores = iter(option_scores(model, apart, batch_tokens=batch_tokens))
    starts = [prompt.start or Start(prompt.context) for prompt in prompts]
    found = []
    answers = answer(model, tokenizer, starts, alike, stopping, batch_tokens=batch_tokens)
    for (text, logp), target, same in zip(answers, targets, is_alike, strict=True):
        nll = -(logp if same else next(scores)[0]) if target else None
        reason = {"reason": "no finite logits where the answer is written"} if text is None else {}
        found.append({"text": text, "nll": nll, "n_tokens": len(target.answers[0]) if target else None} | reason)
    return found


def predict_probe(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: dict, *, seed: int, batch_tokens: int
) -> list[dict]:
    """Make one row per item, with the probe's identity."""
    is_reward = asks_reward(model, probe)
    if probe["kind"] == "text":
        rows = predict_text(model, tokenizer, read_rows(Path(probe["examples"])), batch_tokens)
    elif probe["kind"] == "harness":
        rows = predict_task(model, tokenizer, probe, batch_tokens=batch_tokens)
    else:
        rows = predict_questions(model, tokenizer, probe, seed=seed, batch_tokens=batch_tokens, is_reward=is_reward)
    identity = {
        "suite": probe["suite"],
        "probe": probe["probe"],
        "probe_kind": probe["kind"],
        "probe_format": probe["format"],
        "shots": probe["shots"],
        "split": probe.get("split", "test"),
        "is_truncated": False,  # whole shots are dropped, and a question that does not fit is refused; not by lm-eval
    }
    logging.info(
        "%s: %s, %s, %d shots: %d items", *list(identity.values())[:2], probe["format"], probe["shots"], len(rows)
    )
    rows = [identity | with_reason(row) for row in rows]
    if lost := [row["reason"] for row in rows if row["reason"]]:
        logging.warning("%s: %s", probe["probe"], lost_items(lost, n_items=len(rows)))
    return rows


def named_files(probes: str) -> list[Path]:
    """List the files that probes name, and the file of probes if there is one."""
    own = [] if probes.lstrip().startswith("[") else [Path(probes)]
    return own + [
        Path(probe[key]) for probe in read_probes(probes) for key in ("examples", "shot_examples") if key in probe
    ]


def main(argv: list[str] | None = None) -> None:
    """Write one row for every item of every probe."""
    parser = argument_parser(__doc__)
    parser.add_argument("--model", required=True, type=existing, help="folder of the model")
    parser.add_argument("--probes", required=True, help="the probes: JSON text, or a file of it")
    parser.add_argument("--seed", type=int, default=0, help="seed of the shots")
    parser.add_argument(
        "--training", type=existing, nargs="?", help="record of its training; a diverged model is not measured"
    )
    parser.add_argument(
        "--delete-model", action="store_true", help="delete a tuned model's files once it is measured; needs --training"
    )
    parser.add_argument(
        "--known", type=Path, help="a file that names predictions which still hold; they are taken from there"
    )
    parser.add_argument("--batch-tokens", type=int, help="padded tokens in one batch; without, what suits the device")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where a GPU has it, else fp32"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, type=output_table(PREDICTIONS), help="parquet file to write")
    options = parser.parse_args(argv)
    for source in (options.model, *named_files(options.probes)):
        check_no_overlap(options.output, source)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    if options.delete_model and options.training:
        check_is_tuned(options.model)
    rows = []
    if options.training and read_json(options.training, dict, keys=("status",))["status"] != "done":
        logging.info("the training diverged: nothing to measure")
    else:
        rows = predictions(options)
    write_table(options.output, rows, PREDICTIONS)
    if options.known and options.known.is_file():
        Path(read_json(options.known, dict, keys=("predictions",))["predictions"]).unlink(missing_ok=True)
        options.known.unlink()
    if options.delete_model and options.training:  # an untouched checkpoint has no training
        drop_weights(options.model)


def predictions(options: argparse.Namespace) -> list[dict]:
    """Make one row for every item of every probe."""
    probes, known = read_probes(options.probes), known_rows(options.known)
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    precision = resolve_precision(options.precision, model.device)
    logging.info("precision: %s", precision)
    rows: list[dict] = []
    how = {"seed": options.seed, "batch_tokens": options.batch_tokens or row_tokens(model, is_trained=False)}
    with autocast(model.device, precision):
        for probe in probes:
            if (kept := known.get(place_of(probe))) is not None:
                logging.info("%s, %s: taken from former predictions", probe["probe"], probe["format"])
                rows += [row | {"suite": probe["suite"]} for row in kept]
            else:
                rows += [row | {"precision": precision} for row in predict_probe(model, tokenizer, probe, **how)]
    return rows


def place_of(probe: dict) -> tuple:
    """Say what tells a probe from others of the same model."""
    return probe["probe"], probe["kind"], probe["format"], probe["shots"], probe.get("split", "test")


def known_rows(path: Path | None) -> dict[tuple, list[dict]]:
    """Read former predictions by probe, of those probes that the file `path` says still hold; none without the file."""
    if not path or not path.is_file():
        return {}
    known = read_json(path, dict, keys=("predictions", "probes"))
    found: dict[tuple, list[dict]] = {tuple(probe): [] for probe in known["probes"]}
    for row in read_table(Path(known["predictions"])).to_dicts():
        key = tuple(row[name] for name in ("probe", "probe_kind", "probe_format", "shots", "split"))
        if key in found:
            found[key].append(row)
    return found


if __name__ == "__main__":
    run(main)
