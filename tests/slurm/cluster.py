"""A real SLURM cluster for tests: a controller and four nodes on this machine, with everything below one folder.

The nodes share the machine's cores and only pretend to have more of them, and GPUs (null devices). No daemon of the
system, no service manager and no configuration outside the folder is touched. Needs Debian's slurm-wlm, and root, which
slurmd wants. Authentication is off; ports are on the loopback.

`python cluster.py COMMAND...` runs a command and, when it ends, kills whatever it has left behind: killing a node's
slurmd is then that node losing power.
"""

import contextlib
import ctypes
import os
import random
import shutil
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1]))  # this file is a program too

from waiting import MOMENT_SECONDS, wait_for

NODES = {"cpu1": 0, "cpu2": 0, "gpu1": 2, "gpu2": 2}  # GPUs of each
PROGRAMS = ("sbatch", "srun", "squeue", "scancel", "sinfo", "scontrol", "sacct")
PR_SET_CHILD_SUBREAPER = 36
CONFIG = """\
ClusterName=test
SlurmctldHost={host}(127.0.0.1)
SlurmctldPort={port}
SlurmUser=root
SlurmdUser=root
AuthType=auth/none
CredType=cred/none
StateSaveLocation={folder}/state
SlurmdSpoolDir={folder}/spool/%n
SlurmctldPidFile={folder}/slurmctld.pid
SlurmdPidFile={folder}/slurmd.%n.pid
SlurmctldLogFile={folder}/slurmctld.log
SlurmdLogFile={folder}/slurmd.%n.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SwitchType=switch/none
MpiDefault=none
JobAcctGatherType=jobacct_gather/linux
JobAcctGatherFrequency=task=1
JobAcctGatherParams=OverMemoryKill,UsePss
AccountingStorageType=accounting_storage/none
SlurmdParameters=config_overrides
GresTypes=gpu
SelectType=select/cons_tres
SelectTypeParameters=CR_CPU_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0,bf_interval=2
ReturnToService=2
SlurmdTimeout=300
SlurmctldTimeout=300
KillWait=30
MinJobAge=600
MessageTimeout=100
JobRequeue=1
Epilog={folder}/bin/epilog
PreemptType=preempt/partition_prio
PreemptMode=REQUEUE
PreemptExemptTime=00:00:00
{nodes}
PartitionName=cpu Nodes=cpu[1-2] Default=YES MaxTime=1-0 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=gpu Nodes=gpu[1-2] MaxTime=1-0 PriorityTier=10 PreemptMode=OFF State=UP
PartitionName=scavenge Nodes=ALL MaxTime=1-0 PriorityTier=1 PreemptMode=REQUEUE State=UP
"""


def why_not() -> str:
    """Why there can be no cluster here; nothing where there can."""
    missing = [program for program in ("slurmctld", "slurmd", *PROGRAMS) if shutil.which(program) is None]
    if missing:
        return f"SLURM is not installed (no {', '.join(missing)}); on Debian: apt-get install slurm-wlm"
    return "" if os.geteuid() == 0 else "slurmd needs root"


@dataclass
class Cluster:
    """A cluster below a folder, with the processes that were started."""

    folder: Path
    processes: dict[str, subprocess.Popen] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """The variables with which programs find this cluster."""
        config = {"SLURM_CONF": str(self.folder / "slurm.conf")}
        return os.environ | config | {"PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}

    def ask(self, *command: str) -> str:
        """What one of SLURM's programs prints; while the controller does not answer it is asked again."""
        answers = []

        def is_answered() -> bool:
            answers.append(subprocess.run(command, env=self.environment, capture_output=True, text=True, check=False))
            return answers[-1].returncode == 0

        wait_for(is_answered, pause=0.2)
        return answers[-1].stdout

    def start(self) -> None:
        """Start the controller and the nodes that are not there, and wait until all are up."""
        if not (self.folder / "slurm.conf").is_file():
            write_config(self.folder)
        self.spawn("slurmctld", ["slurmctld", "-D"])
        wait_for(lambda: "is UP" in self.ask("scontrol", "ping"))
        for node in NODES:
            self.spawn(node, [sys.executable, __file__, "slurmd", "-D", "-N", node])
        up = {"idle", "mixed", "allocated"}
        wait_for(lambda: set(self.ask("sinfo", "-h", "-N", "-o", "%T").split()) <= up)

    def spawn(self, name: str, command: list[str]) -> None:
        """Start a process unless it runs."""
        if name not in self.processes or self.processes[name].poll() is not None:
            with (self.folder / f"{name}.out").open("ab") as said:
                self.processes[name] = subprocess.Popen(
                    command, env=self.environment, stdin=subprocess.DEVNULL, stdout=said, stderr=said,
                    start_new_session=True,
                )  # fmt: skip

    def lose(self, node: str) -> None:
        """Have a node lose power; `start` brings it back."""
        process = self.processes[node]
        for child in children_of(process.pid):
            if "slurmd" in named(child):
                os.kill(child, signal.SIGKILL)
        process.wait()

    def cut_off(self, node: str) -> None:
        """Have SLURM lose a node whose jobs work on there, as where its network is cut; `start` brings it back."""
        process = self.processes[node]
        (slurmd,) = [child for child in children_of(process.pid) if named(child) == "slurmd"]
        process.kill()  # first, since it would kill all that it has below it
        process.wait()
        os.kill(slurmd, signal.SIGKILL)

    def steps(self, job: str) -> list[int]:
        """Processes that SLURM started for a job on the nodes that it reaches: the last of a job to end."""
        nodes = [self.processes[node].pid for node in NODES]
        return [child for node in nodes for child in children_of(node) if f"[{job}." in title(child)]

    @contextlib.contextmanager
    def when_a_job_ends(self, script: str) -> Iterator[None]:
        """Have nodes run some lines of shell when a job has ended, before SLURM says that it has."""
        (self.folder / "epilog").write_text(script)
        try:
            yield
        finally:
            (self.folder / "epilog").unlink()

    def stop_controller(self) -> None:
        """End the controller, which saves what it knows; nodes and jobs go on, and `start` brings it back."""
        self.processes["slurmctld"].terminate()
        self.processes["slurmctld"].wait(MOMENT_SECONDS)

    def jobs(self) -> list[dict[str, str]]:
        """All jobs that the controller remembers."""
        keys = {"id": "%A", "state": "%T", "partition": "%P", "comment": "%k", "node": "%N"}
        lines = self.ask("squeue", "--states=all", "-h", "-o", "|".join(keys.values())).splitlines()
        return [dict(zip(keys, line.split("|"), strict=True)) for line in lines]

    def stop(self) -> None:
        """End all jobs and processes."""
        subprocess.run(["scancel", "--user=root", "--full"], env=self.environment, check=False)
        for process in reversed(self.processes.values()):
            process.terminate()
        for process in self.processes.values():
            try:
                process.wait(MOMENT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()


def children_of(pid: int) -> list[int]:
    """Processes whose parent is this one; none where it has gone."""
    with contextlib.suppress(OSError):
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def named(pid: int) -> str:
    """Name of a process's program; nothing where it has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def title(pid: int) -> str:
    """What a process says of itself; nothing where it has gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_text()
    return ""


def write_config(folder: Path) -> None:
    """Write what the programs read, and the programs' names with their configuration."""
    for name in ("state", "spool", "bin", "dev"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    host, ports = socket.gethostname().split(".")[0], free_ports(1 + len(NODES))
    lines, devices = [], []
    for (node, n_gpus), port in zip(NODES.items(), ports[1:], strict=True):
        (folder / "spool" / node).mkdir()
        gres = f" Gres=gpu:{n_gpus}" if n_gpus else ""
        lines.append(
            f"NodeName={node} NodeHostname={host} NodeAddr=127.0.0.1 Port={port} CPUs=8 RealMemory=16000{gres}"
        )
        if n_gpus:
            devices.append(f"NodeName={node} Name=gpu File={folder}/dev/nvidia[0-{n_gpus - 1}]")
    for number in range(max(NODES.values())):
        os.mknod(folder / "dev" / f"nvidia{number}", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    (folder / "gres.conf").write_text("\n".join(devices) + "\n")
    if slurm_version() >= (23, 2):  # looks for control groups even where nothing uses them; older ones cannot be told
        (folder / "cgroup.conf").write_text("CgroupPlugin=disabled\n")
    config = CONFIG.format(host=host, port=ports[0], folder=folder, nodes="\n".join(lines))
    (folder / "slurm.conf").write_text(config)
    epilog = folder / "bin" / "epilog"
    epilog.write_text(f"#!/bin/sh\n[ ! -e {folder}/epilog ] || . {folder}/epilog\n")
    epilog.chmod(0o755)
    for program in PROGRAMS:  # Snakemake's job step takes SLURM_CONF from the environment
        path = folder / "bin" / program
        path.write_text(f'#!/bin/sh\nSLURM_CONF={folder}/slurm.conf exec {shutil.which(program)} "$@"\n')
        path.chmod(0o755)


def slurm_version() -> tuple[int, ...]:
    """Year, month and patch of the SLURM that is installed."""
    said = subprocess.run(["slurmctld", "-V"], check=True, capture_output=True, text=True).stdout
    return tuple(map(int, said.split()[-1].split(".")))


def free_ports(n: int) -> list[int]:
    """Ports on the loopback that nobody listens to, below those that systems give to whoever asks for any."""
    ports = []
    for port in random.sample(range(20_000, 32_000), 12_000):
        with contextlib.suppress(OSError), socket.socket() as one:
            one.bind(("127.0.0.1", port))
            ports.append(port)
        if len(ports) == n:
            return ports
    raise RuntimeError(f"fewer than {n} ports are free")


def reap(command: list[str]) -> None:
    """Run a command; orphans below it become children of this process, and die with it."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    child = subprocess.Popen(command)
    signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    while os.wait()[0] != child.pid:
        pass
    children = Path(f"/proc/self/task/{os.getpid()}/children")
    while left := children.read_text().split():
        for pid in left:
            os.kill(int(pid), signal.SIGKILL)
        for _ in left:
            os.wait()


if __name__ == "__main__":
    reap(sys.argv[1:])
