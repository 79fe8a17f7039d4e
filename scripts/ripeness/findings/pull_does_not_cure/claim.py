"""Is the degradation left under the strongest pull towards the start?"""

from dataclasses import replace

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.needs import has_networks
from ripeness.findings.network_tuning import RISE, rise_after_best
from ripeness.findings.networks import BLANK, SOURCE
from ripeness.findings.study_tables import Tables
from ripeness.tables.single_numbers import as_number


def judge(tables: Tables, settings: Settings) -> Finding:
    """Measure the rise that is left under the strongest pull."""
    rows = tables.simulated["tuned_networks"].filter("is_fixed")
    strongest = rows["pull"].max()
    if not strongest:
        return undecided(BLANK, "the study has no pull other than 0")
    rows = rows.filter(pull=strongest)
    finding = rise_after_best(rows, settings, key=["target", "rate"], value="loss")
    return replace(finding, statement=f"Under a pull of {as_number(strongest):g}: {finding.statement}")


CLAIM = Claim(
    id="pull-does-not-cure",
    text="A pull towards the start does not cure the degradation",
    source=SOURCE,
    unit=f"pre-training loss: {RISE}",
    figure="theory-regularisation",
    needs=(has_networks,),
    judge=judge,
)
