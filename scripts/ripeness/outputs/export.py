"""Export a finished study: what can be written, and how each kind is."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from ripeness.outputs import every_eval_ever, hf_folder, model_cards, ro_crate, tidy_files, written_tables
from ripeness.outputs.trackers import OFFLINE, log_study
from ripeness.runtime.errors import UserError
from ripeness.runtime.files import whole
from ripeness.runtime.wording import hint


@dataclass(frozen=True)
class Kind:
    """One kind of export: what it is, how it is written, and the end of its name if it is a file."""

    says: str
    write: Callable[[Path, Path], None]
    suffix: str = ""


KINDS = {
    "csv": Kind("tables as CSV, with a dictionary of their columns", tidy_files.write_csv),
    "parquet": Kind("the same as Parquet", tidy_files.write_parquet),
    "markdown": Kind("scores and claims for a page", written_tables.write_markdown, ".md"),
    "latex": Kind("scores and claims for a paper (booktabs, longtable)", written_tables.write_latex, ".tex"),
    "every-eval-ever": Kind("results and items in the schema of Every Eval Ever", every_eval_ever.write),
    "hf-dataset": Kind("a folder with a card that datasets.load_dataset reads", hf_folder.write),
    "ro-crate": Kind("the study without weights as an RO-Crate", ro_crate.write),
    "model-cards": Kind("a card for each kept model", model_cards.write),
}
CHOICES = (*KINDS, *OFFLINE)


def export(results: Path, kind: str, output: Path | None) -> str:
    """Write one kind of export, whole or not at all, and say where; UserError for a kind that is not known."""
    if kind in OFFLINE:
        n_runs = log_study(results, kind)
        return f"logged {n_runs} runs to {kind}, on this machine"
    if kind not in KINDS:
        near = hint(kind, list(CHOICES), otherwise="ripeness export --help says what each is")
        raise UserError(f"unknown kind of export {kind!r}; known are {', '.join(CHOICES)}\n{near}")
    target = output or Path("exports", f"{results.resolve().name}-{kind}{KINDS[kind].suffix}")
    with whole(target, "export") as temporary:
        if not KINDS[kind].suffix:
            temporary.mkdir()
        KINDS[kind].write(results, temporary)
    return f"wrote {target}"
