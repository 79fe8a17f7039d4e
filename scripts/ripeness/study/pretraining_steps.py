"""Plan the steps of a pre-training done here: those of each checkpoint, and those that checkpoints share.

Pure functions of a series' `pretrain` and of a checkpoint's line in it. Four schedules: `constant`, `cosine`, `wsd`
(Hu et al. 2024, arXiv 2404.06395), and `cosine-per-budget`, in which every checkpoint is the end of a run of its own,
as in the controlled experiments of arXiv 2503.19206.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from ripeness.runtime.errors import UserError
from ripeness.study.study_config import Pretrain

Settings = Pretrain
PER_BUDGET = "cosine-per-budget"
# Of each schedule the keys that it cannot do without, and those that it may have.
KEYS: dict[str, tuple[set[str], set[str]]] = {
    "constant": (set(), set()),
    "cosine": ({"end_step"}, {"final_ratio"}),
    "wsd": ({"end_step", "decay_steps"}, set()),
    PER_BUDGET: (set(), {"final_ratio"}),
}
SCHEDULE_KEYS = {"schedule"}.union(*(needed | further for needed, further in KEYS.values()))
FINAL_RATIO = 0.1  # where a cosine ends: that of OLMo and Pythia
FIRST_STATE = 64
FIRST_BETWEEN = 1536  # from here on 3 * 2^k too; before it a further job would cost more than the steps it saves


@dataclass(frozen=True)
class Place:
    """Where a checkpoint is taken: its step, and its phase there.

    Up to the step `shared` the run is that of the whole series; None where the checkpoint has a run of its own.
    `decay_steps` are those over which the rate falls to zero from there, if it does; `step` is one of them.
    """

    step: int
    phase: str
    shared: int | None
    decay_steps: int = 0


def place_of(settings: Settings, entry: Mapping[str, Any]) -> Place:
    """Find the place of a line in a pre-trained series: {step}, or {anneal_from, steps}.

    `decayed` is the end of a run whose rate has fallen, or a step of its decay; `annealed`, a branch off a run.
    """
    schedule = settings["schedule"]
    if "anneal_from" in entry:
        return Place(entry["anneal_from"] + entry["steps"], "annealed", entry["anneal_from"], entry["steps"])
    step = entry["step"]
    if schedule == PER_BUDGET:
        return Place(step, "decayed", None)
    if schedule == "wsd" and step > decay_start(settings):
        return Place(step, "decayed", decay_start(settings), settings["decay_steps"])
    return Place(step, "decayed" if schedule == "cosine" and step == settings["end_step"] else "stable", step)


def decay_start(settings: Settings) -> int:
    """Return the last stable step of a `wsd` run."""
    return settings["end_step"] - settings["decay_steps"]


def tokens_per_step(settings: Settings) -> int:
    """Count the tokens of a step."""
    return settings["batch_size"] * settings["sequence_length"]


def schedule_for(settings: Settings, entry: Mapping[str, Any] | None) -> dict[str, Any]:
    """Return the settings of the schedule for the run of a checkpoint, or the shared run (None).

    A `wsd` run is constant until its decay, which only its decayed checkpoints know of: a later end changes no other.
    """
    schedule, ratio = settings["schedule"], settings.get("final_ratio", FINAL_RATIO)
    if schedule == "cosine":
        return {"schedule": "cosine", "end_step": settings["end_step"], "final_ratio": ratio}
    if schedule == PER_BUDGET and entry is not None and entry["step"] > 0:
        return {"schedule": "cosine", "end_step": entry["step"], "final_ratio": ratio}
    return {}


def kept_steps(settings: Settings, entries: Iterable[Mapping[str, Any]]) -> list[int]:
    """List the steps at which the training state of a shared run is kept, up to the last shared step.

    They are 2^k, and 3 * 2^k from `FIRST_BETWEEN` on, so that no checkpoint repeats more than a third of its steps.
    The grid does not depend on the checkpoints: a new one starts from the state before it and changes nothing that is
    finished. Runs of their own share nothing and have none.
    """
    shared = [place.shared for place in (place_of(settings, entry) for entry in entries) if place.shared is not None]
    last = max(shared, default=-1)
    grid = {0} | {factor * 2**power for factor in (1, 3) for power in range(max(last, 1).bit_length())}
    return sorted(step for step in grid if step <= last and is_kept(step))


def is_kept(step: int) -> bool:
    """Say whether the grid of kept states has a step: 0, a power of two, or three times one."""
    is_power = step & (step - 1) == 0
    return step == 0 or (step >= FIRST_STATE and is_power) or (step >= FIRST_BETWEEN and not is_power)


def check_schedule(where: str, settings: Settings) -> None:
    """Refuse a schedule that lacks a key or has another's, or that is over before it begins; `where` is `pretrain`."""
    schedule, warmup = settings["schedule"], settings["warmup_steps"]
    needed, further = KEYS[schedule]
    given = settings.keys() & (SCHEDULE_KEYS - {"schedule"})
    if needed - given or given - needed - further:
        raise UserError(
            f"{where}.schedule: {schedule!r} has {', '.join(sorted(given)) or 'no further key'}; it needs "
            f"{', '.join(sorted(needed)) or 'none'}, and may have {', '.join(sorted(further)) or 'no other'}\n"
            "hint: config.schema.yaml explains end_step, decay_steps and final_ratio"
        )
    if schedule == "cosine" and settings["end_step"] <= warmup:
        raise UserError(
            f"{where}.end_step: {settings['end_step']} is not after the {warmup} warmup_steps\nhint: give a later step"
        )
    if schedule == "wsd" and decay_start(settings) < warmup:
        raise UserError(
            f"{where}.decay_steps: a decay over {settings['decay_steps']} steps to step {settings['end_step']} begins "
            f"before the {warmup} warmup_steps are over\nhint: give fewer decay_steps, or a later end_step"
        )


def check_place(where: str, settings: Settings, entry: dict[str, Any]) -> None:
    """Refuse a checkpoint that its schedule does not lead to; `where` is the checkpoint's line."""
    schedule, start = settings["schedule"], entry.get("anneal_from") or entry["step"]
    if schedule == PER_BUDGET and "anneal_from" in entry:
        raise UserError(
            f"{where}: with {PER_BUDGET} every checkpoint is a run of its own, which ends decayed; there is nothing to "
            "anneal\nhint: give {step: N}, or set schedule: constant or wsd"
        )
    if schedule == PER_BUDGET and 0 < entry["step"] <= settings["warmup_steps"]:
        raise UserError(
            f"{where}: a budget of {entry['step']} steps is over before the {settings['warmup_steps']} warmup_steps "
            "are\nhint: give more steps, or fewer warmup_steps"
        )
    if "end_step" in settings and start > settings["end_step"]:
        raise UserError(
            f"{where}: step {start} is past the end of the run, step {settings['end_step']}\n"
            "hint: raise end_step, which repeats the pre-training that depends on it"
        )
    if "anneal_from" in entry and place_of(settings, {"step": start}).phase != "stable":
        raise UserError(f"{where}: at step {start} the rate has already fallen\nhint: anneal from an earlier step")
