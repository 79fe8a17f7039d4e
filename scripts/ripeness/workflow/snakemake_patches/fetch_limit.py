"""Let few jobs download at once, without a word in the user's profile."""

from pathlib import Path
from typing import Any

from ripeness.workflow.snakemake_patches.patch import Patch

FETCHES_AT_ONCE = 2


def limit_fetching(workflow: Any, logs: Path) -> None:
    """Let few jobs ask the hub at once, which answers many with 429; --resources hub=N says another number."""
    if "hub" not in workflow.global_resources:
        workflow.register_resource("hub", FETCHES_AT_ONCE)


PATCH = Patch(
    id="fetch_limit",
    changes="the workflow's global resources: `hub` is 2 where the command line does not say it",
    reason="the hub turns away many downloads at once, and a Snakefile cannot set a global resource",
    without="as many jobs download at once as there are cores; --resources hub=2 limits them",
    relies_on=("snakemake.workflow:Workflow.register_resource",),
    while_reading=limit_fetching,
)
