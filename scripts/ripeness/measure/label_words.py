"""Items whose options are the same label words for all: as contexts and places of labels, and as a map scores them."""

from typing import Any

from transformers import PreTrainedModel, PreTrainedTokenizerBase

from ripeness.measure.prompts import Prompt, build_prompts
from ripeness.models.forward.last_states import last_states
from ripeness.models.label_map import LabelMap, map_of
from ripeness.runtime.errors import UserError

Row = dict[str, Any]
WAY = "another kind, which scores the text of each option"


def labels_of(rows: list[Row]) -> tuple[str, ...]:
    """Return the label words that all items share; UserError for an item with other options, or with none."""
    if not rows:
        raise UserError("there are no examples to learn from\nhint: the file of examples is empty")
    labels = [option.strip() for option in rows[0]["choices"]]
    for row in rows:
        options = [option.strip() for option in row["choices"]]
        if len(labels) < 2 or options != labels:
            raise UserError(
                f"item {row['item']!r} has the options {', '.join(options) or 'none'}, but a choice among label words "
                f"needs two or more that all items share (the first item has {', '.join(labels) or 'none'})\n"
                f"hint: {WAY}"
            )
    return tuple(labels)


def contexts_of_items(tokenizer: PreTrainedTokenizerBase, rows: list[Row], *, room: int) -> list[list[int]]:
    """Tokenize what a model reads before any answer to each item, which does not depend on the right one."""
    return [prompt.context for prompt in build_prompts(tokenizer, rows, [], separator="", room=room)]


def label_scores(model: PreTrainedModel, rows: list[Row], prompts: list[Prompt], *, batch_tokens: int) -> list[Row]:
    """Compute the log-probability (nats) of every option by the model's map to labels: `logps`, among labels alone.

    No option has tokens, so that there is no loss a token to compare with that of words.
    Labels are matched by their words. In a format that words them otherwise, such as by letters, options are those of
    the same places. UserError where the model has no map, or items have other options.
    """
    label_map = map_of(model)
    if label_map is None:
        raise UserError(
            "the probe needs a map to labels (`head`), which the model does not have\n"
            'hint: "head": false, or a model of kind features or head'
        )
    places = places_in(label_map, labels_of(rows)) if rows else []
    states = last_states(model, [prompt.context for prompt in prompts], batch_tokens=batch_tokens)
    return [{"logps": logps} for logps in label_map.logps(states)[:, places].tolist()]


def places_in(label_map: LabelMap, options: tuple[str, ...]) -> list[int]:
    """Return the label of each option."""
    labels = label_map.labels
    if len(set(labels)) == len(labels) and set(options) == set(labels):
        return [labels.index(option) for option in options]
    if len(options) != len(labels):
        raise UserError(
            f"the probe has {len(options)} options, {', '.join(options)}, but the model chooses among {len(labels)} "
            f"labels, {', '.join(labels)}\nhint: measure it on the dataset that it was tuned on"
        )
    return list(range(len(labels)))


def check_says(model: PreTrainedModel, probe: Row) -> bool:
    """Return whether a probe asks a model's map to labels; UserError where it does not say so of a model with one."""
    if probe["kind"] == "choice" and map_of(model) is not None and "head" not in probe:
        raise UserError(
            f"probe {probe['probe']!r} does not say whether the model's map to labels answers, or its output layer\n"
            'hint: "head": true for the dataset that it was tuned on, else "head": false'
        )
    return bool(probe.get("head"))
