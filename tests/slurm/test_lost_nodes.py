"""Nodes that SLURM loses while a job is at work there: the job begins again, and nothing of its first copy is left."""

import re

import pytest
from waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.release]

# Each copy says who it is, and ends once it may: the first one would fail then.
COPIES = (
    "n=0; [ ! -e begun0 ] || n=1; echo $n > begun$n; while [ ! -e may$n ]; do sleep 0.1; echo $n >> beats; done; "
    "[ $n = 1 ] || exit 1; echo $n > grown"
)


def state(workflow, cluster):
    """State of the workflow's job, and the node where it is."""
    (job,) = [job for job in cluster.jobs() if job["id"] == workflow.job]
    return job["state"], job["node"]


def begin_again_now(workflow, cluster):
    """Have SLURM start a requeued job at once; of its own it waits for two minutes.

    Processes of the first copy must be gone from the nodes that SLURM reaches: a node that is given a job that it still
    has refuses it, and SLURM takes the node out of service ("Duplicate jobid").
    """
    wait_for(lambda: state(workflow, cluster)[0] == "PENDING" and not cluster.steps(workflow.job))
    cluster.ask("scontrol", "update", f"JobId={workflow.job}", "StartTime=now")


@pytest.fixture
def copies(workflow):
    """Give the workflow with a job whose copies can be distinguished."""
    snakefile = workflow.folder / "Snakefile"
    snakefile.write_text(re.sub(r"shell: .*", f'shell: "{COPIES}"', snakefile.read_text()))
    workflow.start()
    wait_for((workflow.folder / "begun0").exists)
    return workflow


@pytest.mark.parametrize("fault", ["set down", "power lost"])
def test_a_job_of_a_node_that_goes_down_begins_again_and_nothing_of_it_is_left(copies, cluster, fault):
    _, node = state(copies, cluster)
    if fault == "power lost":
        cluster.lose(node)
    # a node that has power comes back by itself; of another SLURM would only learn after minutes
    cluster.ask("scontrol", "update", f"NodeName={node}", "State=down", "Reason=test")
    wait_for(lambda: not copies.at_work())
    begin_again_now(copies, cluster)
    wait_for((copies.folder / "begun1").exists)
    (copies.folder / "may1").touch()
    assert copies.end() == 0, copies.said
    assert (copies.folder / "grown").read_text() == "1\n"
    assert copies.said.count("SLURM jobid") == 1 and not copies.at_work()
    cluster.start()


def test_a_copy_that_works_on_where_slurm_does_not_reach_it_ends_once_the_next_has_begun(copies, cluster):
    _, node = state(copies, cluster)
    cluster.cut_off(node)
    try:
        cluster.ask("scontrol", "update", f"NodeName={node}", "State=down", "Reason=test")
        first = copies.at_work()
        assert first
        begin_again_now(copies, cluster)
        wait_for((copies.folder / "begun1").exists)
        (copies.folder / "beats").unlink(missing_ok=True)
        (copies.folder / "may0").touch()  # what is left of the first copy fails now, if anything is
        wait_for(lambda: not set(first) & set(copies.at_work()))
        (copies.folder / "beats").unlink(missing_ok=True)
        wait_for((copies.folder / "beats").exists)
        (copies.folder / "may1").touch()
        assert copies.end() == 0, copies.said
        assert set((copies.folder / "beats").read_text().split()) == {"1"}
        assert (copies.folder / "grown").read_text() == "1\n"
        assert copies.said.count("SLURM jobid") == 1
        wait_for(lambda: not copies.at_work())
    finally:
        cluster.start()
