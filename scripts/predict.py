"""Measure one model on its probes: a log-likelihood for every option, a text for every open question, nothing scored.

By hand: python scripts/predict.py --model FOLDER --seed 1 --output predictions.parquet --probes probes.json, where
probes.json is a list such as [{"suite": "mine", "probe": "rte", "kind": "choice", "format": "default", "shots": 0,
"examples": "test.jsonl"}]; "shot_examples" names a file of shots, and kind "generation" needs "max_new_tokens" and
"stop". Files are JSONL, {"prompt": ..., "choices": [" yes", " no"], "gold": 0} or {"prompt": ..., "target": " ..."} a
line, or parquet from render_examples. In the output, `logps` holds the summed log-probability (nats) of every option,
and `logps_unconditional` that after the text of the probe's key "unconditional", such as "Answer:", where it has one.
"""

import argparse
import logging
from pathlib import Path

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.command_line import argument_parser, existing, run
from ripeness.files import read_json
from ripeness.generation import Stopping, generate
from ripeness.harness import predict_task
from ripeness.models import autocast, context_length, load_model, load_tokenizer, resolve_precision
from ripeness.options import option_scores
from ripeness.prompts import SEPARATOR, build_prompts, draw_shots, read_probes, unconditional_prompts
from ripeness.running_text import passage_losses, read_passages, read_rows
from ripeness.tables import PREDICTIONS, read_examples, write_table
from ripeness.weights import drop_weights


def predict_text(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, rows: list[dict], batch_tokens: int
) -> list[dict]:
    """Negative log-likelihood, tokens and bytes of every passage of running text."""
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
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: dict, *, seed: int, batch_tokens: int
) -> list[dict]:
    """Predictions for the items of a choice or generation probe."""
    rows = read_examples(Path(probe["examples"]))
    shots = []
    if probe["shots"]:
        shots = draw_shots(read_examples(Path(probe["shot_examples"])), probe["shots"], seed=seed)
    is_open = probe["kind"] == "generation"
    prompts = build_prompts(
        tokenizer,
        rows,
        shots,
        separator=probe.get("separator", SEPARATOR),
        room=context_length(model.config),
        answer_room=probe["max_new_tokens"] if is_open else 0,
    )
    if is_open:
        stopping = Stopping(probe["max_new_tokens"], probe["stop"])
        contexts = [prompt.context for prompt in prompts]
        texts = generate(model, tokenizer, contexts, stopping, batch_tokens=batch_tokens)
        answers = [{"text": text} for text in texts]
    else:
        scores = option_scores(model, prompts, batch_tokens=batch_tokens)
        lengths = [[len(answer) for answer in prompt.answers] for prompt in prompts]
        answers = [{"logps": logps, "n_option_tokens": n} for logps, n in zip(scores, lengths, strict=True)]
    if probe.get("unconditional"):
        asked = unconditional_prompts(tokenizer, rows, probe["unconditional"], room=context_length(model.config))
        scores = option_scores(model, list(asked.values()), batch_tokens=batch_tokens)
        alone = {option: logps[0] for option, logps in zip(asked, scores, strict=True)}
        for answer, row in zip(answers, rows, strict=True):
            answer["logps_unconditional"] = [alone[option] for option in row["choices"]]
    keep = ("item", "cluster", "choices", "gold", "target")
    return [
        {key: row[key] for key in keep}
        | {"references": row.get("references") or []}
        | {"n_prompt_tokens": len(prompt.context), "n_dropped_shots": prompt.n_dropped}
        | answer
        for row, prompt, answer in zip(rows, prompts, answers, strict=True)
    ]


def predict_probe(
    model: PreTrainedModel, tokenizer: PreTrainedTokenizerBase, probe: dict, *, seed: int, batch_tokens: int
) -> list[dict]:
    """One row an item, with the probe's identity."""
    if probe["kind"] == "text":
        rows = predict_text(model, tokenizer, read_rows(Path(probe["examples"])), batch_tokens)
    elif probe["kind"] == "harness":
        rows = predict_task(model, tokenizer, probe, batch_tokens=batch_tokens)
    else:
        rows = predict_questions(model, tokenizer, probe, seed=seed, batch_tokens=batch_tokens)
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
    return [identity | row for row in rows]


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
    parser.add_argument("--batch-tokens", type=int, default=4096, help="padded tokens in one batch")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where a GPU has it, else fp32"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, type=Path, help="parquet file to write")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    rows = []
    if options.training and read_json(options.training)["status"] != "done":
        logging.info("the training diverged: nothing to measure")
    else:
        rows = predictions(options)
    write_table(options.output, rows, PREDICTIONS)
    if options.delete_model and options.training:  # an untouched checkpoint has no training
        drop_weights(options.model)


def predictions(options: argparse.Namespace) -> list[dict]:
    """One row for every item of every probe."""
    probes = read_probes(options.probes)
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    precision = resolve_precision(options.precision, model.device)
    logging.info("precision: %s", precision)
    rows, how = [], {"seed": options.seed, "batch_tokens": options.batch_tokens}
    with autocast(model.device, precision):
        for probe in probes:
            rows += [row | {"precision": precision} for row in predict_probe(model, tokenizer, probe, **how)]
    return rows


if __name__ == "__main__":
    run(main)
