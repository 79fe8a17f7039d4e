"""What is behind a number opens next to it: the panel, the sortable scores, the maps of pairs."""

import pytest
from in_browser import escape, figure_of, press, violations
from waiting import wait_for

pytestmark = pytest.mark.browser


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
