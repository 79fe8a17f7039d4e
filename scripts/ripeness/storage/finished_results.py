"""Check the finished files of a study before the next run, so that no damaged file is skipped.

Snakemake looks at times only, and counts such a file as done.
"""

from pathlib import Path

from ripeness.runtime.files import read_json, read_text
from ripeness.runtime.made_here import damaged

PAGES = {"report.html": "</html>", "figures/*.svg": "</svg>"}  # and what they end with
LISTS = ("findings.json", "prompts.json", "gate/*.json")
OBJECTS = ("provenance.json", "figures/*.json")


def check_finished(results: Path) -> None:
    """Raise UserError that names a damaged file among the final tables, findings, figures and pages of a study."""
    tables = sorted(results.glob("tables/**/*.parquet"))
    if tables:
        from ripeness.storage.parquet import check_table

        for path in tables:
            check_table(path)
    for kind, patterns in ((list, LISTS), (dict, OBJECTS)):
        for path in (path for pattern in patterns for path in sorted(results.glob(pattern))):
            found = read_json(path, kind)
            if kind is list and not all(isinstance(entry, dict) for entry in found):
                raise damaged(path, "it is not a list of objects")
    for pattern, end in PAGES.items():
        for path in sorted(results.glob(pattern)):
            if not read_text(path).rstrip().endswith(end):
                raise damaged(path, f"its end, {end}, is missing")
