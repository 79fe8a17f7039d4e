"""What tests do with a page in a browser: size and darken it, draw its charts, press, check with axe-core."""

from contextlib import contextmanager
from importlib.resources import files

from waiting import wait_for


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


def press(browser, button):
    browser.execute_script("arguments[0].scrollIntoView({block: 'center'})", button)
    button.click()


def escape(browser):
    from selenium.webdriver import ActionChains, Keys

    ActionChains(browser).send_keys(Keys.ESCAPE).perform()
