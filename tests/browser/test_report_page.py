"""The report in a browser without a network: nothing fails, every figure is drawn, downloads work."""

import base64
import json
from pathlib import Path

import polars as pl
import pytest
from drawn import MEASURED as FIGURES
from in_browser import drawn, figure_of, shown_as, violations
from waiting import wait_for

from ripeness.stats.verdicts import VERDICTS

pytestmark = pytest.mark.browser


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
