"""Export a study as an RO-Crate: its files, described in JSON-LD (RO-Crate 1.1, profile Process Run Crate 0.5)."""

import json
import mimetypes
import shutil
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ripeness.runtime.files import read_json

METADATA = "ro-crate-metadata.json"
PROCESS = "https://w3id.org/ro/wfrun/process/0.5"
FILES = ("*.json", "*.jsonl", "report.html", "figures/*", "tables/**/*.parquet", "audit/*", "items/*/*", "examples/*/*")
NOT_A_RESULT = ("study.json", "plan.json", "contents.jsonl", "code.jsonl")  # of Snakemake's next run
PURPOSES = {
    "findings.json": "Claims with verdict, effect and interval, and the answers.",
    "provenance.json": "Software, checkpoints, datasets with licences, and the settings of the study.",
    "report.html": "The report, one page that opens without a network.",
    "keys.jsonl": "Key of each result: settings, code and inputs that made it.",
    "looks.json": "How often claims were tested on other results.",
    "claims.json": "Claims of the study's own, with when each was written.",
    "prompts.json": "One item of each dataset and format as a model reads it.",
    "tables/measurements.parquet": "One row for each metric of each model on each probe.",
    "tables/cells.parquet": "One row for each cell: done or diverged, and facts of its training.",
    "tables/audit.parquet": "Remarks of the audit, and the checks that passed.",
    "tables/sensitivity.parquet": "One row for each perturbation of each checkpoint.",
}
TYPES = {".parquet": "application/vnd.apache.parquet", ".jsonl": "application/jsonl"}
Entity = dict[str, Any]
FIXED: tuple[Entity, ...] = (
    {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    },
    {"@id": PROCESS, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
    {
        "@id": "#licence",
        "@type": "CreativeWork",
        "name": "Not stated",
        "description": "Whoever publishes the crate states it. Items have the licences of their datasets.",
    },
    {"@id": "#agent", "@type": "Person", "name": "Not stated"},
)


def write(results: Path, folder: Path) -> None:
    """Copy what the study found, not the weights, and describe it."""
    paths = list(files_of(results))
    for path in paths:
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(results / path, target)
    graph = graph_of(results, paths, read_json(results / "provenance.json", dict))
    text = json.dumps({"@context": "https://w3id.org/ro/crate/1.1/context", "@graph": graph}, indent=1)
    (folder / METADATA).write_text(text + "\n", encoding="utf-8")


def files_of(results: Path) -> Iterator[Path]:
    """List the files of the crate, below the results: no weights, no hidden files."""
    for pattern in FILES:
        for path in sorted(results.glob(pattern)):
            if path.is_file() and not path.name.startswith(".") and path.name not in NOT_A_RESULT:
                yield path.relative_to(results)


def graph_of(results: Path, paths: list[Path], provenance: Mapping[str, Any]) -> list[Entity]:
    """Describe the crate, the run that made it, its software, its datasets, its checkpoints and its files."""
    ended = datetime.fromtimestamp((results / "findings.json").stat().st_mtime, UTC).isoformat(timespec="seconds")
    datasets, checkpoints = datasets_of(provenance), checkpoints_of(provenance)
    study = provenance["study"]
    root: Entity = {
        "@id": "./",
        "@type": "Dataset",
        "name": study.get("title") or study["study"],
        "description": "Results of a study with ripeness: checkpoints of a pre-training, tuned and measured. Weights "
        "are not part of it; provenance.json names where they come from.",
        "datePublished": ended,
        "license": {"@id": "#licence"},
        "author": {"@id": "#agent"},
        "conformsTo": {"@id": PROCESS},
        "hasPart": [{"@id": path.as_posix()} for path in paths],
        "mentions": [{"@id": one["@id"]} for one in [*datasets, *checkpoints, {"@id": "#run"}]],
    }
    run: Entity = {
        "@id": "#run",
        "@type": "CreateAction",
        "name": f"Run of the study {study['study']}",
        "description": provenance.get("command", "ripeness run"),
        "endTime": ended,
        "instrument": {"@id": "#ripeness"},
        "object": [{"@id": one["@id"]} for one in [*datasets, *checkpoints]],
        "result": [{"@id": path.as_posix()} for path in paths if path.as_posix() in PURPOSES],
        "actionStatus": "http://schema.org/CompletedActionStatus",
        "agent": {"@id": "#agent"},
    }
    return [
        *FIXED,
        root,
        run,
        software_of(provenance),
        *datasets,
        *checkpoints,
        *(file_of(results, path) for path in paths),
    ]


def software_of(provenance: Mapping[str, Any]) -> Entity:
    """Describe ripeness, with the versions of what it ran with."""
    versions = dict(provenance["software"])
    return {
        "@id": "#ripeness",
        "@type": "SoftwareApplication",
        "name": "ripeness",
        "softwareVersion": str(versions.pop("ripeness", "unknown")),
        "softwareRequirements": ", ".join(f"{name} {version}" for name, version in versions.items()),
    }


def datasets_of(provenance: Mapping[str, Any]) -> list[Entity]:
    """Describe the datasets that were tuned on and asked, which are not part of the crate."""
    return [
        {
            "@id": f"#dataset-{name}",
            "@type": "CreativeWork",
            "name": name,
            "description": f"Source: {json.dumps(known['source'])}. {'; '.join(map(str, known['files']))}",
            "usageInfo": f"Licence: {known['licence']}",
        }
        for name, known in provenance.get("datasets", {}).items()
    ]


def checkpoints_of(provenance: Mapping[str, Any]) -> list[Entity]:
    """Describe the checkpoints, which are not part of the crate."""
    return [
        {
            "@id": f"#checkpoint-{name.replace(' ', '-')}",
            "@type": "CreativeWork",
            "name": name,
            "description": ", ".join(f"{key}: {value}" for key, value in known.items() if value is not None),
        }
        for name, known in provenance.get("checkpoints", {}).items()
    ]


def file_of(results: Path, path: Path) -> Entity:
    """Describe one file."""
    kind = TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    said = PURPOSES.get(path.as_posix())
    entity: Entity = {
        "@id": path.as_posix(),
        "@type": "File",
        "name": path.name if said is None else said.rstrip("."),
        "encodingFormat": kind,
        "contentSize": str((results / path).stat().st_size),
    }
    return entity | ({"description": said} if said else {})
