"""End the SLURM jobs that a killed Snakemake has left behind in this folder, and wait until they are gone.

They would write files at the same time as the next run. `make resume` runs this first.
"""

import logging
import os
import subprocess
import time
from pathlib import Path

from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError

MOST_SECONDS = 300  # that a job may take to save its state and end, and SLURM to answer
AGAIN = "hint: no job is known to have ended; is SLURM at work? try sinfo, then this again"


def main(argv: list[str] | None = None) -> None:
    """Cancel the user's jobs that were submitted from the current folder."""
    argument_parser(__doc__).parse_args(argv)
    if at_work := [pid for pid in processes_here() if pid != os.getpid()]:
        raise UserError(
            f"Snakemake is running in this folder (process {', '.join(map(str, at_work))})\n"
            "hint: wait for it, or interrupt it; it manages its own jobs"
        )
    jobs = jobs_here()
    if not jobs:
        logging.info("SLURM has no job of this folder")
        return
    logging.info("cancelling %d jobs: %s", len(jobs), " ".join(jobs))
    ask("scancel", *jobs)
    end, why = time.monotonic() + MOST_SECONDS, ""
    while jobs:
        if time.monotonic() > end:
            raise UserError(
                why or f"jobs {' '.join(jobs)} have not ended in {MOST_SECONDS} s\nhint: look at them with squeue"
            )
        time.sleep(1)
        try:
            jobs, why = jobs_here(), ""
        except UserError as error:  # what does not answer now may in a while
            why = str(error)


def jobs_here() -> list[str]:
    """List this user's unfinished jobs that were submitted from the current folder."""
    lines = [line.partition(" ") for line in ask("squeue", "--me", "-h", "-o", "%A %Z").splitlines()]
    return [number for number, _, folder in lines if Path(folder).resolve() == Path.cwd().resolve()]


def processes_here() -> list[int]:
    """List the Snakemake processes on this machine that run in the current folder."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes().split(b"\0")
            is_here = Path(os.readlink(process / "cwd")) == Path.cwd().resolve()
        except OSError:
            continue  # another user's, or gone by now
        is_snakemake = any(Path(os.fsdecode(word)).name == "snakemake" for word in words[:4])
        if is_here and is_snakemake and b"--mode" not in words:  # with a mode: what runs inside a SLURM job
            found.append(int(process.name))
    return found


def ask(*command: str) -> str:
    """Run one of SLURM's programs and return its output; UserError where it fails, even with status 0."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_SECONDS, check=False)
    except FileNotFoundError:
        raise UserError(f"there is no {command[0]} on this machine\nhint: run this on the login node") from None
    except subprocess.TimeoutExpired:
        raise UserError(f"{command[0]} does not answer within {MOST_SECONDS} s\n{AGAIN}") from None
    if done.returncode or "error" in done.stderr:
        raise UserError(f"{command[0]}: {done.stderr.strip() or f'status {done.returncode}'}\n{AGAIN}")
    return done.stdout


if __name__ == "__main__":
    run(main)
