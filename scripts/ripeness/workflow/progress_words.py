"""Say how far a run is in words for a terminal: stages of the work, and times as ranges."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

PREPARING, REPORTING = "preparing", "reporting"
STAGES = {
    "pre-training": ("build_corpus", "pretrain_state", "pretrain_checkpoint", "anneal_checkpoint"),
    "tuning": ("train_model", "choose_best", "keep_best"),
    "measuring": ("predict", "score", "measure_sensitivity", "collect_sensitivity", "simulate_linear_network"),
    REPORTING: (
        *("collect", "collect_checkpoint", "collect_simulations", "audit_results", "judge_claims", "plot_figure"),
        *("record_provenance", "show_prompts", "show_pictures", "write_report", "read_published"),
    ),
}
STAGE = {rule: stage for stage, rules in STAGES.items() for rule in rules}  # of all other rules: preparing
ORDER = (PREPARING, *STAGES)
ROUND = ((90, 5, "s"), (60 * 60, 60, "min"), (10 * 3600, 360, "h"))  # below so many seconds: steps, and the unit
UNITS = {"s": 1, "min": 60, "h": 3600}


@dataclass(frozen=True)
class Range:
    """Seconds: most likely, and from low to high in about four of five cases."""

    middle: float
    low: float
    high: float


def by_stage(jobs: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Sum numbers of jobs by rule to numbers by stage, in the order of the work."""
    found = dict.fromkeys(ORDER, 0)
    for rule, n in jobs:
        found[STAGE.get(rule, PREPARING)] += n
    return found


def stage_words(done: Mapping[str, int], total: Mapping[str, int]) -> str:
    """Name the stages at work with jobs done and in all; those that are through, or have not begun, are left out."""
    open_stages = [stage for stage in ORDER if done[stage] < total[stage]]
    shown = [stage for stage in open_stages if done[stage]] or open_stages[:1]
    return "  ".join(f"{stage} {done[stage]:,}/{total[stage]:,}" for stage in shown)


def plan_words(total: Mapping[str, int]) -> str:
    """Say what will run: the jobs, and how many of them belong to which stage."""
    n_jobs = sum(total.values())
    said = ", ".join(f"{n:,} {stage}" for stage, n in total.items() if n)
    return f"{n_jobs:,} job{'s' if n_jobs != 1 else ''} ({said})"


def range_of_times(times: Range) -> str:
    """Write a range of times in the unit that fits its upper end: 40-70 s, 15-25 min, 3-5 h."""
    step, unit = next(((step, unit) for most, step, unit in ROUND if times.high < most), (3600, "h"))
    low, high = (max(1, round(seconds / step)) * step / UNITS[unit] for seconds in (times.low, times.high))
    ends = [f"{end:,.0f}" if end >= 10 else f"{end:.2g}" for end in (low, high)]
    return f"{ends[0]} {unit}" if low == high else f"{'-'.join(ends)} {unit}"
