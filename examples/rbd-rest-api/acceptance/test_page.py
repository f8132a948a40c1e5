"""The web page, in a real browser on the real service and cluster."""

import json
import os
import urllib.parse

import pytest
from conftest import wait_until
from selenium import webdriver
from selenium.common.exceptions import StaleElementReferenceException, WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.select import Select

EVIL = "<img src=x onerror=document.title='owned'>"
SIZES = {"wide": (1280, 900), "narrow": (360, 800)}


class Page:
    """A tab with the page in it."""

    def __init__(self, driver, service):
        self.driver = driver
        self.service = service

    def open(self, address="#/", token=True):
        """Opens the page anew, in a session of its own, with the token or without."""
        self.driver.get(f"{self.service.url}/healthz")
        self.driver.execute_script("sessionStorage.clear()")
        if token:
            script = "sessionStorage.setItem('rbd-rest-api-token', arguments[0])"
            self.driver.execute_script(script, self.service.token)
        self.driver.get(f"{self.service.url}/{address}")
        if token:
            self.settled()
        return self

    def settled(self):
        """Waits until the view is there."""
        wait_until("the view is there", lambda: self.all("main[aria-busy=false] h1"))
        return self

    def all(self, selector):
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def see(self, selector, text="", within=30):
        """Waits for a visible element with that text in it."""

        def seen():
            try:
                return next((e for e in self.all(selector) if e.is_displayed() and text in e.text), None)
            except StaleElementReferenceException:
                return None

        return wait_until(f"{selector} with {text!r}", seen, within)

    def gone(self, selector, text=""):
        def absent():
            try:
                return not any(text in e.text for e in self.all(selector) if e.is_displayed())
            except StaleElementReferenceException:
                return False

        wait_until(f"no {selector} with {text!r}", absent)

    def click(self, selector, text=""):
        def clicked():
            try:
                self.see(selector, text).click()
                return True
            except (StaleElementReferenceException, WebDriverException):
                return False

        wait_until(f"{selector} with {text!r} can be clicked", clicked)

    def type(self, selector, text):
        field = self.see(selector)
        field.clear()
        field.send_keys(text)
        return field

    def submit(self):
        self.click("dialog [type=submit]")

    def keys(self, *keys):
        webdriver.ActionChains(self.driver).send_keys(*keys).perform()

    def focused(self):
        return self.driver.switch_to.active_element

    def tab_to(self, selector):
        """Presses Tab until the focus is there."""
        wanted = self.see(selector)
        for _ in range(60):
            if self.focused() == wanted:
                return wanted
            self.keys(Keys.TAB)
        pytest.fail(f"Tab does not reach {selector}")

    def hash(self):
        return urllib.parse.unquote(urllib.parse.urlsplit(self.driver.current_url).fragment)

    def at(self, address):
        wait_until(f"the page is at {address}", lambda: self.hash() == address)
        return self.settled()

    def messages(self):
        """What is in the console, but for answers that are no success, which the browser notes there."""
        entries = self.driver.get_log("browser")
        return [e for e in entries if not (e["source"] == "network" and "the server responded with a status of 4" in e["message"])]


@pytest.fixture(scope="module")
def driver():
    options = webdriver.ChromeOptions()
    options.binary_location = os.environ.get("CHROMIUM", "/usr/bin/chromium")
    for argument in ("headless=new", "no-sandbox", "disable-dev-shm-usage", "disable-gpu", "window-size=1280,900"):
        options.add_argument(f"--{argument}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    program = webdriver.ChromeService(os.environ.get("CHROMEDRIVER", "/usr/bin/chromedriver"))
    with webdriver.Chrome(options, program) as driver:
        yield driver


@pytest.fixture
def page(driver, service):
    """The page; a test fails if there is anything in the console after it."""
    driver.get("about:blank")
    driver.get_log("browser")
    page = Page(driver, service)
    yield page
    assert page.messages() == []


def info(rbd, pool, image):
    return json.loads(rbd("info", "--format", "json", f"{pool}/{image}"))


def images(rbd, pool):
    return json.loads(rbd("ls", "--format", "json", pool))


def snapshots(rbd, pool, image):
    listed = json.loads(rbd("snap", "ls", "--format", "json", f"{pool}/{image}"))
    return {snapshot["name"]: snapshot for snapshot in listed}


def test_an_image_is_made_snapshotted_grown_and_removed(page, pool, rbd):
    page.open()
    page.click("tbody a", pool)
    page.see(".empty", "There are no images")

    page.click("#create")
    page.type("[name=name]", "disk1")
    page.type("[name=size]", "1.5")
    page.submit()
    page.at(f"/pools/{pool}/images/disk1").see("#notice", "disk1")
    assert info(rbd, pool, "disk1")["size"] == 3 << 29
    page.see(".facts", "1.5 GiB")

    page.click("#snapshot")
    page.type("[name=name]", "before")
    page.submit()
    page.see("tbody th", "before")
    assert list(snapshots(rbd, pool, "disk1")) == ["before"]

    page.click("[aria-label='Protect before']")
    page.see(".mark", "protected")
    assert snapshots(rbd, pool, "disk1")["before"]["protected"] == "true"
    assert not page.all("[aria-label='Remove before']")
    page.click("[aria-label='Unprotect before']")
    page.gone(".mark", "protected")

    page.click("#grow")
    page.type("[name=size]", "2")
    page.submit()
    page.see("#notice", "2 GiB")
    assert info(rbd, pool, "disk1")["size"] == 2 << 30
    page.see(".facts", "2 GiB")

    page.click("[aria-label='Remove before']")
    page.submit()
    page.gone("tbody th", "before")
    assert snapshots(rbd, pool, "disk1") == {}

    page.click("#remove")
    page.click("[name=how][value=good]")
    page.submit()
    assert page.all("dialog"), "nothing is removed before its name is typed"
    page.type("[name=confirmation]", "disk1")
    page.submit()
    page.at(f"/pools/{pool}").see(".empty", "There are no images")
    wait_until("the image is gone", lambda: images(rbd, pool) == [])


def test_an_image_is_made_by_keyboard_alone(page, pool, rbd):
    page.open(f"#/pools/{pool}")
    page.tab_to("#create")
    page.keys(Keys.ENTER)
    page.see("dialog[open]")
    assert page.focused().get_attribute("name") == "name", "the first field has the focus"
    page.keys(Keys.ESCAPE)
    page.gone("dialog")
    assert page.focused().get_attribute("id") == "create", "the focus is back"

    page.keys(Keys.ENTER)
    page.see("dialog[open]")
    page.keys("typed", Keys.TAB)
    page.keys("64")
    page.keys(Keys.TAB, "M")
    page.tab_to("dialog summary")
    page.keys(Keys.SPACE)
    page.tab_to("[name=own]")
    page.keys(Keys.ARROW_DOWN)
    page.tab_to("[name=features][value=fast-diff]")
    page.keys(Keys.SPACE)
    page.tab_to("dialog [type=submit]")
    outline = page.focused().value_of_css_property("outline-style")
    assert outline == "solid", "the focus is to be seen"
    page.keys(Keys.ENTER)
    page.at(f"/pools/{pool}/images/typed")
    made = info(rbd, pool, "typed")
    assert made["size"] == 64 << 20
    assert made["features"] == ["layering", "exclusive-lock", "object-map", "fast-diff"]
    assert page.focused().tag_name == "h1", "who listens is told where they are"


def test_an_error_is_shown_and_stays(page, pool, rbd):
    rbd("create", "--size", "8M", f"{pool}/disk1")
    page.open(f"#/pools/{pool}")
    page.click("#create")
    page.type("[name=name]", "disk1")
    page.submit()
    problem = page.see("dialog .problem", "17 EEXIST").text
    for part in ("exists", "HTTP 409", "disk1", "\nrequest "):
        assert part in problem, problem
    page.type("[name=name]", "disk2")
    page.submit()
    page.at(f"/pools/{pool}/images/disk2")
    assert images(rbd, pool) == ["disk1", "disk2"]

    page.open(f"#/pools/{pool}/images/none")
    assert "2 ENOENT" in page.see("main .problem", "not found").text
    rbd("create", "--size", "8M", f"{pool}/none")
    page.click("#retry")
    page.see(".facts", "8 MiB")

    # What fails outside of a dialog is to be dismissed.
    rbd("snap", "create", f"{pool}/disk1@s", "--no-progress")
    page.open(f"#/pools/{pool}/images/disk1")
    rbd("snap", "rm", f"{pool}/disk1@s", "--no-progress")
    page.click("[aria-label='Protect s']")
    page.see("#problems .problem", "ENOENT")
    page.click("#refresh")
    page.see("main p", "There are none")
    page.see("#problems .problem", "ENOENT")
    page.click("#problems button", "Dismiss")
    page.gone("#problems .problem")


def test_a_token_is_asked_for_kept_and_forgotten(page, service):
    page.open(token=False)
    page.see("#token-dialog", "A token is needed")
    page.type("[name=token]", "wrong" + Keys.ENTER)
    page.see("#token-dialog", "does not know the token")
    page.type("[name=token]", service.token + Keys.ENTER)
    page.settled().see("tbody a", "rbd")
    page.gone("#token-dialog")
    page.driver.refresh()
    page.settled().see("tbody a", "rbd")
    page.click("#forget")
    page.see("#token-dialog")
    page.keys(Keys.ESCAPE)
    page.see("main .problem", "HTTP 401")
    assert page.driver.execute_script("return sessionStorage.length + localStorage.length") == 0


def test_names_are_text_wherever_they_are_shown(page, pool, rbd):
    rbd("create", "--size", "8M", f"{pool}/{EVIL}")
    rbd("snap", "create", f"{pool}/{EVIL}@{EVIL}", "--no-progress")
    page.open(f"#/pools/{pool}")
    page.see("tbody td", "8 MiB")
    page.click("tbody a", EVIL)
    page.see("h1", EVIL)
    page.see("tbody th", EVIL)
    page.click("#remove")
    page.see("dialog", EVIL)
    page.keys(Keys.ESCAPE)
    page.click("[aria-label^='Roll back']")
    page.see("dialog", f"Roll {EVIL} back to {EVIL}?")
    page.type("[name=confirmation]", EVIL)
    page.submit()
    page.see("#notice", EVIL)
    page.click("#nav-operations")
    page.settled().see("tbody", f"{EVIL}@{EVIL}")
    page.open(f"#/pools/{urllib.parse.quote(EVIL)}")
    page.see(".problem")
    assert page.all("body img") == [] and page.driver.title != "owned"


@pytest.mark.parametrize("events", [True, False], ids=["by events", "by polling"])
def test_the_progress_of_an_operation_is_seen(page, pool, rbd, events):
    # Without an object map each object is asked for. The page asks how far it is each second.
    rbd("create", "--size", "24M" if events else "96M", "--object-size", "4K", "--image-feature", "layering", f"{pool}/many")
    page.open(f"#/pools/{pool}/images/many")
    if not events:
        deaf = "const real = fetch; fetch = (url, ...rest) => String(url).endsWith('/events') ? Promise.reject(TypeError('cut')) : real(url, ...rest)"
        page.driver.execute_script(deaf)
    watch = """
        window.seen = [];
        new MutationObserver(() => {
          const bar = document.querySelector('#strip progress');
          if (bar && bar.value > 0 && bar.value !== seen.at(-1)) seen.push(bar.value);
        }).observe(document.getElementById('strip'), {subtree: true, childList: true, attributes: true});
    """
    page.driver.execute_script(watch)
    page.click("#remove")
    page.click("[name=how][value=good]")
    page.type("[name=confirmation]", "many")
    page.submit()
    page.see("#strip .operation", f"{pool}/many")
    page.see("#running")
    page.see("#notice", f"{pool}/many: done", within=120)
    page.gone("#strip .operation", f"{pool}/many")
    seen = page.driver.execute_script("return seen")
    assert len(seen) >= (3 if events else 2) and seen == sorted(seen) and seen[0] < 1, seen
    assert images(rbd, pool) == []
    page.see(".empty", "There are no images")


def test_an_operation_is_canceled(page, pool, rbd):
    rbd("create", "--size", "32G", "--object-size", "4K", "--image-feature", "layering", f"{pool}/many")
    page.open(f"#/pools/{pool}/images/many")
    page.click("#remove")
    page.click("[name=how][value=good]")
    page.type("[name=confirmation]", "many")
    page.submit()
    page.see("#strip .operation", " %")
    page.click("#strip .operation button", "Cancel")
    page.see("#strip .operation", "canceled")
    page.click("#nav-operations")
    page.settled().see("tbody tr", "canceled")
    page.click("#nav-pools")
    page.click("#strip .operation button", "Dismiss")
    page.gone("#strip .operation", f"{pool}/many")
    assert images(rbd, pool) == ["many"]


def test_what_cannot_be_removed_stays_and_it_is_said_why(page, pool, rbd):
    rbd("create", "--size", "8M", f"{pool}/disk1")
    rbd("snap", "create", f"{pool}/disk1@s", "--no-progress")
    page.open(f"#/pools/{pool}/images/disk1")
    page.click("#remove")
    page.click("[name=how][value=good]")
    page.type("[name=confirmation]", "disk1")
    page.submit()
    page.see("dialog .problem", "snapshot")
    assert images(rbd, pool) == ["disk1"]


def test_the_trash_gives_back(page, pool, rbd):
    rbd("create", "--size", "8M", f"{pool}/disk1")
    page.open(f"#/pools/{pool}/images/disk1")
    page.click("#remove")
    Select(page.see("[name=delay]")).select_by_visible_text("1 day")
    page.type("[name=confirmation]", "disk1")
    page.submit()
    page.at(f"/pools/{pool}")
    assert images(rbd, pool) == []
    page.click(".tabs a", "Trash")
    page.see("tbody td time", "in ")
    page.click("[aria-label='Restore disk1']")
    page.type("[name=name]", "disk2")
    page.submit()
    page.at(f"/pools/{pool}/images/disk2")
    assert images(rbd, pool) == ["disk2"]


def test_a_clone_is_flattened_and_an_image_rolled_back(page, pool, rbd):
    rbd("create", "--size", "16M", f"{pool}/disk1")
    page.open(f"#/pools/{pool}/images/disk1")
    page.click("#snapshot")
    page.type("[name=name]", "s")
    page.submit()
    page.click("[aria-label='Protect s']")
    page.click("[aria-label='Clone s']")
    page.type("[name=name]", "clone")
    page.submit()
    page.at(f"/pools/{pool}/images/clone").see(".facts", "disk1@s")
    assert info(rbd, pool, "clone")["parent"]["image"] == "disk1"
    page.click("#flatten")
    page.submit()
    page.gone("#flatten")
    assert "parent" not in info(rbd, pool, "clone")

    page.open(f"#/pools/{pool}/images/disk1")
    rbd("bench", "--io-type", "write", "--io-size", "4M", "--io-total", "8M", f"{pool}/disk1")
    page.click("[aria-label='Roll back s']")
    page.type("[name=confirmation]", "disk1")
    page.submit()
    page.see("#notice", f"{pool}/disk1@s: done", within=120)
    assert rbd("diff", f"{pool}/disk1", "--whole-object") == ""


def test_images_are_filtered_and_paged(page, pool, service, rbd):
    for number in range(120):
        answer = service.request("POST", f"/api/v1/pools/{pool}/images", {"name": f"disk-{number:03}", "size": "1Mi"})
        assert answer.status == 201, answer
    page.open(f"#/pools/{pool}")
    page.see(".pager", "1–100 of 120")
    page.see("tbody tr:first-child .gauge", "0 B of 1 MiB")

    def turned():
        # The button moves while the rows above it come to their height. On the last page it does nothing.
        page.click("#next")
        return any("101–120 of 120" in e.text for e in page.all(".pager"))

    wait_until("the second page is there", turned)
    assert page.hash().endswith("?page=2")
    page.see("tbody tr:last-child th", "disk-119")
    page.driver.refresh()
    page.settled().see(".pager", "101–120 of 120")
    page.keys("/")
    assert page.focused().get_attribute("id") == "filter"
    page.keys("K-01")
    page.see(".pager", "1–10 of 10")
    page.keys(Keys.ESCAPE)
    page.see(".pager", "1–100 of 120")


def test_a_namespace_is_chosen(page, pool, rbd):
    rbd("namespace", "create", f"{pool}/team")
    rbd("create", "--size", "8M", f"{pool}/team/inner")
    page.open(f"#/pools/{pool}")
    Select(page.see("#namespace")).select_by_visible_text("team")
    page.at(f"/pools/{pool}?namespace=team")
    page.click("tbody a", "inner")
    page.at(f"/pools/{pool}/images/inner?namespace=team").see(".facts", "8 MiB")
    page.see(".crumbs", "team")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_it_fits_and_can_be_read(page, pool, rbd, size, scheme):
    rbd("create", "--size", "8M", f"{pool}/{'long-name-' * 12}")
    rbd("snap", "create", f"{pool}/{'long-name-' * 12}@{'snapshot-' * 10}", "--no-progress")
    width, height = SIZES[size]
    metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
    page.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    media = {"features": [{"name": "prefers-color-scheme", "value": scheme}]}
    page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", media)
    try:
        for address in ("#/", f"#/pools/{pool}", f"#/pools/{pool}/images/{'long-name-' * 12}", f"#/pools/{pool}/trash", "#/operations", "#/none"):
            page.open(address)
            # What is out of sight is not asked for.
            to_the_end = "scrollTo(0, document.body.scrollHeight); return !document.querySelector('.pending')"
            wait_until("all is filled in", lambda: page.driver.execute_script(to_the_end))
            overflow = page.driver.execute_script("return document.documentElement.scrollWidth")
            assert overflow <= width, f"{address} is {overflow} wide"
            assert page.driver.execute_script(CONTRAST) == [], address
    finally:
        page.driver.execute_cdp_cmd("Emulation.clearDeviceMetricsOverride", {})
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})


# The texts whose contrast is below WCAG's AA.
CONTRAST = """
const rgb = (text) => text.match(/[0-9.]+/g).map(Number);
const light = ([r, g, b]) => [r, g, b]
  .map((c) => c / 255)
  .map((c) => (c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
  .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
const ground = (e) => {
  for (; e; e = e.parentElement) {
    const color = rgb(getComputedStyle(e).backgroundColor);
    if (color[3] !== 0) return color;
  }
  return [255, 255, 255];
};
return [...document.querySelectorAll('body *')]
  .filter((e) => e.checkVisibility() && [...e.childNodes].some((n) => n.nodeType === 3 && n.data.trim()))
  .map((e) => {
    const [a, b] = [light(rgb(getComputedStyle(e).color)), light(ground(e))];
    return [(Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05), e.textContent];
  })
  .filter(([contrast]) => contrast < 4.5);
"""


def test_the_page_is_strict_and_cached(service):
    types = {"/": "text/html", "/app.js": "text/javascript", "/style.css": "text/css", "/favicon.svg": "image/svg+xml"}
    for path, kind in types.items():
        answer = service.request("GET", path)
        assert answer.status == 200 and answer.headers["Content-Type"].startswith(kind)
        (policy,) = answer.headers.get_all("Content-Security-Policy")
        assert "default-src 'none'" in policy and "unsafe" not in policy
        tag = answer.headers["ETag"]
        assert service.request("GET", path, headers={"If-None-Match": tag}).status == 304
        assert service.request("GET", path, headers={"If-None-Match": '"other"'}).status == 200
