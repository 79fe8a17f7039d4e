"""Check a study that has not run: its settings, the files that it names, its grid."""

import json
from pathlib import Path

from ripeness.audit.grid import GRID_CHECKS
from ripeness.cli.places import has_cells
from ripeness.study.audit_checks import counted
from ripeness.study.grid import plan_cells
from ripeness.study.load import load_study
from ripeness.study.named_files import check_files
from ripeness.study.schema import read_yaml
from ripeness.workflow.lookups.audit import audit_plan


def checked(path: Path, tasks: Path) -> list[str]:
    """Read a study with all that it names, and run the checks that need no data. UserError for what is wrong."""
    study = load_study(read_yaml(path), tasks)
    check_files(study)
    cells = plan_cells(study) if has_cells(path) else []
    lines = [f"{path} can run: {counted(len(cells), 'cell')}, {counted(len(study.tasks), 'dataset')}"]
    if cells:
        plan = json.loads(audit_plan(study))
        remarks = [remark for check in GRID_CHECKS.values() for remark in check(plan)]
        lines += [f"{one.check}: {one.where}: {one.seen}" for one in remarks]
    return [*lines, "The run checks items and prompts before anything expensive."]
