"""The report: one file, nothing from outside, and nothing from models or datasets that runs."""

import base64
import hashlib
import json
import re

import polars as pl
import pytest
import vl_convert
from drawn import MEASURED as FIGURES
from synthetic_report import TOLD

import write_report
from ripeness.report import finding_rows, number_tables
from ripeness.report import page as report
from ripeness.report.score_table import markdown, score_table
from ripeness.runtime.errors import UserError
from ripeness.tables.columns import CELLS, MEASUREMENTS, conform


@pytest.fixture(scope="module")
def page(synthetic_folder, tmp_path_factory):
    """The HTML of a report whose figures and chart library are stand-ins."""
    return written(synthetic_folder, tmp_path_factory.mktemp("report"))


def written(synthetic_folder, folder, **others):
    for name in FIGURES:
        (folder / f"{name}.json").write_text(
            json.dumps({"title": "t", "description": "It <b>rises</b>", "mark": "</script><b>"})
        )
        (folder / f"{name}.svg").write_text(f"<svg><!-- {name} --></svg>")
        (folder / f"{name}.csv").write_text("a,b\n1,ä\n", encoding="utf-8")
    options = {name: synthetic_folder / f"{name}.json" for name in ("findings", "prompts", "provenance")}
    options |= {name: synthetic_folder / f"{name}.parquet" for name in ("measurements", "cells", "audit")}
    options |= {"figures": folder, "usage-logs": synthetic_folder / "usage", "output": folder / "report.html"} | others
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "javascript_bundle", lambda *_, **__: "/* charts </script> */")
        write_report.main([f"--{name}={path}" for name, path in options.items()])
    return (folder / "report.html").read_text(encoding="utf-8")


def section(page: str, name: str) -> str:
    return re.search(rf'<section[^>]* ?id="{name}".*?</section>', page, flags=re.DOTALL)[0]


def test_claims_come_first_each_with_verdict_and_interval_and_unfold(page):
    claims = section(page, "findings")
    rows = re.findall(r'<details class="claim-row".*?</summary>', claims, flags=re.DOTALL)
    assert [re.search(r'class="badge ([\w-]+)">([\w ]+)<', row).groups() for row in rows] == [
        ("supported", "supported"),
        ("reversed", "reversed"),
        ("undecided", "undecided"),
        ("too-small-to-matter", "too small to matter"),
    ]
    # the interval that decides stands in the row, and the zone that it must leave or stay in is drawn
    assert "−0.10 to −0.03 (98.75 %)" in rows[1] and 'class="zone"' in rows[1]
    assert claims.count("−0.09 to −0.03; decided on −0.10 to −0.03 (98.75 %)") == 1
    assert "too small to matter within ±0.02; reversed below −0.02." in claims
    assert [row.count('class="zone"') for row in rows] == [0, 1, 0, 0]  # where no smallest effect is known, no scale


@pytest.mark.parametrize(("n_datasets", "is_open"), [(6, True), (7, False)])
def test_the_answer_and_what_decides_it_stand_before_the_claims(synthetic_folder, tmp_path, n_datasets, is_open):
    row = {"series": "s", "method": "full", "checkpoint": "step8", "may_be_best": ["step8", "step4"], "n_seeds": 2}
    row |= {"last_is_worse_by": 0.012, "low": 0.001, "high": 0.03, "n_items": 40, "statement": ""}
    ripe = {"id": "ripe", "statement": "Tune step8.", "confidence": 0.95, "verdict": "answered", "claim": "Which?"}
    ripe |= {"answers": [row | {"dataset": f"set {n}"} for n in range(n_datasets)]}
    claims = json.loads((synthetic_folder / "findings.json").read_text())
    (tmp_path / "findings.json").write_text(json.dumps([*claims, ripe]))
    page = written(synthetic_folder, tmp_path, findings=tmp_path / "findings.json")
    assert page.index("Tune step8.") < page.index('<section id="ripe">') < page.index('id="findings"')
    found = section(page, "ripe")
    assert ("<details open><summary>For each dataset" in found) == is_open
    assert "<td>step4</td>" in found and "+0.1 to +3.0" in found and found.count("<tr><td>s</td>") == n_datasets


def test_claims_without_an_interval_fold_into_one_line(page):
    folded = section(page, "findings").partition('<details class="untested">')[2]
    assert "<summary>1 claim without an interval: it cannot be decided on this study</summary>" in folded
    assert folded.count("<li ") == 1 and "A claim about transfer." in folded


def test_one_line_says_how_a_verdict_fares_with_less_data_and_the_rest_is_folded(page):
    found = re.findall(r'<details class="robust"><summary>(.*)</summary>', page)
    without = "falls without dataset &lt;b&gt;xsum&lt;/b&gt;"
    line = f"Stands in 11 of 12 studies with a part left out; {without}; at twice the smallest effect undecided."
    assert found == [line]
    assert "<li>without dataset &lt;b&gt;xsum&lt;/b&gt;: undecided</li>" in page
    assert "(each dataset, each checkpoint that it uses)" in page


def test_each_part_of_a_joint_claim_has_its_own_verdict_and_interval(page):
    assert re.findall(r'class="part">([\w ]+): <b>([\w ]+)</b>, 0.000, -0.010 to 0.010', page) == [
        ("there", "too small to matter"),
        ("and back", "supported"),
    ]
    assert page.count("93 % of such studies would support the claim with all its parts") == 1
    assert "80 % would support the claim at a true effect of 0.10" in page
    assert page.index('id="findings"') < page.index('<section id="availability">') < page.index('<section id="gain">')


def test_the_audit_is_a_line_of_the_first_screen_and_a_section_after_the_findings(page):
    line = "1 warning, 1 note, 1 acknowledged, 4 checks ran"
    assert page.index(f'<a href="#audit">Audit</a>: {line}.') < page.index('id="findings"')
    audit = section(page, "audit")
    assert page.index('id="findings"') < page.index(audit) < page.index('<section id="availability">')
    assert line in audit and "Checks passed: duplicates (items)." in audit
    assert re.findall(r'class="badge (\w+)">(\w+)', audit) == [
        ("fatal", "acknowledged"),
        ("warning", "warning"),
        ("note", "note"),
    ]
    assert "Acknowledged: as &lt;i&gt;published&lt;/i&gt;" in audit and "<summary>2 more</summary>" in audit
    assert "<b>set 4</b>: 4 &lt;b&gt;of&lt;/b&gt; 9" in audit and "no longer needed" in audit


def test_indicators_are_a_section_with_a_row_for_each(page):
    section = page[page.index('<section id="predictors">') :].partition("</section>")[0]
    assert (
        "Pairs of checkpoints are ordered as after tuning by tokens. There are &lt;i&gt;no&lt;/i&gt; items." in section
    )
    assert section.count("<tr><td>nursery</td>") == 3
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", section)[:11]
    assert cells[3:8] == ["80 [60, 90]", "60", "0.60 [−0.10, 0.90]", "1.0 [−2.0, 30.0]", "0 %"]
    assert '<td class="number">–</td><td>not distinguished from chance</td>' in section
    assert (
        "What predicts the score after tuning?" not in page.partition('<section id="predictors">')[0]
    )  # it is no claim


def test_answers_are_found_by_their_id_whichever_are_there():
    ripe = {"id": "ripe", "statement": "Tune it.", "confidence": 0.95, "answers": []}
    assert finding_rows.answers_of([TOLD]) is None and finding_rows.indicators_of([ripe]) is None
    assert (
        finding_rows.answers_of([TOLD, ripe])["statement"] == "Tune it."
        and finding_rows.indicators_of([ripe, TOLD])["method"] == "full"
    )
    lacking = {
        "last_is_worse_by": 0.1,
        "low": None,
        "high": None,
        "may_be_best": ["a"],
        "checkpoint": "a",
        "lacks": "x",
    }
    (row,) = finding_rows.answers_of([ripe | {"answers": [lacking]}])["rows"]
    assert (row["worse"], row["interval"]) == ("+10.0", "–")
    (row,) = finding_rows.answers_of([ripe | {"answers": [lacking | {"low": -0.004, "high": 0.031}]}])["rows"]
    assert row["interval"] == "−0.4 to +3.1"  # points, as the sentence has them
    assert finding_rows.answers_of([ripe | {"answers": [lacking]}])["is_published"]


def test_a_caveat_that_all_findings_share_is_said_once(page):
    assert page.count("One pre-training run.") == 1
    assert page.count("Only &lt;b&gt;three&lt;/b&gt; formats.") == 1


def test_text_of_prompts_is_escaped_and_verbatim(page):
    prompts = section(page, "prompts")
    assert "<script>alert" not in page
    # a newline directly after <pre> would be swallowed
    assert "<pre><span>\nthe play was &lt;script&gt;alert(1)&lt;/script&gt; not dull .\nverdict :</span>" in prompts
    assert prompts.count("<pre>") == 4 * 3 * 2


def test_title_is_escaped(page):
    assert "<h1>A &lt;study&gt;</h1>" in page


def test_only_the_two_scripts_of_the_page_may_run(page):
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', page)[1].replace("&#39;", "'")
    assert "default-src 'none'" in policy and "unsafe-eval" not in policy
    scripts = re.findall(r"<script>(.*?)</script>", page, flags=re.DOTALL)
    digests = [base64.b64encode(hashlib.sha256(text.encode()).digest()).decode() for text in scripts]
    assert re.findall(r"'sha256-([^']+)'", policy) == digests


def test_nothing_is_loaded_from_outside(page):
    assert not re.search(r' (?:src|href)="(?!data:|#)', page.split("<script>")[0])


def test_specifications_cannot_end_their_script_element(page):
    block = re.search(r'<script type="application/json">(.*?)</script>', page)[1]
    assert json.loads(block) == {"description": "It <b>rises</b>", "mark": "</script><b>"}


def test_data_of_every_figure_can_be_downloaded(page):
    links = re.findall(r'download="([\w-]+)\.csv" href="data:text/csv;charset=utf-8;base64,([^"]+)"', page)
    assert [name for name, _ in links] == list(FIGURES)
    assert base64.b64decode(links[0][1]).decode() == "a,b\n1,ä\n"


def test_cells_that_diverged_are_listed_with_their_reason(page):
    assert "loss is nan at step 31" in section(page, "availability")
    assert "1 diverged, 1 missing" in page


def test_cost_is_summed_by_stage(page):
    cells = re.findall(r"<td[^>]*>([^<]*)</td>", section(page, "cost"))
    assert cells[:7] == ["train_model", "3", "6.0", "1.5", "20 %", "302", "5120"]
    assert cells[-7:] == ["all", "5", "10.0", "2.5", "20 %", "302", "5120"]
    assert cells[cells.index("collect") :][6] == "–"  # it was not on a GPU
    assert "collect" in cells


def test_tables_of_like_mappings_have_one_row_each(page):
    assert '<th scope="row">step5859-annealed</th><td>' in re.sub(r">\s+", ">", section(page, "used"))


def test_ties_are_counted():
    rows = [{"metric": "ties", "value": value} for value in (0.0, 0.25, 0.05)] + [{"metric": "accuracy", "value": 1.0}]
    assert number_tables.tie_counts(pl.DataFrame(rows)) == {"n": 3, "n_tied": 2, "most": 0.25}
    assert number_tables.tie_counts(pl.DataFrame(rows[3:])) == {"n": 0, "n_tied": 0, "most": 0.0}


def test_learning_rates_are_shown_with_the_chosen_one_and_what_diverged(synthetic_study):
    assert number_tables.rate_table(synthetic_study["measurements"], synthetic_study["cells"])["rows"] == []
    place = {"series": "s", "checkpoint": "step8", "tokens": 8000, "phase": "stable", "dataset": "film", "format": "io"}
    rows = [place | {"method": "full", "learning_rate": rate, "seed": 1, "status": "done"} for rate in (1e-4, 1e-3)]
    rows.append(rows[0] | {"learning_rate": 1e-2, "status": "diverged"})
    accuracy = {"suite": "validation", "probe_kind": "choice", "metric": "accuracy", "is_primary": True}
    scores = [row | accuracy for row in rows[:2]]
    scores = [row | {"value": value} for row, value in zip(scores, (0.5, 0.75), strict=True)]
    table = number_tables.rate_table(conform([drop(row) for row in scores], MEASUREMENTS), conform(rows, CELLS))
    assert table["rows"] == [
        ("film", "full", "io", "0.0001", [("0.50", False)]),
        ("film", "full", "io", "0.001", [("0.75", True)]),
        ("film", "full", "io", "0.01", [("– (1 of 1 diverged)", False)]),
    ]
    assert (table["columns"], table["n_chosen"], table["n_at_edge"]) == (["8k"], 1, 0)
    losses = [row | {"metric": "answer_loss"} for row in scores]
    table = number_tables.rate_table(
        conform([drop(r) for r in losses], MEASUREMENTS), conform(rows, CELLS), {"full": "loss"}
    )
    assert [(row[1], row[-1][0][1]) for row in table["rows"]] == [
        ("full (by loss)", is_chosen) for is_chosen in (True, False, False)
    ]


def drop(row):
    return {key: value for key, value in row.items() if key in MEASUREMENTS}


def test_scores_are_the_same_in_html_and_markdown(synthetic_study):
    table = score_table(synthetic_study["measurements"])
    lines = markdown(table).splitlines()
    labels = [column["label"] for column in table["columns"]]
    assert labels[0] == "0" and labels[-1] == "6M annealed"
    assert lines[0].startswith("| dataset | model | format | 0 | 62k |")
    assert len(lines) == 2 + 4 * 3 * 4  # datasets, each untouched with 0 and 4 shots, and tuned, by format and all
    assert {line.count("|") for line in lines} == {len(labels) + 4}


def test_captions_say_how_many_seeds_there_are(tmp_path):
    (tmp_path / "c.rst").write_text('Over {{ snakemake.config["seeds"] | length }} seeds of *one* run.')
    assert str(report.caption_html(tmp_path / "c.rst", {"seeds": [1, 2]})).strip() == (
        "<p>Over 2 seeds of <em>one</em> run.</p>"
    )


@pytest.mark.parametrize("name", FIGURES)
def test_every_figure_has_a_caption_that_renders(name):
    html = report.caption_html(write_report.REPORTS / f"{name}.rst", {"seeds": [1]})
    assert "<p>" in html and "system-message" not in html


def test_captions_cannot_include_files_or_raw_html(tmp_path):
    (tmp_path / "c.rst").write_text(".. raw:: html\n\n   <script>x</script>\n\nText.\n")
    assert "<script>" not in report.caption_html(tmp_path / "c.rst", {})


def test_folder_without_figures_is_an_error(tmp_path):
    with pytest.raises(UserError, match="(?s)no figures in .*hint: "):
        report.figures_of(tmp_path, write_report.REPORTS, {"seeds": []})


def test_a_picture_stands_next_to_its_question_and_both_answers_and_text_is_escaped(synthetic_folder, tmp_path, page):
    assert 'id="pictures"' not in page and 'href="#pictures"' not in page  # a study without any
    answers = [
        {"method": "look", "picture": "its own picture", "said": "<i>red</i>", "is_right": True},
        {"method": "look", "picture": "another picture", "said": "blue", "is_right": False},
        {"method": "write", "picture": "no picture", "said": "a long text", "is_right": None},
    ]
    shown = {"dataset": "scenes", "checkpoint": "step8", "item": '"><script>', "picture": "data:image/png;base64,AAAA"}
    shown |= {"prompt": "what </pre> is it ?", "options": [" red"], "target": " red", "answers": answers}
    (tmp_path / "pictures.json").write_text(json.dumps([shown]), encoding="utf-8")
    (tmp_path / "page").mkdir()
    page = written(synthetic_folder, tmp_path / "page", pictures=tmp_path / "pictures.json")
    seen = section(page, "pictures")
    assert '<img src="data:image/png;base64,AAAA" alt="picture of item &#34;&gt;&lt;script&gt;">' in seen
    assert "<span>what &lt;/pre&gt; is it ?</span><mark> red</mark>" in seen
    assert "look with its own picture: <code>&lt;i&gt;red&lt;/i&gt;</code> (right); " in seen
    assert (
        "look with another picture: <code>blue</code> (wrong); write with no picture: <code>a long text</code></p>"
        in seen
    )
    assert 'href="#pictures"' in page and "of a tuned model at step8" in seen
