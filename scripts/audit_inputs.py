"""Audit a study before anything expensive: its grid, items, and prompts as the tokenizers read them.

Writes a table of remarks, and ends with status 2 where one is fatal that the study does not acknowledge. Reads what
`audit_lookups.audit_plan` names below the study's folder; of models only tokenizers and configurations.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from ripeness.audit.grid import GRID_CHECKS, Plan
from ripeness.audit.items import ACROSS_CHECKS, ITEM_CHECKS, Drawing
from ripeness.audit.prompts import PROMPT_CHECKS, READING_CHECKS, Reader, Wording
from ripeness.data.items import ROLES, source_of
from ripeness.models.checkpoint_facts import read_facts
from ripeness.models.context_limits import context_length
from ripeness.models.fingerprints import read_weights
from ripeness.models.load import load_config
from ripeness.models.tokens import read_tokenizer
from ripeness.runtime.command_line import argument_parser, existing, json_option, output_table, run
from ripeness.runtime.files import read_json, read_json_lines
from ripeness.storage.parquet import read_table
from ripeness.study.audit_checks import CHECKS, INPUT_STAGES, Remark, as_rows, refusal, with_passed
from ripeness.study.tasks import Task, read_task, sizes_of
from ripeness.study.templates import columns_of, expression
from ripeness.tables.columns import AUDIT, write_table


def with_facts(plan: Plan) -> Plan:
    """Add to the plan what checkpoint folders record of themselves and the config does not say, and their weights."""
    for name, series in plan["series"].items():
        for point in series["checkpoints"]:
            record = Path(point.get("folder", "")) / "checkpoint.json"
            known = read_facts(record) if "folder" in point and record.is_file() else {}
            point |= {key: known[key] for key in ("step", "tokens", "phase") if key in known and key not in point}
            if "folder" in point and "weights" in plan:
                plan["weights"][name]["checkpoints"][point["checkpoint"]] = read_weights(Path(point["folder"]))
    return plan


def read_drawing(folder: Path, name: str, plan: Plan) -> Drawing:
    """Read the items of one dataset, and the published answers of its test source."""
    task, items = read_task(plan["tasks"][name]), {}
    for role in ROLES:
        items[role] = read_json_lines(folder / "items" / name / f"{role}.jsonl")
    published = published_answers(folder / "datasets" / name, task)
    sizes = sizes_of(task, plan["items"])
    return Drawing(name, task, items, sizes, published, max(plan["shots"]), name in plan["datasets"])


def published_answers(rows: Path, task: Task) -> dict[str, tuple[int, dict[str, Any]]]:
    """Count how often each value is in the column of the answer in the test source, with one of its rows.

    Nothing where several columns decide it.
    """
    text = task.label or task.answer or task.target or ""
    inner = expression(text)
    names = [text] if inner is None else columns_of(inner, [])
    if len(names) != 1:
        return {}
    files = {part["name"]: part["file"] for part in read_json(rows / "provenance.json", dict, keys=("files",))["files"]}
    value = pl.col("row").str.json_path_match(f"$[{json.dumps(names[0])}]").alias("value")
    table = read_table(rows / files[source_of("test", task)])
    found = table.group_by(value).agg(pl.len(), pl.col("row").first()).drop_nulls("value").sort("value")
    return {text: (n, json.loads(row)) for text, n, row in found.iter_rows()}


def read_wordings(folder: Path, plan: Plan, drawings: list[Drawing]) -> Iterator[Wording]:
    """Read every dataset in every format that is measured."""
    by_name = {drawing.dataset: drawing for drawing in drawings}
    for probe in plan["probes"]:
        drawing = by_name[probe["dataset"]]
        examples = folder / "examples" / probe["dataset"] / probe["format"]
        rows = {role: read_table(examples / f"{role}.parquet").to_dicts() for role in ("test", "train", "shots")}
        fields = {item["id"]: item["fields"] for item in drawing.items["test"]}
        yield Wording(
            probe["dataset"], probe["format"], drawing.task, rows["test"], rows["train"], rows["shots"], fields,
            plan["shots"],
        )  # fmt: skip


def read_readers(plan: Plan) -> list[Reader]:
    """Read the tokenizers and context windows of all series, each once."""
    found: dict[tuple[str, int], list[str]] = {}
    folders: dict[tuple[str, int], Path] = {}
    for name, series in plan["series"].items():
        if series.get("asked") == []:  # what is perturbed only reads no prompt
            continue
        folder = existing(series["tokenizer"])
        window = series["window"] or context_length(load_config(folder))
        files = sorted([*folder.glob("*token*"), *folder.glob("chat_template.jinja")])
        digest = hashlib.sha256(b"".join(path.read_bytes() for path in files)).hexdigest()
        found.setdefault((digest, window), []).append(name)
        folders.setdefault((digest, window), folder)
    seed = plan["seeds"][0]
    return [Reader(names, read_tokenizer(folders[key]), key[1], seed) for key, names in found.items()]


def remarks_on(plan: Plan, folder: Path) -> Iterator[Remark]:
    """Run all checks of the inputs."""
    for check_grid in GRID_CHECKS.values():
        yield from check_grid(plan)
    drawings = [read_drawing(folder, name, plan) for name in plan["tasks"]]
    for drawing in drawings:
        for check_items in ITEM_CHECKS.values():
            yield from check_items(drawing)
    for check_across in ACROSS_CHECKS.values():
        yield from check_across(drawings, plan["datasets"])
    readers = read_readers(plan)
    for wording in read_wordings(folder, plan, drawings):
        for check_prompts in PROMPT_CHECKS.values():
            yield from check_prompts(wording)
        for check_reading in READING_CHECKS.values():
            for reader in readers:
                for (measured, trained), names in asked_after(plan, reader.series, wording):
                    asked = replace(reader, series=names, measured=measured, trained=trained)
                    yield from check_reading(wording, asked)


def asked_after(plan: Plan, series: list[str], wording: Wording) -> list[tuple[tuple[int, int], list[str]]]:
    """Return the series that are measured on a dataset in a format, by the most virtual tokens before its prompts.

    These are those of models that are measured on it, and of models that are trained on it.
    """
    found: dict[tuple[int, int], list[str]] = {}
    for name in series:
        settings = plan["series"][name]
        if is_asked(settings, wording):
            counts = {(dataset, format_): (n, m) for dataset, format_, n, m in settings.get("virtual_tokens", [])}
            found.setdefault(counts.get((wording.dataset, wording.format), (0, 0)), []).append(name)
    return sorted(found.items())


def is_asked(series: dict[str, Any], wording: Wording) -> bool:
    """Return whether a series is measured on a dataset in a format; true where it does not say."""
    return [wording.dataset, wording.format] in series.get("asked", [[wording.dataset, wording.format]])


def main(argv: list[str] | None = None) -> None:
    """Write the remarks; refuse what is fatal."""
    parser = argument_parser(__doc__)
    parser.add_argument("--plan", required=True, type=json_option, help="the plan, as JSON")
    parser.add_argument("--study-folder", required=True, type=existing, help="results/<study>")
    parser.add_argument("--acknowledge", type=json_option, default={}, help="reasons by check, as JSON")
    parser.add_argument("--output", required=True, type=output_table(AUDIT), help="parquet file to write")
    options = parser.parse_args(argv)
    ran = [name for name, check in CHECKS.items() if check.stage in INPUT_STAGES]
    found = remarks_on(with_facts(options.plan), options.study_folder)
    rows = with_passed(found, ran, options.acknowledge)
    if error := refusal(rows):
        raise error
    write_table(options.output, as_rows(rows), AUDIT)


if __name__ == "__main__":
    run(main)
