"""Sum the cost of a study: the seconds and memory that its jobs recorded, by stage."""

from pathlib import Path
from typing import Any

from ripeness.runtime.files import read_json
from ripeness.workflow.result_keys import PLAN

PEAKS = ("peak_memory_mb", "peak_cuda_mb")  # of a job: its whole process, and its tensors on the GPU
LOST = "delete it; what this job used is then missing from the costs"
WARM_USAGE = "warm_*.usage.json"  # of processes that jobs are forked from


def usage_table(folder: Path | None, *, since: float = 0.0) -> list[dict[str, Any]]:
    """Sum what jobs used (seconds, memory) by stage: the first folder under `folder`, or the file if it lies there.

    Only jobs that ended after `since` (seconds of the epoch) count.
    """
    if folder is None:
        return []
    stages: dict[str, list[dict[str, Any]]] = {}
    for path in logs_of_plan(folder):
        facts = path.stat()  # of a job that failed Snakemake leaves an empty file
        usage = read_json(path, advice=LOST) if facts.st_size and facts.st_mtime >= since else None
        if isinstance(usage, dict) and "compute_cpu_s" in usage:
            stage = path.relative_to(folder).parts[0].split(".")[0]
            stages.setdefault(stage, []).append(usage)
    rows: list[dict[str, Any]] = []
    for stage, jobs in stages.items():
        total = {key: sum(job.get(key) or 0.0 for job in jobs) for key in ("compute_cpu_s", "startup_cpu_s", "wall_s")}
        peaks = {key: max(job.get(key) or 0.0 for job in jobs) for key in PEAKS}
        rows.append({"stage": stage, "jobs": len(jobs), **total, **peaks})
    rows.sort(key=lambda row: -row["compute_cpu_s"])
    if rows:
        whole = {key: sum(row[key] for row in rows) for key in ("jobs", "compute_cpu_s", "startup_cpu_s", "wall_s")}
        rows.append({"stage": "all", **whole, **{key: max(row[key] for row in rows) for key in PEAKS}})
    return rows


def logs_of_plan(folder: Path) -> list[Path]:
    """List the logs of jobs that the study has as it is now; all logs where no plan has been written."""
    found, plan = sorted(folder.rglob("*.json")), folder.parent / PLAN
    if folder.name != "logs" or not plan.is_file():
        return found
    logs = set(read_json(plan, dict, keys=("logs",))["logs"])
    return [path for path in found if str(path.relative_to(folder.parent)) in logs or path.parent == folder]


def cost_lines(logs: Path, *, since: float, cpu_snakemake: float) -> list[str]:
    """Write jobs, computing and start-up by stage, in CPU seconds, of what ended after `since`, as lines of text.

    `cpu_snakemake` are the CPU seconds of Snakemake and of everything that it waited for. Start-up is all that is not
    computing: Snakemake, shells, interpreters, imports.
    """
    rows = usage_table(logs, since=since)
    if not rows:
        return []
    *stages, whole = rows
    lines = [f"{'stage':<22}{'jobs':>7}{'computing':>12}{'start-up':>12}   CPU seconds"]
    for row in stages:
        lines.append(f"{row['stage']:<22}{row['jobs']:>7}{row['compute_cpu_s']:>12.1f}{row['startup_cpu_s']:>12.1f}")
    overhead = cpu_snakemake + warm_cpu(logs, since=since) - whole["compute_cpu_s"]
    share = overhead / (overhead + whole["compute_cpu_s"])
    label, jobs = "all, with Snakemake", whole["jobs"]
    return [*lines, f"{label:<22}{jobs:>7}{whole['compute_cpu_s']:>12.1f}{overhead:>12.1f}   start-up is {share:.0%}"]


def warm_cpu(logs: Path, *, since: float = 0.0) -> float:
    """Sum the CPU seconds of processes that jobs are forked from, with their jobs, which nobody else counts."""
    used = [
        read_json(path, dict, keys=("cpu_s", "jobs_cpu_s"), advice=LOST)
        for path in logs.glob(WARM_USAGE)
        if path.stat().st_mtime >= since
    ]
    return sum(server["cpu_s"] + server["jobs_cpu_s"] for server in used)
