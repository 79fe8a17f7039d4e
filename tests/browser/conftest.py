"""The report of the invented study of tests/synthetic.py, written once and open in one browser."""

import shutil

import pytest
from drawn import MEASURED as FIGURES
from in_browser import draw, drawn
from synthetic import DATASETS, FORMATS, N_ITEMS, synthetic_study  # noqa: F401 (fixtures)
from synthetic_report import synthetic_folder  # noqa: F401 (fixtures)
from waiting import HANG_SECONDS, MOMENT_SECONDS

from ripeness.tables.columns import EXAMPLES, write_table

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1280,800",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip


@pytest.fixture(scope="session")
def report_path(synthetic_folder, tmp_path_factory):  # noqa: F811 (the fixture)
    """A report with all its figures, in a folder of its own."""
    import plot_figure
    import write_report

    folder = tmp_path_factory.mktemp("page")
    tables = [f"--{name}={synthetic_folder / name}.parquet" for name in ("measurements", "cells")]
    audit = f"--audit={synthetic_folder / 'audit.parquet'}"
    findings = f"--findings={synthetic_folder / 'findings.json'}"
    for name in FIGURES:
        outputs = [
            f"--output-{option}={folder / 'figures' / name}.{suffix}"
            for option, suffix in (("spec", "json"), ("svg", "svg"), ("csv", "csv"))
        ]
        items = f"--items={synthetic_folder / 'items'}"
        plot_figure.main(["--figure", name, *tables, items, findings, *outputs])
    examples = prompts_of_items(folder / "examples")
    others = [f"--{name}={synthetic_folder / name}.json" for name in ("prompts", "provenance")]
    places = [f"--figures={folder / 'figures'}", f"--output={folder / 'alone' / 'report.html'}"]
    logs = f"--usage-logs={synthetic_folder / 'usage'}"
    compared = [f"--items={synthetic_folder / 'items'}", "--examples", *examples]
    write_report.main([*tables, audit, findings, *others, *places, logs, *compared])
    return folder / "alone" / "report.html"


@pytest.fixture(scope="session")
def browser(report_path, tmp_path_factory):
    """Chromium with the report open and drawn."""
    webdriver = pytest.importorskip("selenium.webdriver", reason="selenium is not installed")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in (*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"):
        options.add_argument(flag)
    downloads = str(tmp_path_factory.mktemp("downloads"))
    options.add_experimental_option("prefs", {"download.default_directory": downloads})
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(driver))
    browser.downloads = downloads
    browser.set_page_load_timeout(MOMENT_SECONDS)
    browser.set_script_timeout(MOMENT_SECONDS)
    browser.command_executor.client_config.timeout = HANG_SECONDS  # of an answer; two minutes if nothing is said
    try:
        browser.get(report_path.as_uri())
        browser.drawn_at_once = drawn(browser)
        for name in FIGURES:
            draw(browser, name)
        yield browser
    finally:
        browser.quit()


def prompts_of_items(folder):
    """Examples of the items of the invented study, whose text would run if it were read as HTML."""
    paths = [folder / dataset / form for dataset in DATASETS for form in FORMATS]
    for path in paths:
        rows = [
            {"item": f"{path.parent.name}-{n}", "prompt": f"Film {n} <img src=x onerror=alert(1)>", "target": " good"}
            for n in range(N_ITEMS)
        ]
        path.mkdir(parents=True)
        write_table(path / "test.parquet", rows, EXAMPLES)
    return map(str, paths)
