"""Say which jobs of a plan are to run, by the keys of the results that are there.

A job of Snakemake runs where an output has no key, or another key than the plan's (see `result_keys`);
`snakemake_patches/rerun_by_keys.py` has Snakemake ask this.

A result that was made under another name (of a method, a dataset, a format) is found by its key, and linked to where
the plan wants it. RIPENESS_ACCEPT=code takes results that differ from the plan in their code only, and
RIPENESS_EXPLAIN=FILE writes why jobs would run.
"""

import json
import os
import shutil
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ripeness.runtime.files import write_json
from ripeness.workflow.result_keys import Contents, Key, Keys, digest_of

Job = Any  # of Snakemake, which is not imported
CODE = "code"  # the parameter of a rule that holds the digest of its code
BY_PROBE = "predict"  # the rule whose result serves every plan that wants some of its probes
PROBES = "probes"  # its parameter
READ_BY_PROBES = "examples"  # the input that holds what probes read
DELETED = "its model was deleted"
KNOWN = "known.json"  # next to predictions that are made anew: which of the former ones still hold
KNOWN_ROWS = "known.parquet"  # the former ones
PROBE_NAMES = ("probe", "kind", "format", "shots", "split")


class Reruns:
    """The keys of one study: those that its results have, and those that its plan gives."""

    def __init__(self, results: str, *, accepts_code: bool = False) -> None:
        """Read the keys in the folder `results`."""
        self.results, self.accepts_code = results, accepts_code
        self.keys, self.contents = Keys(Path(results)), Contents(Path(results))
        self.planned: dict[Job, Key] = {}
        self.compared: dict[Job, Key] = {}  # with `accepts_code` the key as it would be by the code of the results
        self.found: dict[str, str] = {}  # outputs that are linked from elsewhere in the study's folder

    def key_of(self, job: Job) -> Key:
        """Return the key that the outputs of a job have when it has run as planned."""
        if job not in self.planned:
            waiting = [job]
            while waiting:  # no recursion: a series has hundreds of states, each made from the one before
                one = waiting[-1]
                if missing := [maker for maker in one.dag.dependencies[one] if maker not in self.planned]:
                    waiting += missing
                else:
                    waiting.pop()
                    self.planned[one] = self.made_key(one, self.planned)
                    self.compared[one] = self.accepted_key(one) if self.accepts_code else self.planned[one]
        return self.planned[job]

    def made_key(self, job: Job, keys: dict[Job, Key]) -> Key:
        """Return the key of a job whose inputs have theirs in `keys`."""
        makers = {str(file): maker for maker, files in job.dag.dependencies[job].items() for file in files}
        inputs = {
            str(file): (name, keys[makers[str(file)]].digest if str(file) in makers else self.content(file))
            for name, file in named(job)
        }
        params = {name: self.placeless(value) for name, value in job.params.items() if name not in (CODE, PROBES)}
        command = job.rule.shellcmd or ""
        probes: tuple[str, ...] = ()
        wildcards = {name: value for name, value in job.wildcards.items() if f"{{wildcards.{name}" in command}
        if job.rule.name == BY_PROBE:
            read = {path: key for path, (name, key) in inputs.items() if name == READ_BY_PROBES}
            inputs = {path: entry for path, entry in inputs.items() if path not in read}
            seed = wildcards.pop("seed")  # it draws shots and nothing else
            probes = tuple(sorted(self.probe_key(probe, read, seed) for probe in json.loads(job.params[PROBES])))
        elif PROBES in dict(job.params.items()):
            params[PROBES] = self.placeless(job.params[PROBES])
        return Key(
            rule=job.rule.name,
            settings=digest_of([params, wildcards]),
            code=str(job.params.get(CODE, "")),
            inputs=digest_of(sorted(set(inputs.values()))),
            probes=probes,
        )

    def probe_key(self, probe: dict[str, Any], read: dict[str, str], seed: str) -> str:
        """Return the key of a probe: what is asked, whatever suite asks it, and the keys of the files that hold it.

        The seed counts where it draws shots.
        """
        asked = {name: self.placeless(value) for name, value in probe.items() if name != "suite"}
        texts = [value for value in probe.values() if isinstance(value, str)]
        files = sorted({key for path, key in read.items() if any(is_in(text, path) for text in texts)})
        return digest_of([asked, files, *([seed] if probe.get("shots") else [])])

    def content(self, file: Any) -> str:
        """Return the key of an input that no job makes: of its content."""
        return self.contents.digest(Path(str(file)))

    def accepted_key(self, job: Job) -> Key:
        """Return the key of a job by the code of its results, where these differ from the plan in their code only."""
        key = self.made_key(job, self.compared)
        for output in self.outputs(job):
            made = self.keys.of(output)
            if made and not replace(key, code=made.key.code).difference(made.key):
                return replace(key, code=made.key.code)
        return key

    def placeless(self, value: Any) -> Any:
        """Return a parameter without the place of the study's folder, which no number depends on."""
        if isinstance(value, str):
            return "<results>" if value == self.results else value.replace(f"{self.results}/", "<results>/")
        if isinstance(value, dict):
            return {self.placeless(key): self.placeless(one) for key, one in value.items()}
        if isinstance(value, Iterable):
            return [self.placeless(one) for one in value]
        return value if isinstance(value, int | float | bool | None) else repr(value)

    def outputs(self, job: Job) -> list[str]:
        """Return the outputs of a job relative to the study's folder; of a job that makes something elsewhere none."""
        paths = [Path(str(file)) for file in job.output]
        return [str(path.relative_to(self.results)) for path in paths if path.is_relative_to(self.results)]

    def change(self, job: Job) -> set[str]:
        """Say what differs between the plan's key of a job and those of its outputs; empty for nothing."""
        reasons: set[str] = set()
        self.key_of(job)
        for output in self.outputs(job):
            if not (Path(self.results) / output).exists():
                continue  # Snakemake knows whether it is needed
            made = self.keys.of(output)
            reasons |= {self.compared[job].difference(made.key) if made else "no key"} - {""}
            if made and not reasons and self.accepts_code and self.planned[job].code != made.key.code:
                self.keys.add(replace(self.planned[job], probes=made.key.probes), [output], accepted=made.key.code)
            elif made and not reasons and self.accepts_code and self.planned[job] != made.key:
                self.keys.add(replace(self.planned[job], probes=made.key.probes), [output])
        return reasons

    def begin(self, job: Job) -> None:
        """Forget the keys of what a job makes anew, so that a run that is broken off leaves none of before to it."""
        self.keys.forget(self.outputs(job))

    def note(self, job: Job) -> None:
        """Note the key of a job that has ended well."""
        if outputs := self.outputs(job):
            self.keys.add(self.key_of(job), outputs)

    def find_elsewhere(self, jobs: Iterable[Job], *, is_dry: bool) -> None:
        """Link results that were made under another name to where the plan wants them; a dry run only notes them."""
        for job in jobs:
            wanted = [output for output in self.outputs(job) if not (Path(self.results) / output).exists()]
            temporary = {str(file) for file in job.temp_output}
            kept = [output for output in self.outputs(job) if f"{self.results}/{output}" not in temporary]
            if not kept or any(output not in wanted for output in kept):
                continue
            places = {output: self.keys.elsewhere(self.key_of(job), output) for output in wanted}
            if any(places[output] is None for output in kept):
                continue
            for output, place in places.items():
                if place is not None:
                    self.found[f"{self.results}/{output}"] = place
                    if not is_dry:
                        link(Path(self.results) / place, Path(self.results) / output)
            if not is_dry:
                made = self.keys.made[str(places[kept[0]])]
                self.keys.add(made.key, [output for output, place in places.items() if place is not None])

    def keep_known(self, job: Job) -> None:
        """Keep what is known of predictions that are made anew for more probes; predict takes them from there."""
        (output,) = self.outputs(job)
        path, made, planned = Path(self.results) / output, self.keys.of(output), self.key_of(job)
        for former in (path.with_name(KNOWN), path.with_name(KNOWN_ROWS)):
            former.unlink(missing_ok=True)  # of a run that was broken off, for what was planned then
        if not (made and path.exists() and planned.without_probes == made.key.without_probes):
            return
        reads = {str(file): file for name, file in named(job) if name == READ_BY_PROBES}
        makers = {str(file): maker for maker, files in job.dag.dependencies[job].items() for file in files}
        read = {file: self.planned[makers[file]].digest if file in makers else self.content(file) for file in reads}
        seed, asked = str(job.wildcards.seed), json.loads(job.params[PROBES])
        probes = [probe for probe in asked if self.probe_key(probe, read, seed) in made.key.probes]
        if probes:
            kept = path.with_name(KNOWN_ROWS)
            link_or_copy(str(path), str(kept))
            names = [[probe.get(name, "test") for name in PROBE_NAMES] for probe in probes]
            path.with_name(KNOWN).write_text(json.dumps({"predictions": str(kept), "probes": names}))


def named(job: Job) -> list[tuple[str, Any]]:
    """Return the inputs of a job with the names that its rule gives them; "" for an input without a name."""
    names: dict[int, str] = {}
    for name, (first, last) in job.input._get_names():
        names |= dict.fromkeys(range(first, first + 1 if last is None else last), name)
    return [(names.get(place, ""), file) for place, file in enumerate(job.input)]


def is_in(path: str, folder: str) -> bool:
    """Say whether a path is that of a file, or within that of a folder."""
    return path == folder or path.startswith(f"{folder}/")


def link(source: Path, target: Path) -> None:
    """Give a file, or every file of a folder, a second name; a copy where the file system has no links."""
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, symlinks=True, copy_function=link_or_copy)
    else:
        link_or_copy(str(source), str(target))


def link_or_copy(source: str, target: str) -> None:
    """Give a file a second name, or copy it."""
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:
        shutil.copy2(source, target, follow_symlinks=False)


def is_gone(reruns: Reruns, job: Job) -> bool:
    """Say whether a job has all outputs but some that are deleted once they were used."""
    gone = {output for output in reruns.outputs(job) if not (Path(reruns.results) / output).exists()}
    return any(output.endswith("/model") for output in gone) and len(gone) < len(job.output)


def reason_of(reruns: Reruns, job: Job) -> str:
    """Say why a job runs: what differs in its key, or that its output is missing."""
    if changed := reruns.change(job):
        return "; ".join(sorted(changed))
    outputs = reruns.outputs(job)
    if any((Path(reruns.results) / output).exists() for output in outputs):
        return DELETED if is_gone(reruns, job) else "an input runs"
    return "missing"


def explain(reruns: Reruns, jobs: list[Job], planned: list[Job]) -> None:
    """Write why jobs run, and what the study has, to the files that the environment names."""
    if path := os.environ.get("RIPENESS_EXPLAIN"):
        reasons = Counter((job.rule.name, reason_of(reruns, job)) for job in planned)
        Path(path).write_text(json.dumps([[*pair, n] for pair, n in reasons.items()]), encoding="utf-8")
    if path := os.environ.get("RIPENESS_PLAN"):
        write_plan(Path(path), reruns, jobs)


def say_again(reruns: Reruns, planned: list[Job]) -> None:
    """Say how many models are tuned again only since they were deleted once measured."""
    if n_again := sum(reason_of(reruns, job) == DELETED for job in planned):
        print(
            f"note: {n_again} models are tuned again: they were deleted once measured, and more is wanted of them",
            file=sys.stderr,
        )


def write_plan(path: Path, reruns: Reruns, jobs: list[Job]) -> None:
    """Write what the study has as it is now: the outputs and the logs of all its jobs, relative to its folder."""
    logs = [Path(str(log)) for job in jobs for log in job.log]
    plan = {
        "outputs": sorted(output for job in jobs for output in reruns.outputs(job)),
        "logs": sorted(str(log.relative_to(reruns.results)) for log in logs if log.is_relative_to(reruns.results)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)
