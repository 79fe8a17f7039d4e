"""Does tuning add something that was not there to be read before it?"""

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.linear_reading import contrast, reading_method, tuning_method
from ripeness.findings.needs import has_linear_reading
from ripeness.findings.study_tables import Tables


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the score of tuned models with that which is read off the states of the same models before tuning."""
    reading, tuning = reading_method(tables), tuning_method(tables, settings)
    if reading is None or tuning is None:
        return undecided(Finding(), "no model was both tuned and read off its states (kind: features)")
    lead = f"Score of tuned models ({tuning}), less that of a linear classifier on the states before tuning."
    return contrast(tables, settings, {"method": tuning}, {"method": reading}, lead)


CLAIM = Claim(
    id="tuning-adds",
    text="Tuning adds to what can be read off the untouched model; it does more than bring that out.",
    source="after Amuro and Char, arXiv 2408.06663, section 4 (what tuning teaches), by linear probes",
    unit="score of the tuned model less score of a linear classifier on the untouched states",
    figure="known-and-said",
    needs=(has_linear_reading,),
    judge=judge,
)
