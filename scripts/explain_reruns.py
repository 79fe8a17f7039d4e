"""Say which jobs a run would start, and why. Nothing is run.

By hand: python scripts/explain_reruns.py --study studies/x.yaml

A reason is what differs between a result and the plan: its settings, its code, an input (a file with other content, or
a result that differs), or a probe that was not measured. "missing" has not been made; "no key" was made by something
that left no note of how. With --accept code, results that differ in their code only are taken as they are from now on;
provenance.json records it. CHANGELOG.md says of each version which numbers it changes.
"""

from pathlib import Path

from ripeness.runtime.command_line import argument_parser, run
from ripeness.workflow.snakemake_call import ask_plan


def main(argv: list[str] | None = None) -> None:
    """Print one line for each rule and reason."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--accept", choices=("code",), help="take results that differ only in this from now on")
    options = parser.parse_args(argv)
    accepted = {"RIPENESS_ACCEPT": options.accept} if options.accept else {}
    reasons = ask_plan(options.study, "RIPENESS_EXPLAIN", **accepted)
    if not reasons:
        print("nothing would run: every result is there, made as the study says")
        return
    print(f"{'rule':<24}{'jobs':>8}   why")
    for rule, reason, n_jobs in reasons:
        print(f"{rule:<24}{n_jobs:>8}   {reason}")


if __name__ == "__main__":
    run(main)
