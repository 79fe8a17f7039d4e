"""How sensitive a checkpoint is: its loss on running text with noise on its weights, and with rounded weights.

By hand: python scripts/measure_sensitivity.py --model FOLDER --texts '{"prose": "prose.txt"}' --output table.parquet

FOLDER is any causal language model in the layout of transformers. A text is a file of UTF-8 text, whose paragraphs are
its passages, or a table (.parquet) with the columns item and text. --settings holds the noise by normalisation, each
with its scales, the seeds that draw it, and the bits that weights are rounded to:

  {"noise": {"init": [0.1], "relative": [0.01, 0.03], "absolute": [0.001]}, "seeds": [0, 1, 2], "bits": [8, 4]}

Noise on a tensor is scale x std x Z, with Z from N(0, 1), where std is, by normalisation: `init`, that of the tensor's
initialisation, measured on the model at step 0 (--start) or else as its config says; norm gains and biases begin as
constants and get none; `relative`, the root mean square of the tensor as it is now; `absolute`, 1. The same Z at every
scale, normalisation and checkpoint, so that differences are paired. Rounding takes the nearest of 2^bits - 1 levels,
symmetric, for each output channel of each matrix; vectors stay. All weights are perturbed together, tied ones once.

A row of the table is one perturbation on one text: `base_loss` and `loss` in nats a token, `increase` of the loss with
its standard error `se` over passages (paired: what a passage is hard or easy by is in both losses), and perplexities.
Noise may leave a model without a finite loss: what is no number is null, and `reason` says why.
"""

import argparse
import logging
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel

from ripeness.measure.perturbation import copies_of, draw_noise, replaced, rounding, stds_of, weights_of, with_noise
from ripeness.models.forward.running_text import Passages, passage_losses, read_passages, read_rows
from ripeness.models.load import autocast, load_model, read_checkpoint, resolve_precision
from ripeness.models.pictures import take_projector
from ripeness.models.row_tokens import row_tokens
from ripeness.models.tokens import load_tokenizer
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_table, run
from ripeness.runtime.errors import UserError
from ripeness.runtime.freed_memory import keep_freed_memory
from ripeness.runtime.typed_settings import check_types
from ripeness.stats.finite import finite, lost_items
from ripeness.stats.ratios import ratio_with_error
from ripeness.tables.columns import SENSITIVITY, write_table

NOISE: dict[str, list[float]] = {"init": [0.03, 0.1, 0.3], "relative": [0.03, 0.1, 0.3], "absolute": []}
BY_HAND: dict[str, Any] = {
    "noise": NOISE,
    "seeds": [0, 1, 2],
    "bits": [8, 4],
}


@dataclass(frozen=True)
class Scales:
    """The types of the settings."""

    scales: list[float]
    seeds: list[int]
    bits: list[int]


Losses = dict[str, list[float]]  # nats of every passage, by text


def with_defaults(settings: dict[str, Any]) -> dict[str, Any]:
    """Fill in settings from BY_HAND; UserError for an unknown key or normalisation."""
    if not isinstance(settings.get("noise", {}), dict):
        raise UserError(f"noise is {settings['noise']!r}, not an object\nhint: see --help")
    known = {"the settings": (settings, BY_HAND), "noise": (settings.get("noise", {}), NOISE)}
    for where, (given, choices) in known.items():
        if strange := sorted(given.keys() - choices.keys()):
            raise UserError(f"{where}: unknown {strange[0]!r}; known are {', '.join(choices)}\nhint: see --help")
    for normalisation, scales in settings.get("noise", {}).items():
        check_types(f"noise.{normalisation}", Scales, {"scales": scales})
    check_types("the settings", Scales, settings)
    return BY_HAND | settings


def identity_of(folder: Path) -> dict[str, Any]:
    """Read a checkpoint's identity from its folder, or take it from the folder's names where it has none."""
    if not (folder / "checkpoint.json").is_file():
        return {"series": folder.absolute().parent.name, "checkpoint": folder.absolute().name}
    facts = read_checkpoint(folder)
    identity = {key: facts[key] for key in ("series", "checkpoint", "step", "tokens", "lr", "phase")}
    return identity | {"pretraining_seed": facts["seed"]}


def sensitivity(
    model: PreTrainedModel, read: Callable[[], Losses], settings: dict[str, Any], start: Path | None
) -> Iterator[tuple[dict[str, Any], Losses]]:
    """Apply every perturbation and `read` the losses under it; the noise of one seed is drawn once.

    Next to the model it keeps an exact copy of the weights and, in fp32, the noise of one seed.
    """
    weights = weights_of(model)
    originals = copies_of(weights)
    scales = {name: values for name, values in settings["noise"].items() if values}
    stds = {name: stds_of(name, originals, model.config, start) for name in scales}
    for seed in settings["seeds"] if scales else []:
        noise = draw_noise(weights, seed)
        for normalisation, values in scales.items():
            for scale in values:
                with replaced(weights, originals, with_noise(noise, stds[normalisation], scale)):
                    losses = read()
                place = {"normalisation": normalisation, "scale": scale, "noise_seed": seed}
                yield {"perturbation": "noise"} | place, losses
    for bits in settings["bits"]:
        with replaced(weights, originals, rounding(model, bits)):
            losses = read()
        yield {"perturbation": "rounding", "normalisation": "", "scale": bits, "noise_seed": None}, losses


def row_of(passages: Passages, before: list[float], after: list[float]) -> dict[str, Any]:
    """Compute losses (nats per token), their difference with its standard error over passages, and perplexities.

    Null, with the reason, where a passage has no finite loss.
    """
    n_tokens, n_items = sum(passages.n_tokens), len(passages.items)
    base_loss, loss = finite(sum(before) / n_tokens), finite(sum(after) / n_tokens)
    increase, se, reason = None, None, None
    if lost := [place for place in range(n_items) if finite(before[place]) is None or finite(after[place]) is None]:
        reason = lost_items(["no finite loss"] * len(lost), n_items=n_items, noun="passage")
    else:
        changes = [b - a for a, b in zip(before, after, strict=True)]
        increase, se = ratio_with_error(changes, list(map(float, passages.n_tokens)), passages.items)
        if perplexity(loss) is None:
            reason = "the perplexity is too large for a number"
    return {
        "base_loss": base_loss,
        "loss": loss,
        "increase": increase,
        "se": se,
        "base_perplexity": perplexity(base_loss),
        "perplexity": perplexity(loss),
        "n_items": n_items,
        "n_tokens": n_tokens,
        "reason": reason,
    }


def perplexity(loss: float | None) -> float | None:
    """Compute e to the loss; None without one, or where the number is too large."""
    return math.exp(loss) if loss is not None and loss < 700 else None


def rows_of(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Make one row for every perturbation and text."""
    model, tokenizer = load_model(options.model), load_tokenizer(options.model)
    take_projector(model)  # which reads no text
    precision = resolve_precision(options.precision, model.device)
    logging.info("precision: %s; step 0: %s", precision, options.start or "as the config says")
    batch_tokens = options.batch_tokens or row_tokens(model, is_trained=False)
    texts = {
        name: read_passages(model, tokenizer, read_rows(existing(path)), batch_tokens=batch_tokens)
        for name, path in options.texts.items()
    }

    def read() -> Losses:
        with autocast(model.device, precision):  # again each time: it may keep bf16 copies of weights
            return {name: passage_losses(model, passages) for name, passages in texts.items()}

    before, settings = read(), with_defaults(options.settings)
    identity = {"study": options.study} | identity_of(options.model)
    rows = []
    for place, losses in sensitivity(model, read, settings, options.start):
        for name, passages in texts.items():
            rows.append(identity | place | {"probe": name} | row_of(passages, before[name], losses[name]))
            found = {key: rows[-1][key] for key in ("probe", "loss", "increase")}
            logging.info("%s", " ".join(str(value) for value in [*place.values(), *found.values()]))
    return rows


def main(argv: list[str] | None = None) -> None:
    """Write one row for every perturbation and text."""
    parser = argument_parser(__doc__)
    parser.add_argument("--model", required=True, type=existing, help="folder of the checkpoint")
    parser.add_argument("--start", type=existing, nargs="?", help="its series at step 0: folder, or training state")
    parser.add_argument("--texts", required=True, type=json_option, help='names and files, as {"name": "file"}')
    parser.add_argument("--settings", type=json_option, default={}, help="noise, seeds and bits, see above")
    parser.add_argument("--study", default="by-hand", help="name of the study, for its column")
    parser.add_argument("--batch-tokens", type=int, help="padded tokens in one batch; without, what suits the device")
    parser.add_argument(
        "--precision", choices=("auto", "fp32", "bf16"), default="auto", help="auto: bf16 where a GPU has it, else fp32"
    )
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--output", required=True, type=output_table(SENSITIVITY), help="parquet file to write")
    options = parser.parse_args(argv)
    torch.set_num_threads(options.threads)
    keep_freed_memory()
    write_table(options.output, rows_of(options), SENSITIVITY)


if __name__ == "__main__":
    run(main)
