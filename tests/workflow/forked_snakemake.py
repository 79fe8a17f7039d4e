"""Call Snakemake many times at the price of one start: a process that has imported it forks for each call.

The project's modules are those of the checkout, imported once; the digests of code are those of the study's own copy.
For every program of a job stands a script that makes its outputs, with nothing in them.
"""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from cut_study import Study, jobs_of
from project import ENVIRONMENT, ROOT

SERVER = """
import contextlib, json, os, sys
sys.path.insert(0, sys.argv[1])
import snakemake.cli
from pathlib import Path
from ripeness.study.load import load_study
from ripeness.study.schema import read_yaml
from ripeness.workflow import code_digest, forecast, lookups, reruns, resources
from ripeness.workflow.snakemake_patches import register
register.PATCHES = [patch for patch in register.PATCHES if patch.id != "warm_starts"]  # whose programs are real
for program in Path(sys.argv[1]).glob("*.py"):
    code_digest.digest(program)
for call in sys.stdin:
    folder, said, words = json.loads(call)
    child = os.fork()
    if not child:
        os.chdir(folder)
        file = os.open(said, os.O_CREAT | os.O_TRUNC | os.O_WRONLY)
        os.dup2(file, 1), os.dup2(file, 2), os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        sys.argv = ["snakemake", *words]
        status = 1
        try:
            snakemake.cli.main()
        except SystemExit as end:
            status = end.code or 0
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


class ForkedSnakemake:
    """A process that has imported Snakemake; its jobs find the stand-in for `python` in `folder`."""

    def __init__(self, folder: Path) -> None:
        shutil.copy(ROOT / "benchmarks/stand_in.sh", folder / "python")
        (folder / "python").chmod(0o755)
        self.server = subprocess.Popen(
            [sys.executable, "-c", SERVER, str(ROOT / "scripts")],
            env=ENVIRONMENT | {"PATH": f"{folder}:{ENVIRONMENT['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def end(self) -> None:
        """Let it end."""
        self.server.stdin.close()
        self.server.wait()

    def run(self, folder: Path, *words: str) -> tuple[int, str]:
        """Run it in a folder; return its status and what it has said."""
        said = folder / "said by snakemake.txt"
        self.server.stdin.write(json.dumps([os.fspath(folder), os.fspath(said), words]) + "\n")
        self.server.stdin.flush()
        return int(self.server.stdout.readline()), said.read_text()


class ForkedStudy(Study):
    """A study whose Snakemake is forked."""

    server: ForkedSnakemake

    def snakemake(self, *options: str) -> subprocess.CompletedProcess:
        status, said = self.server.run(self.folder, "--cores", "8", "--configfile", "cut.yaml", *options)
        return subprocess.CompletedProcess([], status, said, "")

    def planned(self, config: dict | None = None) -> dict[str, int]:
        self.write_other(config or self.config())
        status, said = self.server.run(self.folder, "-n", "-q", "rules", "--configfile", "other.yaml")
        assert status == 0, said
        return jobs_of(said)
