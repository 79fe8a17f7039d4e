"""Say which jobs of a plan are to run, by the keys of the results that are there.

A job of Snakemake runs where an output has no key, or another key than the plan's (see `result_keys`);
`snakemake_patches/rerun_by_keys.py` has Snakemake ask this.

A result that was made under another name (of a method, a dataset, a format) is found by its key, and linked to where
the plan wants it. RIPENESS_EXPLAIN=FILE writes why jobs would run. With RIPENESS_ACCEPT a dry run takes results as they
are: `code` those that differ from the plan in their code only, `no-key` those of which nothing is known. It writes them
to that file too; scripts/explain_reruns.py looks at them and notes their keys.
"""

import json
import os
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ripeness.runtime.files import link, write_json
from ripeness.workflow.code_parts import Codes
from ripeness.workflow.file_contents import digest_of
from ripeness.workflow.result_keys import DATA, NO_KEY, Key, Keys
from ripeness.workflow.snakemake_patches.checks_first import EXPENSIVE

Job = Any  # of Snakemake, which is not imported
CODE = "code"  # the parameter of a rule that holds the digest of its code
BY_PROBE = "predict"  # the rule whose result serves every plan that wants some of its probes
PROBES = "probes"  # its parameter
DELETE = "delete"  # its parameter that no prediction depends on
READ_BY_PROBES = "examples"  # the input that holds what probes read
ACCEPT_CODE, ACCEPT_NO_KEY = ACCEPTS = ("code", "no-key")  # results that a dry run may take as they are
KNOWN = "known.json"  # next to predictions that are made again: which of the former ones still hold
KNOWN_ROWS = "known.parquet"  # the former ones
PROBE_NAMES = ("probe", "kind", "format", "shots", "split")


class Reruns:
    """The keys of one study: those that its results have, and those that its plan gives."""

    def __init__(self, results: str, *, accepts: str = "") -> None:
        """Read the keys in the folder `results`."""
        self.results, self.accepts = results, accepts
        self.keys, self.codes = Keys(Path(results)), Codes(Path(results))
        self.read: dict[str, str] = {}  # digests of files that no job makes, as they were when this run was planned
        self.planned: dict[Job, Key] = {}
        self.compared: dict[Job, Key] = {}  # with `accepts` the key as it would be by the code of the results
        self.places: dict[Job, list[str]] = {}  # outputs relative to the study's folder
        self.probe_keys: dict[tuple, tuple[str, ...]] = {}
        self.worth: set[Job] | None = None
        self.taken: set[str] = set()  # outputs that are taken as they are
        self.found: set[str] = set()  # outputs that are linked from elsewhere in the study's folder
        self.changes: dict[Job, set[str]] = {}  # what differs from the plan

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
                    self.compared[one] = taken = self.accepted_key(one) if self.accepts else self.planned[one]
                    if one.rule.name in DATA and taken != self.planned[one]:  # their content stays what it is
                        self.keys.learn(self.planned[one], None, self.keys.known_by(taken))
        return self.planned[job]

    def made_key(self, job: Job, keys: dict[Job, Key]) -> Key:
        """Return the key of a job whose inputs have theirs in `keys`."""
        inputs = self.inputs_of(job, keys)
        params = {
            name: self.placeless(value) for name, value in job.params.items() if name not in (CODE, PROBES, DELETE)
        }
        command = job.rule.shellcmd or ""
        probes: tuple[str, ...] = ()
        wildcards = {name: value for name, value in job.wildcards.items() if f"{{wildcards.{name}" in command}
        if job.rule.name == BY_PROBE:
            read = {path: key for path, (name, key) in inputs.items() if name == READ_BY_PROBES}
            inputs = {path: entry for path, entry in inputs.items() if path not in read}
            seed = wildcards.pop("seed")  # it draws shots and nothing else
            probes = self.keys_of_probes(job.params[PROBES], read, seed)
        elif PROBES in dict(job.params.items()):
            params[PROBES] = self.placeless(job.params[PROBES])
        return Key(
            rule=job.rule.name,
            settings=digest_of([params, wildcards]),
            code=str(job.params.get(CODE, "")),
            inputs=digest_of(sorted(set(inputs.values()))),
            probes=probes,
        )

    def inputs_of(self, job: Job, keys: dict[Job, Key]) -> dict[str, tuple[str, str]]:
        """Return the inputs of a job by path: the name that its rule gives, and what the input is known by."""
        makers = {str(file): maker for maker, files in job.dag.dependencies[job].items() for file in files}
        found = {}
        for name, file in inputs_with_names(job):
            maker = makers.get(str(file))
            known = self.keys.known_to(job.rule.name, keys[maker]) if maker else self.content(str(file))
            found[str(file)] = (name, known)
        return found

    def keys_of_probes(self, asked: str, read: dict[str, str], seed: str) -> tuple[str, ...]:
        """Return the keys of all probes of a job in order; most jobs ask the same of the same files."""
        known = (asked, tuple(read.items()), seed)
        if known not in self.probe_keys:
            keys = (self.probe_key(probe, read, seed) for probe in json.loads(asked))
            self.probe_keys[known] = tuple(sorted(keys))
        return self.probe_keys[known]

    def probe_key(self, probe: dict[str, Any], read: dict[str, str], seed: str) -> str:
        """Return the key of a probe: what is asked, whatever suite asks it, and the keys of the files that hold it.

        The seed counts where it draws shots.
        """
        asked = {name: self.placeless(value) for name, value in probe.items() if name != "suite"}
        texts = [value for value in probe.values() if isinstance(value, str)]
        files = sorted({key for path, key in read.items() if any(is_in(text, path) for text in texts)})
        return digest_of([asked, files, *([seed] if probe.get("shots") else [])])

    def content(self, path: str) -> str:
        """Return the key of an input that no job makes: of its content."""
        if path not in self.read:
            self.read[path] = self.keys.contents.digest(Path(path))
        return self.read[path]

    def accepted_key(self, job: Job) -> Key:
        """Return the key of a job by the code of its results, where these differ from the plan in their code only."""
        key = self.made_key(job, self.compared)
        for output in self.there(job) if self.accepts == ACCEPT_CODE and job in self.costly(job.dag) else []:
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
        if job not in self.places:
            above = f"{self.results}/"
            paths = map(str, job.output)
            self.places[job] = [path.removeprefix(above) for path in paths if path.startswith(above)]
        return self.places[job]

    def kept(self, job: Job) -> list[str]:
        """Return the outputs of a job that are not deleted once they were used, relative to the study's folder."""
        temporary = {str(file) for file in job.temp_output}
        return [output for output in self.outputs(job) if f"{self.results}/{output}" not in temporary]

    def costly(self, dag: Any) -> set[Job]:
        """Return the jobs that need a GPU, and all whose results these are made from."""
        if self.worth is None:
            self.worth, waiting = set(), [job for job in dag.jobs if job.rule.name in EXPENSIVE]
            while waiting:
                job = waiting.pop()
                if job not in self.worth:
                    self.worth.add(job)
                    waiting += dag.dependencies[job]
        return self.worth

    def there(self, job: Job) -> list[str]:
        """Return the outputs of a job that exist, relative to the study's folder."""
        return [output for output in self.outputs(job) if os.path.exists(f"{self.results}/{output}")]

    def change(self, job: Job) -> set[str]:
        """Say what differs between the plan's key of a job and those of its outputs; empty for nothing."""
        if job not in self.changes:
            reasons: set[str] = set()
            self.key_of(job)
            for output in self.there(job):  # Snakemake knows whether others are needed
                made = self.keys.of(output)
                reasons |= {self.compared[job].difference(made.key) if made else NO_KEY} - {""}
            self.changes[job] = reasons
        is_taken = any(output in self.taken or output in self.found for output in self.outputs(job))
        return set() if is_taken else self.changes[job]

    def former_key(self, job: Job) -> Key | None:
        """Return the key by which data were made that are made again, whatever they are now."""
        if job.rule.name not in DATA:
            return None
        known = (self.keys.made.get(output) for output in self.outputs(job))
        return next((made.key for made in known if made), None)

    def begin(self, job: Job) -> None:
        """Forget the keys of what a job makes again, so that a run that is broken off leaves none of before to it."""
        self.keys.forget(self.outputs(job))

    def note(self, job: Job) -> None:
        """Note the key of a job that has ended well; data that are now known otherwise change the keys of the plan."""
        if outputs := self.outputs(job):
            key = self.key_of(job)
            before = self.keys.known_by(key)
            self.keys.add(key, outputs, kept=self.kept(job))
            self.codes.note(key.code)
            if self.keys.known_by(key) != before:
                self.planned, self.compared, self.probe_keys, self.changes = {}, {}, {}, {}

    def keep_known(self, job: Job) -> None:
        """Keep what is known of predictions that are made again for more probes; predict takes them from there."""
        (output,) = self.outputs(job)
        path, made, planned = Path(self.results) / output, self.keys.of(output), self.key_of(job)
        self.drop_known(job)  # of a run that was broken off, for what was planned then
        if not (made and path.exists() and planned.without_probes == made.key.without_probes):
            return
        probes = [names for names, key in self.named_probes(job) if key in made.key.probes]
        if probes:
            kept = path.with_name(KNOWN_ROWS)
            link(path, kept)
            path.with_name(KNOWN).write_text(json.dumps({"predictions": str(kept), "probes": probes}))

    def drop_known(self, job: Job) -> None:
        """Delete what was kept of predictions."""
        for output in self.outputs(job) if job.rule.name == BY_PROBE else []:
            for name in (KNOWN, KNOWN_ROWS):
                (Path(self.results) / output).with_name(name).unlink(missing_ok=True)

    def named_probes(self, job: Job) -> list[tuple[list[Any], str]]:
        """Return the probes of a prediction by the names that they have in its table, with their keys."""
        inputs = self.inputs_of(job, self.planned)
        read = {path: key for path, (name, key) in inputs.items() if name == READ_BY_PROBES}
        return [
            ([probe.get(name, "test") for name in PROBE_NAMES], self.probe_key(probe, read, str(job.wildcards.seed)))
            for probe in json.loads(job.params[PROBES])
        ]


def inputs_with_names(job: Job) -> list[tuple[str, Any]]:
    """Return the inputs of a job with the names that its rule gives them; "" for an input without a name."""
    names: dict[int, str] = {}
    for name, (first, last) in job.input._get_names():
        names |= dict.fromkeys(range(first, first + 1 if last is None else last), name)
    return [(names.get(place, ""), file) for place, file in enumerate(job.input)]


def is_in(path: str, folder: str) -> bool:
    """Say whether a path is that of a file, or within that of a folder."""
    return path == folder or path.startswith(f"{folder}/")


def write_plan(path: Path, reruns: Reruns, jobs: list[Job]) -> None:
    """Write what the study has as it is now: the outputs and the logs of all its jobs, relative to its folder."""
    logs = [Path(str(log)) for job in jobs for log in job.log]
    plan = {
        "outputs": sorted(output for job in jobs for output in reruns.outputs(job)),
        "logs": sorted(str(log.relative_to(reruns.results)) for log in logs if log.is_relative_to(reruns.results)),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, plan)
