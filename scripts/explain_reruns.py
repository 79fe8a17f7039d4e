"""Say which jobs a run would start, and why. Nothing is run.

By hand: python scripts/explain_reruns.py --study studies/x.yaml

A reason is what differs between a result and the plan: its settings, its code (with the definitions that have changed),
an input (a file with other content, or a result that differs), or a probe that was not measured. "missing" has not been
made; "no key" was made by something that left no note of how.

--accept code takes results that differ in their code only as they are from now on. --accept no-key does so with results
of which nothing is known: made with RIPENESS_PLAIN=1, or before results had keys. Both take what needs a GPU, and all
that it was made from; tables and figures are made again. provenance.json records what was taken. CHANGELOG.md says of
each version which numbers it changes.
"""

from pathlib import Path
from typing import Any

from ripeness.runtime.command_line import argument_parser, run
from ripeness.runtime.errors import UserError
from ripeness.storage.parquet import read_table
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.tables.columns import PREDICTIONS, PROBE
from ripeness.workflow.given_config import check_same_study
from ripeness.workflow.reruns import ACCEPTS
from ripeness.workflow.result_keys import Key, Keys
from ripeness.workflow.snakemake_call import ROOT, ask_plan

PREDICTED = [name for name in PROBE if name != "suite"]  # the names of a probe in a table of predictions


def note_accepted(results: Path, accepted: list[dict[str, Any]]) -> int:
    """Note the keys of results that are taken as they are; return the number of predictions that lack probes."""
    keys, n_lacking = Keys(results), 0
    for one in accepted:
        key = one["key"] | {"probes": tuple(one["key"]["probes"])}
        if "probes" in one:
            (output,) = one["outputs"]
            key["probes"] = measured_probes(results / output, one["probes"])
            n_lacking += len(key["probes"]) < len(one["probes"])
        how = {"kept": one["kept"], "accepted": one.get("accepted", ""), "counts_as": one["counts_as"]}
        keys.add(Key(**key), one["outputs"], **how)
    return n_lacking


def measured_probes(predictions: Path, asked: list[tuple[list[Any], str]]) -> tuple[str, ...]:
    """Return the keys of those probes that predictions are of, of (names, key); none for tables of other columns.

    A model that diverged has no predictions, whatever was asked.
    """
    try:
        rows = read_table(predictions, schema=PREDICTIONS)
    except UserError:
        return ()
    measured = set(rows.select(PREDICTED).unique().iter_rows())
    return tuple(sorted(key for names, key in asked if rows.is_empty() or tuple(names) in measured))


def main(argv: list[str] | None = None) -> None:
    """Print one line for each rule and reason."""
    parser = argument_parser(__doc__)
    parser.add_argument("--study", type=Path, default=Path("config.yaml"), help="the study's config")
    parser.add_argument("--accept", choices=ACCEPTS, help="take results that differ only in this from now on")
    options = parser.parse_args(argv)
    study = load_study(read_yaml(options.study), ROOT / "tasks")
    results = Path("results") / study.settings.study
    if options.accept:
        check_same_study(study, results, options.study)
    answer = ask_plan(options.study, "RIPENESS_EXPLAIN", RIPENESS_ACCEPT=options.accept or "")
    if answer["accepted"]:
        n_lacking = note_accepted(results, answer["accepted"])
        n_taken = sum("accepted" in one for one in answer["accepted"])
        print(f"{n_taken} results are taken as they are; {results}/keys.jsonl has their keys")
        if n_lacking:
            print(f"{n_lacking} predictions lack probes that the study has now; these are measured")
            answer = ask_plan(options.study, "RIPENESS_EXPLAIN")
    if not answer["reasons"]:
        print("nothing would run: every result is there, made as the study says")
        return
    print(f"{'rule':<24}{'jobs':>8}   why")
    for rule, reason, n_jobs in answer["reasons"]:
        print(f"{rule:<24}{n_jobs:>8}   {reason}")


if __name__ == "__main__":
    run(main)
