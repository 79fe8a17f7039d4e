"""The report in a browser without a network: nothing fails, every figure is drawn, downloads work."""

import base64
import json
import shutil
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import polars as pl
import pytest
from drawn import MEASURED as FIGURES
from synthetic import DATASETS, FORMATS, N_ITEMS
from waiting import MOMENT_SECONDS, wait_for

from ripeness.stats.verdicts import VERDICTS
from ripeness.tables.columns import EXAMPLES, write_table

pytestmark = pytest.mark.browser

FLAGS = [
    "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--window-size=1280,800",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
]  # fmt: skip


@pytest.fixture(scope="module")
def report_path(synthetic_folder, tmp_path_factory):
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


@pytest.fixture(scope="module")
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
    try:
        browser.get(report_path.as_uri())
        browser.drawn_at_once = drawn(browser)
        for name in FIGURES:
            draw(browser, name)
        yield browser
    finally:
        browser.quit()


def drawn(browser):
    return browser.execute_script("return document.querySelectorAll('[data-drawn=yes]').length")


def draw(browser, name):
    """Scroll to a figure, upon which it is drawn."""
    browser.execute_script("arguments[0].scrollIntoView()", figure_of(browser, name))
    wait_for(lambda: figure_of(browser, name).get_attribute("data-drawn") == "yes")


@contextmanager
def shown_as(browser, *, width=1280, height=800, media="", dark=False):
    """The page in a window of that size, on a screen or on paper, in the dark or not."""
    size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": media, "features": [scheme]})
    try:
        yield
    finally:
        browser.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": []})


def violations(browser, *rules):
    """What axe-core finds, by its own rules or by those named; of the charts one stands for all."""
    source = files("selenium_axe_python").joinpath("axe-core/axe.min.js").read_text(encoding="utf-8")
    browser.execute_script(source)
    options = {"resultTypes": ["violations"]} | ({"runOnly": list(rules)} if rules else {})
    run = """
        const [options, done] = arguments;
        const page = {exclude: [['figure:not([data-figure=gain]) .chart']]};
        axe.run(page, options).then((found) => done(found.violations));
    """
    found = browser.execute_async_script(run, options)
    return {f"{one['id']} ({one['impact']})": [node["html"] for node in one["nodes"]] for one in found}


def figure_of(browser, name):
    return browser.find_element("css selector", f"figure[data-figure='{name}']")


def test_console_is_silent(browser):
    assert [entry["message"] for entry in browser.get_log("browser")] == []


def test_nothing_but_the_file_is_asked_for(browser, report_path):
    events = [json.loads(entry["message"])["message"] for entry in browser.get_log("performance")]
    urls = [event["params"]["request"]["url"] for event in events if event["method"] == "Network.requestWillBeSent"]
    # chrome: and chrome-untrusted: are the empty tab in which the browser starts
    inside = ("data:", "blob:", "chrome:", "chrome-untrusted:", report_path.as_uri())
    outside = [url for url in urls if not url.startswith(inside)]
    assert report_path.as_uri() in urls and not outside


@pytest.mark.parametrize("name", FIGURES)
def test_figure_is_drawn_with_marks(browser, name):
    figure = figure_of(browser, name)
    drawing = figure.find_element("css selector", ".chart svg")
    few = {"saturation": 7, "indicators": 5}  # four datasets and two numbers of shots; a row an indicator of few
    assert drawing.size["width"] > 300 and drawing.size["height"] > (80 if name == "indicators" else 150)
    marks = ".role-mark path, .role-mark text"
    assert len(drawing.find_elements("css selector", marks)) > few.get(name, 30)
    assert not figure.find_element("css selector", "img").is_displayed()


def test_still_pictures_load_for_readers_without_scripts(browser):
    widths = browser.execute_script("return [...document.querySelectorAll('figure > img')].map(i => i.naturalWidth)")
    assert len(widths) == len(FIGURES) and min(widths) > 300


def test_hover_shows_what_a_point_is(browser):
    from selenium.webdriver.common.action_chains import ActionChains

    points = figure_of(browser, "gain").find_elements(
        "css selector", ".chart .mark-symbol path[aria-label*='test items']"
    )
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", points[0])
    ActionChains(browser).move_to_element(points[0]).perform()
    wait_for(lambda: "visible" in browser.find_element("id", "vg-tooltip-element").get_attribute("class"))
    text = browser.find_element("id", "vg-tooltip-element").text
    assert all(word in text for word in ("checkpoint", "95 % from", "test items", "seeds"))


def test_data_and_picture_can_be_downloaded(browser, report_path):
    for kind in ("csv", "svg"):
        link = figure_of(browser, "gain").find_element("css selector", f"a.{kind}")
        browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", link)
        link.click()
        saved = Path(browser.downloads) / f"gain.{kind}"
        figure = (report_path.parents[1] / "figures" / f"gain.{kind}").read_bytes()
        # the name may be there before all that it holds
        wait_for(lambda saved=saved, figure=figure: saved.exists() and saved.read_bytes() == figure)
    assert pl.read_csv(Path(browser.downloads) / "gain.csv").height > 100


def test_first_screen_holds_the_answer(browser):
    browser.execute_script("scrollTo(0, 0)")
    height = browser.execute_script("return innerHeight")
    rows = browser.find_elements("css selector", "#findings > .claim-row")
    assert len(rows) == 4
    for row in rows:
        assert row.rect["y"] + row.rect["height"] < height
        assert row.find_element("css selector", ".badge").text in VERDICTS
        assert not row.find_element("css selector", ".behind").is_displayed()
    rows[1].find_element("css selector", "summary").click()
    assert "Supported if the interval lies above" in rows[1].find_element("css selector", ".behind").text
    rows[1].find_element("css selector", "summary").click()
    question = browser.find_element("css selector", ".question")
    assert question.text == "When, in its pre-training, is a language model ripe for fine-tuning?"


def test_a_press_on_a_score_shows_its_values_items_files_and_command(browser):
    row = browser.find_element("css selector", "#score-rows tr[data-at*='nursery-mood'][data-at*='full']")
    press(browser, row.find_elements("css selector", "button.value")[-2])
    panel = browser.find_element("id", "panel")
    assert panel.is_displayed() and "step5859" in panel.find_element("tag name", "h2").text
    assert {"Values by format and seed", "Items that changed most", "Files and command"} == {
        head.text for head in panel.find_elements("tag name", "h3")
    }
    items = panel.find_elements("css selector", "details.item")
    assert 0 < len(items) <= 20 and "won" in items[0].text
    items[0].find_element("tag name", "summary").click()
    assert "Film " in items[0].text and "<img src=x onerror=alert(1)>" in items[0].text  # as text
    assert not panel.find_elements("tag name", "img")
    assert "ripeness show nursery/step5859/nursery-mood/" in panel.text
    assert violations(browser, "color-contrast", "aria-dialog-name", "button-name") == {}
    escape(browser)
    assert not panel.is_displayed()


def test_a_press_on_a_pair_shows_what_the_one_won_and_lost(browser):
    which = ".maps[data-kind=checkpoints] .map-group:not([hidden]) table[data-probe=nursery-mood] button"
    cells = browser.find_elements("css selector", which)
    press(browser, cells[-1])
    panel = browser.find_element("id", "panel")
    assert "step5859-annealed minus step5859 on nursery-mood" in panel.find_element("tag name", "h2").text
    assert "answers won" in panel.text and "needs" in panel.text
    escape(browser)


def test_a_press_on_a_point_of_a_chart_or_enter_on_it_opens_the_panel(browser):
    from selenium.webdriver import ActionChains, Keys

    points = figure_of(browser, "gain").find_elements(
        "css selector", ".chart .mark-symbol path[aria-label*='test items']"
    )
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", points[0])
    ActionChains(browser).move_to_element(points[0]).click().perform()
    panel = browser.find_element("id", "panel")
    wait_for(panel.is_displayed)
    assert "Values by format and seed" in panel.text and "full" in panel.find_element("tag name", "h2").text
    escape(browser)
    browser.execute_script("arguments[0].focus()", points[0])
    ActionChains(browser).send_keys(Keys.ENTER).perform()
    wait_for(panel.is_displayed)
    escape(browser)


def press(browser, button):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def escape(browser):
    from selenium.webdriver import ActionChains, Keys

    ActionChains(browser).send_keys(Keys.ESCAPE).perform()


def test_scores_are_sorted_filtered_and_columns_left_out(browser):
    table = browser.find_element("id", "score-rows")
    last = table.find_elements("css selector", "th button")[-1]
    values = "return [...arguments[0].tBodies[0].rows].map((row) => Number(row.lastElementChild.dataset.value))"
    press(browser, last)
    down = browser.execute_script(values, table)
    assert down == sorted(down, reverse=True) and len(set(down)) > 5
    press(browser, last)
    assert browser.execute_script(values, table) == down[::-1] or sorted(down) == browser.execute_script(values, table)
    field = browser.find_element("css selector", "[data-filter]")
    field.send_keys("mood tuned io")
    shown = [row for row in table.find_elements("css selector", "tbody tr") if row.is_displayed()]
    assert [row.find_elements("tag name", "td")[2].text for row in shown] == ["io"]
    field.clear()
    field.send_keys(" ")
    before = len([head for head in table.find_elements("tag name", "th") if head.is_displayed()])
    browser.execute_script("document.querySelector('.tools details').open = true")
    browser.find_elements("css selector", "[data-column]")[0].click()
    assert len([head for head in table.find_elements("tag name", "th") if head.is_displayed()]) == before - 1
    browser.find_elements("css selector", "[data-column]")[0].click()


def test_maps_of_other_methods_are_chosen(browser):
    maps = browser.find_element("css selector", ".maps[data-kind=checkpoints]")
    groups = maps.find_elements("css selector", ".map-group")
    assert [group.is_displayed() for group in groups] == [True, False]
    browser.execute_script(
        "arguments[0].value = 'base'; arguments[0].dispatchEvent(new Event('change'))",
        maps.find_element("tag name", "select"),
    )
    assert [group.is_displayed() for group in groups] == [False, True]


def test_charts_follow_a_dark_screen_and_print_on_white(browser):
    ink = "return getComputedStyle(document.querySelector('figure[data-figure=gain] .chart .mark-line path')).stroke"
    assert browser.execute_script(ink) == "rgb(0, 114, 178)"
    with shown_as(browser, dark=True):
        assert browser.execute_script(ink) == "rgb(86, 180, 233)"
    with shown_as(browser, media="print", dark=True):
        assert browser.execute_script(ink) == "rgb(0, 114, 178)"


def test_headings_and_pictures_say_what_a_figure_shows(browser):
    head = browser.find_element("css selector", "#gain h2").text
    assert head.startswith("Tuning (full) changes the score by +0.")
    assert head.rstrip(" #").startswith(figure_of(browser, "gain").find_element("tag name", "img").get_attribute("alt"))


@pytest.mark.parametrize("width", [390, 560])
def test_page_does_not_scroll_sideways_in_a_narrow_window(browser, width):
    with shown_as(browser, width=width, height=844):
        assert browser.execute_script("return document.documentElement.scrollWidth") <= width


def test_page_is_dark_where_the_reader_prefers_it(browser):
    ground = "return getComputedStyle(document.body).backgroundColor.match(/\\d+/g).map(Number)"
    assert min(browser.execute_script(ground)) > 240
    with shown_as(browser, dark=True):
        assert max(browser.execute_script(ground)) < 40
        assert violations(browser, "color-contrast") == {}


def test_print_is_short_and_cuts_nothing(browser):
    with shown_as(browser, width=703, media="print"):
        browser.execute_script("dispatchEvent(new Event('beforeprint'))")
        wide = """
            return [...document.querySelectorAll('table, .chart svg, figure > img, pre, p')]
                .filter((part) => part.getBoundingClientRect().right > innerWidth + 1)
                .map((part) => part.outerHTML.slice(0, 200));
        """
        assert browser.execute_script(wide) == []
        browser.execute_script("dispatchEvent(new Event('afterprint'))")
    paper = {"preferCSSPageSize": True, "printBackground": True}
    pdf = base64.b64decode(browser.execute_cdp_cmd("Page.printToPDF", paper)["data"])
    assert 2 < pdf.count(b"/Type /Page\n") <= 20


def test_charts_are_drawn_when_they_come_near_the_window(browser):
    assert browser.drawn_at_once < len(FIGURES) == drawn(browser)


def test_every_section_has_a_link_and_an_entry_in_the_contents(browser):
    sections = [
        part.get_attribute("id") for part in browser.find_elements("css selector", "main section:not(#findings)")
    ]
    links = browser.find_elements("css selector", "main section h2 .anchor")
    entries = browser.find_elements("css selector", ".contents a")
    assert [link.get_attribute("hash")[1:] for link in links] == sections
    assert {entry.get_attribute("hash")[1:] for entry in entries} == {*sections, "findings"}


def test_contents_stay_in_sight_and_mark_what_is_read(browser):
    browser.execute_script("document.getElementById('gain').scrollIntoView()")
    wait_for(lambda: browser.find_element("css selector", ".contents [aria-current]").text == "Gain")
    assert browser.execute_script("return document.querySelector('.contents').getBoundingClientRect().top") == 0


def test_definition_shows_on_a_touch_and_hides_on_escape(browser):
    from selenium.webdriver import ActionChains, Keys

    for folded in browser.find_elements("css selector", ".claim-row"):
        browser.execute_script("arguments[0].open = true", folded)
    word = browser.find_element("css selector", "dfn")
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", word)
    word.click()
    note = browser.find_element("id", "definition")
    assert note.is_displayed() and note.text == word.get_attribute("data-says") != ""
    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
    assert not note.is_displayed()


def test_marks_of_a_chart_are_reached_by_the_keyboard(browser):
    from selenium.webdriver import ActionChains, Keys

    figure = figure_of(browser, "gain")
    stops = figure.find_elements("css selector", ".chart [tabindex='0']")
    assert len(stops) == 1  # a chart is one stop; arrows go on from there
    browser.execute_script("arguments[0].focus()", stops[0])
    ActionChains(browser).send_keys(Keys.ARROW_RIGHT).perform()
    focused = browser.execute_script("return document.activeElement")
    assert focused != stops[0] and "test items" in focused.get_attribute("aria-label")
    wait_for(lambda: "visible" in browser.find_element("id", "vg-tooltip-element").get_attribute("class"))
    assert "checkpoint" in browser.find_element("id", "vg-tooltip-element").text


def test_axe_finds_no_serious_violation(browser):
    pytest.importorskip("selenium_axe_python", reason="selenium-axe-python is not installed")
    assert [rule for rule in violations(browser) if "serious" in rule or "critical" in rule] == []


def test_scores_can_be_copied_as_markdown(browser):
    button = browser.find_element("css selector", "button[data-copy]")
    browser.execute_script("arguments[0].click()", button)
    wait_for(lambda: button.text != "Copy as Markdown")
    assert "dataset" in browser.execute_script("return String(getSelection())")
