"""Does tuning need fewer examples to teach a form than to teach facts?

LIMA's reading: a form is taught by few examples, since the model knows what it is to say (Zhou et al.,
arXiv 2305.11206). Facts that no text of pre-training has come one by one.
"""

import polars as pl

from ripeness.findings.by_halves import Question, decided_by
from ripeness.findings.claim import Claim
from ripeness.findings.doses import dose_caveats, dose_scores, half_doses
from ripeness.findings.finding import Finding, Settings, listed, times, undecided
from ripeness.findings.form_needs_fewer.price import text_lost
from ripeness.findings.late_differences import LATE, over_late
from ripeness.findings.needs import has_doses
from ripeness.findings.over_checkpoints import covers_checkpoints
from ripeness.findings.study_tables import Tables
from ripeness.findings.treated_curves import PLACE
from ripeness.stats.resampling import Estimate
from ripeness.tables.single_numbers import as_number

LEAST_GAIN = 2  # times the smallest effect: below that, half of it is noise
MATTERS = 5  # times the smallest number of doublings: doses are tried in steps of one or two doublings
FORM, KNOWLEDGE = "form", "knowledge"


def judge(tables: Tables, settings: Settings) -> Finding:
    """Compare the doses for half of the gain, in doublings, over the later half of the checkpoints."""
    found = half_doses(dose_scores(tables.reported, tables.cells), LEAST_GAIN * settings.smallest_effect)
    found = in_arms(found, settings)
    if found.is_empty() or found["arm"].n_unique() < 2:
        return undecided(Finding(), "no dataset of form, or none of knowledge, was tuned on in doses")
    priced = text_lost(found, tables.reported, tables.cells)
    blank = Finding(n_seeds=found["seed"].n_unique(), caveats=caveats(found), details=details(priced))
    pairs = differences(priced)
    if pairs.is_empty():
        return undecided(blank, "at no checkpoint do both form and knowledge gain enough")
    over = over_late(pairs, settings.confidence)
    late = pairs.filter("is_late")
    covers = covers_checkpoints(over, late["series"].n_unique(), f"{late['seed'].n_unique()} tuning seeds")
    smallest = MATTERS * settings.smallest_doublings
    question = Question(LATE, smallest, lambda effect: sentence(late, found, effect))
    return decided_by(over, pairs, question, blank, settings, covers=covers)


CLAIM = Claim(
    id="form-needs-fewer",
    text="Half of the gain from tuning takes fewer examples when it teaches a form than when it teaches new facts.",
    source="after Zhou et al., arXiv 2305.11206 (LIMA), which speaks of one model and of form alone",
    unit="doublings of the dose for half of the gain: knowledge minus form",
    figure="dose",
    needs=(has_doses,),
    judge=judge,
    asks=(FORM, KNOWLEDGE),
)


def in_arms(found: pl.DataFrame, settings: Settings) -> pl.DataFrame:
    """Keep the datasets that teach form or knowledge, as the study says, with `arm`."""
    arms = dict.fromkeys(settings.form, FORM) | dict.fromkeys(settings.knowledge, KNOWLEDGE)
    if found.is_empty():
        return found
    return found.filter(pl.col("dataset").is_in(list(arms))).with_columns(
        arm=pl.col("dataset").replace_strict(arms, default=None, return_dtype=pl.String)
    )


def differences(found: pl.DataFrame) -> pl.DataFrame:
    """Make a row for each checkpoint and seed with a dose of both arms: `change` in doublings, and what each loses."""
    by = [*PLACE, "seed"]
    means = found.drop_nulls("log_dose").group_by(*by, "arm").agg(pl.col("log_dose", "lost").mean())
    form, knowledge = (means.filter(arm=arm).drop("arm") for arm in (FORM, KNOWLEDGE))
    pairs = form.join(knowledge, on=by, suffix=f"_{KNOWLEDGE}")
    is_late = pl.col("tokens") >= pl.col("tokens").unique().median().over("series")
    change = pl.col(f"log_dose_{KNOWLEDGE}") - pl.col("log_dose")
    return pairs.with_columns(change=change, is_late=is_late, dataset=pl.lit("all"), format=pl.lit("all")).sort(by)


def sentence(late: pl.DataFrame, found: pl.DataFrame, effect: Estimate) -> str:
    """Say how many times as many examples knowledge needs, how many that are, and what tuning on them loses."""
    named = {arm: listed(sorted(set(found.filter(arm=arm)["dataset"]))) for arm in (FORM, KNOWLEDGE)}
    doses = [2 ** as_number(late[name].mean()) for name in ("log_dose", f"log_dose_{KNOWLEDGE}")]
    said = (
        f"Over the later half of the checkpoints, half of the gain takes "
        f"{times(effect.effect, effect.low, effect.high)} as many examples of knowledge ({named[KNOWLEDGE]}) as of "
        f"form ({named[FORM]}): {doses[1]:.0f} and {doses[0]:.0f}."
    )
    lost = [late[name].mean() for name in ("lost", f"lost_{KNOWLEDGE}")]
    if None in lost:
        return said
    paid = [f"{as_number(one):.2f}" for one in lost]
    return f"{said} At these doses tuning loses {paid[1]} nats a token of text for knowledge and {paid[0]} for form."


def details(found: pl.DataFrame) -> tuple[dict[str, object], ...]:
    """Make a row for each checkpoint and dataset: the dose, the gain of the largest one, and what the dose loses."""
    by = [*PLACE, "arm", "dataset", "format", "doses_of"]
    dose, lost = 2 ** pl.col("log_dose").mean(), pl.col("lost").mean()
    rows = found.group_by(by).agg(dose=dose, gain=pl.col("gain").first(), lost=lost, how=pl.col("how").first())
    return tuple(rows.sort("series", "tokens", *by).to_dicts())


def caveats(found: pl.DataFrame) -> tuple[str, ...]:
    """List caveats: of doses, and that datasets differ in more than what they teach."""
    notes = dose_caveats(found)
    for arm in (FORM, KNOWLEDGE):
        names = sorted(set(found.filter(arm=arm)["dataset"]))
        notes.append(f"What stands for {arm} is {listed(names)}, taken as it is: other datasets may need other doses.")
    return tuple(notes)
