"""Give inputs and parameters to the rules of rules/prepare.smk."""

from dataclasses import asdict, replace

from ripeness.study.grid import Study
from ripeness.study.lock_file import with_commit
from ripeness.study.tasks import Task, as_mapping, files_by_role, sizes_of
from ripeness.workflow.lookups.shared import to_json
from ripeness.workflow.wildcards import Wildcards

# Description, and how a model is measured: neither items nor their wording depend on these keys.
APART = {"homepage": None, "title": "", "licence": "", "metric": "", "max_new_tokens": 0, "stop": "", "separator": ""}
APART |= {"normalisation": "none", "unconditional": "", "rouge_words": "english"}
APART |= {"rows": None, "extract": None, "items": None}


def dataset_source(study: Study, wildcards: Wildcards) -> str:
    """Return the source of a dataset's rows, with the number of rows to make if the nursery's world makes them."""
    task = study.tasks[wildcards.dataset]
    source, sizes = task.source, sizes_of(task, asdict(study.settings.items))
    image = {"image": task.image} if task.image else {}
    if "hub" in source:
        return to_json(with_commit(study.lock, source, source["hub"]) | image)
    if "world" not in source:
        return to_json(source | image)
    rows = {"train": sizes["train"] + sizes["shots"], "validation": sizes["validation"], "test": sizes["test"]}
    return to_json(source | {"rows": rows})


def hub_requests(study: Study, wildcards: Wildcards) -> int:
    """Return 1 for a dataset that comes over a network, of which few are fetched at once; 0 for files on disk."""
    return int(bool({"hub", "github"} & study.tasks[wildcards.dataset].source.keys()))


def dataset_offline(study: Study, wildcards: Wildcards) -> str:
    """Return the value of HF_HUB_OFFLINE: the user's if a network is needed, else 1 as for all jobs."""
    return "$FETCH_OFFLINE" if hub_requests(study, wildcards) else "1"


def dataset_licence(study: Study, wildcards: Wildcards) -> str:
    """Return the licence of a dataset."""
    return study.tasks[wildcards.dataset].licence


def item_sizes(study: Study, wildcards: Wildcards) -> str:
    """Return how many items of a dataset are drawn."""
    return to_json(sizes_of(study.tasks[wildcards.dataset], asdict(study.settings.items)))


def dataset_files(study: Study, wildcards: Wildcards) -> list[str]:
    """Return the files on disk that a dataset is read from."""
    return list(dict.fromkeys(path for _, path in files_by_role(study.tasks[wildcards.dataset])))


def item_task(study: Study, wildcards: Wildcards) -> str:
    """Return the part of a task that decides its items: everything but wording and description."""
    task = study.tasks[wildcards.dataset]
    return to_json(task_part(task, formats={}, labels=task.labels and dict.fromkeys(task.labels, "")))


def render_task(study: Study, wildcards: Wildcards) -> str:
    """Return the part of a task that decides its wording in one format."""
    task = study.tasks[wildcards.dataset]
    formats = {wildcards.format: task.formats[wildcards.format]}
    return to_json(task_part(task, formats=formats, source={}))


def task_part(task: Task, **replaced: object) -> dict[str, object]:
    """Return a task as JSON, with the keys that a step does not depend on left empty, so that they cannot rerun it."""
    return as_mapping(replace(task, reward=None)) | APART | replaced


def world_datasets(study: Study) -> set[str]:
    """Return the datasets that the nursery's world gives."""
    return {name for name, task in study.tasks.items() if "world" in task.source}
