"""Learn how fast a machine is from jobs that have ended: seconds that a unit of expected cost takes.

A pace is that of the machine, which may change while a study runs, times that of the job's rule, whose costs may all be
wrong by the same factor. Both are estimated in logarithms by a Kalman filter, which weighs every ended job by how much
it can say, and begins with the expected costs (a factor of 1).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from math import exp, log, sqrt

OF_ALL = ""  # instead of a rule: the machine
# Variances of natural logarithms.
MACHINE = 0.8**2  # machines of this project's users, and what else they do, before a job has ended
RULE = 0.3**2  # costs of rules, relative to each other
DRIFT, DRIFT_S = 0.15**2, 60.0  # between jobs, of a machine on which others work too: at most, and soon
JOB = 0.25**2  # jobs of a rule, relative to their costs
SHORT_S = 0.2  # by which the end of a job may be seen late
MOST = 2.0  # standard deviations of a surprise that count; the rest is an accident of this job
PLAN = 0.1**2  # of how jobs share the cores, on average
IMPORT = 1.0  # of the time in which a server imports its libraries, from a disk that may be cold


@dataclass
class Paces:
    """What is known: expected logarithms of the machine's pace and of the factors of rules, and their covariances.

    `at`: the time of the last job that has ended.
    """

    logs: dict[str, float] = field(default_factory=lambda: {OF_ALL: 0.0})
    covariances: dict[str, dict[str, float]] = field(default_factory=lambda: {OF_ALL: {OF_ALL: MACHINE}})
    at: float | None = None

    def of(self, rule: str) -> float:
        """Return the seconds that a unit of cost takes now."""
        return exp(self.logs[OF_ALL] + self.logs.get(rule, 0.0))

    def learn(self, rule: str, cost: float, seconds: float, *, at: float, imports: float = 0.0) -> None:
        """Take in a job that has ended: its cost, of which `imports` is for libraries, and the seconds it took."""
        self.know(rule)
        self.covariances[OF_ALL][OF_ALL] += DRIFT * (1.0 - exp(-max(0.0, at - (self.at or at)) / DRIFT_S))
        self.at, seconds = at, max(seconds, 0.01)
        noise = JOB + (SHORT_S / seconds) ** 2 + IMPORT * imports / cost
        surprise = log(seconds / cost) - self.logs[OF_ALL] - self.logs[rule]
        shared = {name: row[OF_ALL] + row[rule] for name, row in self.covariances.items()}
        total = shared[OF_ALL] + shared[rule] + noise
        surprise = max(-MOST * total**0.5, min(MOST * total**0.5, surprise))
        for name, row in self.covariances.items():
            self.logs[name] += surprise * shared[name] / total
            self.covariances[name] = {other: row[other] - shared[name] * shared[other] / total for other in row}

    def know(self, rule: str) -> None:
        """Begin with the expected cost of a rule of which no job has ended."""
        if rule not in self.logs:
            self.logs[rule] = 0.0
            for row in self.covariances.values():
                row[rule] = 0.0
            self.covariances[rule] = dict.fromkeys(self.logs, 0.0) | {rule: RULE}

    def spread(self, seconds: Mapping[str, float]) -> float:
        """Return the standard deviation of the logarithm of the time that jobs left take: {rule: expected seconds}."""
        whole = sum(seconds.values()) or 1.0
        shares = {OF_ALL: 1.0} | {rule: part / whole for rule, part in seconds.items()}
        known = [rule for rule in shares if rule in self.logs]
        variance = sum(shares[one] * shares[other] * self.covariances[one][other] for one in known for other in known)
        variance += sum(share**2 * RULE for rule, share in shares.items() if rule not in self.logs)
        return sqrt(variance + DRIFT * (1.0 - exp(-whole / DRIFT_S)) + PLAN)

    def with_running(self, running: Iterable[tuple[str, float, float]]) -> "Paces":
        """Return the paces as if jobs that have run for longer than thought had ended now: (rule, cost, seconds)."""
        found = Paces(dict(self.logs), {name: dict(row) for name, row in self.covariances.items()}, self.at)
        for rule, cost, seconds in running:
            if seconds > cost * self.of(rule):
                found.learn(rule, cost, seconds, at=self.at or 0.0)
        return found
