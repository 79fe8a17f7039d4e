"""The checkpoints that a study's series list: their names, and whether each can be had."""

from typing import Any

from ripeness.errors import UserError


def name_checkpoints(series: str, settings: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Name the checkpoints of a series and check that each can be had."""
    named: dict[str, dict[str, Any]] = {}
    for number, entry in enumerate(settings["checkpoints"]):
        where = f"series.{series}.checkpoints.{number}"
        ways = {"path": "path" in entry, "revision": "revision" in entry, "pretrain": "pretrain" in settings}
        if sum(ways.values()) != 1:
            given = " and ".join(f"`{way}`" for way, is_given in ways.items() if is_given) or "nothing"
            raise UserError(
                f"{where}: {entry} comes from {given}; a checkpoint has exactly one source: `path`, `revision`, or a "
                "step of a series with `pretrain`\n"
                "hint: checkpoints that are pre-trained here and others belong to different series"
            )
        if not ways["pretrain"] and (strange := sorted(entry.keys() & {"anneal_from", "steps"})):
            raise UserError(
                f"{where}: {' and '.join(strange)} are for a series with `pretrain`\n"
                "hint: give `step`, `tokens`, `lr` and `phase: annealed` where the checkpoint is a finished one"
            )
        if ways["revision"] and not ("repo" in settings and "step" in entry and "tokens" in entry):
            raise UserError(
                f"{where}: a revision needs `repo` in the series, and `step` and `tokens` of the checkpoint\n"
                "hint: they are in the model's card or in the name of its branch"
            )
        if ways["pretrain"]:
            check_pretrained(where, entry, settings["pretrain"])
        name = entry.get("name") or default_name(where, entry)
        if name in named:
            raise UserError(f"{where}: checkpoint {name!r} is there twice in series {series!r}\nhint: remove one")
        named[name] = {key: value for key, value in entry.items() if key != "name"}
    return named


def check_pretrained(where: str, entry: dict[str, Any], settings: dict[str, Any]) -> None:
    """Refuse a checkpoint line, or a model, that a pre-training here cannot make."""
    keys = set(entry) - {"name"}
    if keys not in ({"step"}, {"anneal_from", "steps"}):
        raise UserError(
            f"{where}: {entry} is neither {{step: N}} nor {{anneal_from: N, steps: M}}\n"
            "hint: tokens and learning rate follow from the pre-training settings"
        )
    if settings["hidden_size"] % (2 * settings["n_heads"]):
        series = where.partition(".checkpoints")[0]
        raise UserError(
            f"{series}.pretrain.hidden_size: {settings['hidden_size']} is no multiple of twice n_heads, "
            f"{2 * settings['n_heads']}\nhint: positions are rotations of pairs, so a head has an even width"
        )


def default_name(where: str, entry: dict[str, Any]) -> str:
    """The name of a checkpoint that has none: its step."""
    if "anneal_from" in entry:
        return f"step{entry['anneal_from'] + entry['steps']}-annealed"
    if "step" in entry:
        return f"step{entry['step']}"
    raise UserError(f"{where}: a checkpoint needs a `name` or a `step`\nhint: e.g. {{path: ..., step: 1000}}")
