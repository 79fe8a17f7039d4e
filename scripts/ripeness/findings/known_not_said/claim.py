"""Does an untouched model know more than it says?

Amuro and Char find that pre-training teaches things which only tuning shows. What was there before tuning can be read
without it: by a linear classifier on the states of the untouched model.
"""

from ripeness.findings.claim import Claim
from ripeness.findings.finding import Finding, Settings, undecided
from ripeness.findings.linear_reading import UNTOUCHED, contrast, reading_method
from ripeness.findings.needs import has_linear_reading
from ripeness.findings.study_tables import Tables


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the score that is read off the states with the score of the answers, both of untouched models."""
    name = reading_method(tables)
    if name is None:
        return undecided(Finding(), "no method reads the states of untouched models (kind: features)")
    lead = "Score of a linear classifier on the states of untouched models, less that of their own answers."
    return contrast(tables, settings, {"method": name}, UNTOUCHED, lead)


CLAIM = Claim(
    id="known-not-said",
    text=(
        "An untouched model knows more about a dataset than it says: a linear classifier on its states answers better "
        "than the model."
    ),
    source="after Amuro and Char, arXiv 2408.06663, section 4 (what only tuning shows), by linear probes",
    unit="score of a linear classifier on the states less score of the untouched model",
    figure="known-and-said",
    needs=(has_linear_reading,),
    judge=judge,
)
