"""Findings on tables without items: numbers worked out by hand."""

import pytest
from findings_on_tables import exactly, findings_on, rows

HEADER = "series,checkpoint,step,dataset,format,format_trained,shots,probe,metric,value,se,chance"

# checkpoint, step; three choices and two texts, of which text "far" is on nobody's list
SMALL = {
    # (dataset, format, shots, probe): value at each of three checkpoints
    ("", "default", 4, "known"): (0.30, 0.60, 0.80),
    ("", "default", 4, "never"): (0.50, 0.52, 0.51),
    ("", "default", 0, "never"): (0.50, 0.50, 0.50),
    ("", "io", 4, "never"): (0.40, 0.50, 0.50),
    ("", "default", 4, "tale"): (0.04, 0.20, 0.25),
    ("known", "default", 4, "known"): (0.50, 0.70, 0.82),
    ("never", "default", 4, "never"): (0.55, 0.75, 0.90),
    ("never", "io", 4, "never"): (0.45, 0.70, 0.60),
    ("never", "other", 4, "never"): (0.50, 0.30, 0.75),
    ("never", "default", 0, "never"): (0.99, 0.99, 0.99),
    ("tale", "default", 4, "tale"): (0.10, 0.30, 0.40),
    ("never", "default", 4, "tale"): (0.08, 0.10, 0.05),
    ("known", "default", 4, "tale"): (0.04, 0.30, 0.00),
    ("tale", "default", 4, "never"): (0.50, 0.39, 0.51),
    ("tale", "default", 4, "known"): (0.33, 0.60, None),
}

GROUPS = {"learned": ["known"], "not_learned": ["never", "tale"]}


def small(folder, *, se: str = "") -> list[str]:
    lines = [HEADER]
    for (dataset, form, shots, probe), values in SMALL.items():
        metric, chance = ("rouge_l", "") if probe == "tale" else ("accuracy", {"known": 0.25, "never": 0.5}[probe])
        trained = "default" if dataset else ""
        for k, value in enumerate(values):
            if value is not None:
                lines.append(
                    f"s,c{k},{k + 1},{dataset},{form},{trained},{shots},{probe},{metric},{value},{se},{chance}"
                )
    (folder / "small.csv").write_text("\n".join(lines) + "\n")
    return lines


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    folder = tmp_path_factory.mktemp("small")
    small(folder)
    return findings_on(folder, "small.csv", tokens_per_step=1000, **GROUPS)


def test_gains_of_both_groups_at_every_checkpoint(found):
    groups = rows(found["gain-by-learning"], level="groups")
    assert [row["tokens"] for row in groups] == [1000, 2000, 3000]
    assert [row["learned"] for row in groups] == exactly([0.20, 0.10, 0.02])
    # in the format tuned in, with 4 shots: the mean of (0.05, 0.06), of (0.23, 0.10), of (0.39, 0.15)
    assert [row["not_learned"] for row in groups] == exactly([0.055, 0.165, 0.27])
    assert [row["effect"] for row in groups] == exactly([-0.145, 0.065, 0.25])
    (one,) = rows(found["gain-by-learning"], level="dataset", probe="never", checkpoint="c1")
    assert (one["before"], one["after"], one["effect"]) == exactly((0.52, 0.75, 0.23))
    assert one["low"] is None


def test_a_gain_without_errors_is_undecided_with_its_number(found):
    gain = found["gain-by-learning"]
    assert gain.verdict == "undecided" and gain.low is None
    assert gain.effect == exactly(0.25)  # the later half of three checkpoints is the last
    assert gain.statement.startswith("Cannot be decided: some numbers have no standard error. Over the later half")
    assert "tuning gains +0.27 on datasets not learned" in gain.statement
    assert gain.covers == "nothing"


def test_ratios_of_change_by_direction(found):
    finding = found["transfer-between-types"]
    assert finding.verdict == "undecided"
    (there,) = rows(finding, direction="choice to generation", level="direction")
    changes = [0.08 - 0.04, 0.10 - 0.20, 0.05 - 0.25, 0.0, 0.10, -0.25]
    ratios = sorted([1.0, -0.5, -0.8, 0.0, 0.5, -1.0])
    assert there["n_pairs"] == 6 and there["n_tiny"] == 2
    assert there["effect"] == exactly(sum(changes) / 6)
    assert there["ratio_mean"] == exactly(sum(ratios) / 6)
    assert there["ratio_median"] == exactly((-0.5 + 0.0) / 2)
    assert there["ratio_mean_without_tiny"] == exactly((-0.5 - 0.8 + 0.5 - 1.0) / 4)
    (back,) = rows(finding, direction="generation to choice", level="direction")
    # on never: 0.50 -> 0.50, 0.52 -> 0.39, 0.51 -> 0.51; on known: 0.30 -> 0.33, 0.60 -> 0.60, not measured
    assert back["n_pairs"] == 5 and back["n_tiny"] == 0
    assert back["effect"] == exactly((0.0 - 0.13 + 0.0 + 0.03 + 0.0) / 5)
    assert back["ratio_mean"] == exactly((0.0 - 0.25 + 0.0 + 0.10 + 0.0) / 5)
    assert back["ratio_median"] == exactly(0.0)
    assert back["n_at_floor"] == 4  # all on never, and known at its first checkpoint
    assert finding.effect == exactly(back["effect"] - there["effect"])
    assert any("1 of 12 measurements are missing: tale on known at c2" in caveat for caveat in finding.caveats)
    assert any("ratio to a score below 0.05" in caveat for caveat in finding.caveats)


def test_spreads_over_formats_of_tuned_and_untouched(found):
    finding = found["format-spread"]
    assert finding.verdict == "undecided" and "no null band" in finding.statement
    tuned = rows(finding, condition="tuned", probe="never")
    assert [row["n_formats"] for row in tuned] == [3, 3, 3]
    assert [row["spread"] for row in tuned] == exactly([0.10, 0.45, 0.30])
    mean = (0.55 + 0.45 + 0.50) / 3
    first = (((0.55 - mean) ** 2 + (0.45 - mean) ** 2 + (0.50 - mean) ** 2) / 2) ** 0.5
    assert tuned[0]["deviation"] == exactly(first)
    base = rows(finding, condition="untouched", probe="never")
    assert [row["spread"] for row in base] == exactly([0.10, 0.02, 0.01])
    assert base[1]["deviation"] == exactly(0.02 / 2**0.5)
    assert not rows(finding, probe="known")


def test_standard_errors_decide_only_where_the_config_names_the_groups(tmp_path):
    small(tmp_path, se="0.01")
    few = findings_on(tmp_path, "small.csv", tokens_per_step=1000, **GROUPS)["gain-by-learning"]
    assert few.verdict == "undecided" and few.statement.startswith("Cannot be decided: 3 checkpoints are too few (at")
    enough = {"tokens_per_step": 1000, "min_checkpoints": 3}
    given = findings_on(tmp_path, "small.csv", **enough, **GROUPS)["gain-by-learning"]
    assert (given.effect, given.low) == (few.effect, few.low)
    assert "no tuning seeds are named" in given.covers
    # two models at 0.01 each; means of such errors, of two groups: 0.01 * sqrt(2) * sqrt(2)
    assert given.on_these["high"] - given.effect == pytest.approx(1.959964 * 0.02, abs=1e-6)
    assert given.p_value is not None and given.low < given.on_these["low"]  # the scatter of two datasets and one
    by_curve = findings_on(tmp_path, "small.csv", tokens_per_step=1000)["gain-by-learning"]
    assert by_curve.verdict == "undecided" and by_curve.low is None
    assert "the groups come from the same scores that the gains start from" in by_curve.statement


def test_every_verdict_says_what_its_table_lacks(found):
    for finding in found.values():
        assert finding.caveats[0].startswith("No items: ")
        assert any(caveat.startswith("No seeds of tuning") for caveat in finding.caveats)
        assert finding.verdict == "undecided" and finding.statement.startswith("Cannot be decided: ")


def test_untouched_curves_with_errors_are_sorted_and_decided(tmp_path):
    header = "series,checkpoint,tokens,probe,metric,value,se,chance"
    curves = {"rises": (0.25, 0.3, 0.6, 0.62), "flat": (0.25, 0.26, 0.25, 0.26), "near": (0.25, 0.25, 0.35, 0.36)}
    lines = [
        f"s,c{k},{10**k},{probe},acc,{value},0.01,0.25"
        for probe, values in curves.items()
        for k, value in enumerate(values)
    ]
    lines += [f"s,c{k},{10**k},bare,acc,0.9,,0.25" for k in range(4)]
    (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    finding = findings_on(tmp_path, "t.csv")["learned-in-pretraining"]
    classes = {row["dataset"]: row["class"] for row in finding.details}
    assert classes == {"rises": "learned", "flat": "never", "near": "unclear", "bare": "high from the start"}
    assert finding.verdict == "supported"
    (gap,) = [part for part in finding.parts if part["label"] == "the gap between them"]
    assert gap["effect"] == exactly((0.61 - 0.25) - (0.255 - 0.25))
    # the mean of the errors of the late half, of both groups: 0.01 + 0.01
    assert gap["effect"] - gap["low"] == pytest.approx(1.959964 * 0.02, abs=1e-6)
    # the weakest proof decides: the clearest of three datasets
    assert (finding.part, finding.expects) == ("flat is never learned", "no harm")
    assert finding.effect == exactly(0.255 - 0.25) and finding.confidence == pytest.approx(1 - 0.05 / 3)
    assert finding.p_value == max(part["p_value"] for part in finding.parts)
    assert any("1 of 4 trajectories lack standard errors" in caveat for caveat in finding.caveats)
    # the first row may be late: the words say where it stands, and which floor is not known
    assert "1 is above the floor from the first checkpoint on (bare 0.90 against 0.25, first measured at 1 tokens)" in (
        finding.statement
    )
    assert any(caveat.startswith("High already in the first row of the table: bare; ") for caveat in finding.caveats)
    assert any("(`majority`) for bare, flat, near, rises: a probe that" in caveat for caveat in finding.caveats)
    (row,) = rows(finding, dataset="rises")
    assert (row["status"], row["saturation_tokens"]) == ("saturates", 100)


@pytest.mark.parametrize(
    ("changes", "se", "verdict", "effect"),
    [
        ((0.1, 0.1, 0.1, 0.1), 0.002, "supported", 0.0),
        ((0.1, 0.1, 0.1, 0.1), 0.05, "undecided", 0.0),
        ((-0.1, -0.1, 0.1, 0.2), 0.01, "reversed", 0.25),
    ],
)
def test_what_is_carried_over_is_compared_between_halves(tmp_path, changes, se, verdict, effect):
    names = ("near", "far", "own")
    lines = ["series,checkpoint,step,dataset,format,format_trained,shots,probe,metric,value,se,chance"]
    for k, change in enumerate(changes):
        for dataset, probe in [("", name) for name in names] + [(one, other) for one in names for other in names]:
            value = 0.4 if not dataset else 0.9 if dataset == probe else 0.4 + change
            lines.append(f"s,c{k},{k + 1},{dataset},default,default,0,{probe},accuracy,{value:.2f},{se},0.5")
    (tmp_path / "table.csv").write_text("\n".join(lines) + "\n")
    finding = findings_on(tmp_path, "table.csv", tokens_per_step=1000)["transfer-within-type"]
    assert (finding.verdict, finding.effect) == (verdict, exactly(effect))
    # two models of independent items, in two halves; the datasets do not differ
    assert finding.high - finding.effect == pytest.approx(1.959964 * 2 * se, rel=1e-4)
    assert (finding.p_value < 0.05) == (verdict != "undecided")
    two = [line for line in lines if "far" not in line]
    (tmp_path / "table.csv").write_text("\n".join(two) + "\n")
    finding = findings_on(tmp_path, "table.csv", tokens_per_step=1000)["transfer-within-type"]
    assert finding.verdict == "undecided" and "no type has three datasets" in finding.statement
    assert finding.on_these["high"] - finding.effect == pytest.approx(1.959964 * 2 * se, rel=1e-4)


ONE_LABEL = "series,checkpoint,tokens,format,probe,metric,value,se,chance,majority"


@pytest.mark.parametrize(
    ("values", "seen"),
    [
        ({"default": (0.99, 0.99, 1.0, 1.0)}, "odd: 0.99 untouched at the first checkpoint, c0"),
        ({"default": (0.6, 0.7, 1.0, 1.0), "io": (0.5, 0.5, 0.13, 0.5)}, "odd: 1.00 in one format and 0.13 in another"),
        ({"default": (0.9799,) * 4}, "odd: 0.98 untouched at the first checkpoint, c0"),
        ({"default": (0.973,) * 4}, "odd: 0.97 untouched at the first checkpoint, c0"),  # not clearly below
        ({"default": (0.97, 0.99, 1.0, 1.0)}, None),  # nearly
        ({"default": (0.6, 0.9, 1.0, 1.0), "io": (0.5, 0.6, 0.45, 0.9)}, None),
    ],
)
def test_a_probe_that_may_have_one_label_for_all_answers_is_left_out_unless_it_is_meant(tmp_path, values, seen):
    curves = {("rises", "default"): (0.5, 0.6, 0.9, 0.92), ("grows", "default"): (0.5, 0.55, 0.8, 0.82)}
    curves |= {("odd", name): some for name, some in values.items()}
    lines = [
        f"s,c{k},{10**k},{name},{probe},acc,{value},0.005,0.5,0.5"
        for (probe, name), some in curves.items()
        for k, value in enumerate(some)
    ]
    (tmp_path / "t.csv").write_text("\n".join([ONE_LABEL, *lines]) + "\n")
    left_out = findings_on(tmp_path, "t.csv")["learned-in-pretraining"]
    meant = findings_on(tmp_path, "t.csv", acknowledge=("perhaps-one-label",))["learned-in-pretraining"]
    assert [row["dataset"] for row in meant.details] == ["grows", "odd", "rises"]
    assert ("odd" in [row["dataset"] for row in left_out.details]) == (seen is None)
    warned = [caveat for caveat in left_out.caveats if "one label" in caveat]
    if seen is None:
        assert not warned and left_out.verdict == meant.verdict
        return
    other = meant.verdict
    assert left_out.verdict == "undecided"  # all of several are learned
    assert (
        len(warned) == 1 and seen in warned[0] and warned[0].startswith("All answers may be one label, and left out: ")
    )
    assert warned[0].endswith(f"With them the claim is {other}, here it is undecided.")
    assert any(
        "taken in: odd" in caveat and "Without them the claim is undecided" in caveat for caveat in meant.caveats
    )


def test_probes_that_the_number_of_shots_leaves_out_are_named_with_the_key(tmp_path):
    header = "series,checkpoint,tokens,dataset,shots,probe,metric,value,se,chance"
    lines = []
    for probe, shots in (("early", 4), ("late", 0)):
        for k in range(4):
            level = 0.3 if probe == "early" else 0.25 + 0.2 * k
            lines += [f"s,c{k},{10**k},{dataset},{shots},{probe},acc,{level},0.01,0.25" for dataset in ("", probe)]
    (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    given = findings_on(tmp_path, "t.csv", shots=4)["gain-by-learning"]
    assert "every dataset is in the group 'not learned' (early)" in given.statement
    assert "`published.shots` leaves out late: tuned models have rows at 0 shots only." in given.statement
    assert any(caveat.startswith("`published.shots` leaves out late") for caveat in given.caveats)
    free = findings_on(tmp_path, "t.csv")["gain-by-learning"]
    assert free.effect is not None and not any("published.shots" in text for text in (free.statement, *free.caveats))
