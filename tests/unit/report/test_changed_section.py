"""The report's section on what changed since the last report."""

import json
import re

import pytest
import vl_convert
from drawn import MEASURED as FIGURES

import write_report


def changed_page(study, folder, verdict: str) -> str:
    """The page of the invented study, whose third entry has this verdict."""
    for name in FIGURES:
        for kind, text in (
            ("json", '{"description": "It rises", "mark": "point"}'),
            ("svg", "<svg></svg>"),
            ("csv", "a\n1\n"),
        ):
            (folder / f"{name}.{kind}").write_text(text)
    entries = json.loads((study / "findings.json").read_text())
    (folder / "claims.json").write_text(json.dumps([*entries[:2], entries[2] | {"verdict": verdict}, *entries[3:]]))
    options = {name: study / f"{name}.json" for name in ("prompts", "provenance")}
    options |= {name: study / f"{name}.parquet" for name in ("measurements", "cells", "audit")}
    options |= {"findings": folder / "claims.json", "reported": folder / "reported.json", "figures": folder}
    options |= {"usage-logs": study / "usage", "output": folder / "report.html"}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(vl_convert, "javascript_bundle", lambda *_, **__: "/* charts */")
        write_report.main([f"--{name}={path}" for name, path in options.items()])
    return (folder / "report.html").read_text(encoding="utf-8")


def section(page: str) -> str:
    return re.search(r'<section[^>]* ?id="changed".*?</section>', page, flags=re.DOTALL)[0]


def test_what_changed_since_the_last_report_is_a_section_verdicts_first(synthetic_folder, tmp_path):
    assert 'id="changed"' not in changed_page(synthetic_folder, tmp_path, "undecided")
    page = changed_page(synthetic_folder, tmp_path, "supported")
    badges = re.findall(r'<span class="badge [\w-]+">([\w ]+)</span>', section(page))
    assert badges == ["undecided", "supported"] and "Compared with the report of 20" in section(page)
    assert page.index('id="findings"') < page.index('id="changed"') < page.index('id="scores"')
    again = changed_page(synthetic_folder, tmp_path, "supported")
    assert section(again) == section(page)  # a page that is made again says the same
