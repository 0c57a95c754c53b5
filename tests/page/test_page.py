"""The page in a real browser: what it shows, how it is moved, and what it refuses to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.page.incidents import blocked_page, hostile_page, lock_page
from tests.page.opened_page import PageOpener


def test_the_head_says_what_happened(open_page: PageOpener, own_environment: Path) -> None:
    """Cause, findings, where the time went, and the trigger's trace are there without a click."""
    page = open_page(lock_page(own_environment))

    assert page.text("h1") == "slow local root GET /report"
    assert any("wait for lock" in each for each in page.texts(".finding"))
    assert "wait for lock" in page.text(".shares")
    assert page.texts(".row .name .recorded")[:2] == ["GET /report", "wait for lock"]
    assert "GET /report" in page.text("#details h3")
    assert page.texts(".logs tbody tr td:nth-child(2)") == ["ERROR shop: no stock"]
    assert "nothing was lost" in page.text("#missing ul")


def test_a_finding_shows_its_evidence(open_page: PageOpener, own_environment: Path) -> None:
    """It marks the spans it names, and says so to those who do not see it; again: no more."""
    page = open_page(lock_page(own_environment))
    finding = page.driver.locator(".finding", has_text="slow child")

    finding.click()

    assert finding.get_attribute("aria-pressed") == "true"
    assert page.texts(".row.evidence .name .recorded") == ["wait for lock"]
    assert "wait for lock" in page.text("#details h3")
    assert page.driver.evaluate("page.view.evidence.spans.size") == 1

    finding.click()

    assert page.texts(".row.evidence") == []


def test_the_events_of_a_finding_are_marked(open_page: PageOpener, own_environment: Path) -> None:
    """A pause that the event loop took is marked, one before the request is not."""
    page = open_page(blocked_page(own_environment))
    assert page.texts(".rule")[0].startswith("event loop")

    page.driver.locator(".finding").first.click()

    assert page.driver.evaluate(
        "[...page.view.evidence.events].map((each) => page.recording.event(each).length)"
    ) == [1_500_000_000]


def test_labels_of_the_axis_differ(open_page: PageOpener, own_environment: Path) -> None:
    """However far it is zoomed in, each has the digits that tell it from the next one."""
    page = open_page(lock_page(own_environment))

    def labels(step: float, *moments: float) -> list[str]:
        return [page.driver.evaluate(f"axisLabel({at}, {step})") for at in moments]

    assert labels(5e9, -20e9, 0, 5e9) == ["\N{MINUS SIGN}20 s", "trigger", "+5 s"]
    assert labels(1e6, -22_498e6, -22_497e6) == ["\N{MINUS SIGN}22.498 s", "\N{MINUS SIGN}22.497 s"]
    assert labels(2e8, -4e8, 8e8, 12e8) == ["\N{MINUS SIGN}400 ms", "+800 ms", "+1.2 s"]
    assert labels(1, 1500, 999) == ["+1.500 µs", "+999 ns"]


def test_a_finding_without_evidence_leads_to_the_request(
    open_page: PageOpener, own_environment: Path
) -> None:
    """What names no span and no event is about the time of the request that fired."""
    page = open_page(lock_page(own_environment))
    page.driver.evaluate("page.view.look(...[0, 1e8].map((each) => page.view.axis[0] + each))")

    page.driver.evaluate("page.findings.mark({ rule: 'x', spans: [], traces: [], events: [] })")

    start, end = page.time_in_sight
    assert start <= -2e9 < 0 <= end


def test_search_finds_names_values_and_ids(open_page: PageOpener, own_environment: Path) -> None:
    """What is found is counted, and Enter goes from one to the next."""
    page = open_page(lock_page(own_environment))
    search = page.driver.get_by_label("Search spans")

    for wanted, count in (("charge", 1), ("row=1950", 1), ("SELECT ITEMS", 40), ("no such", 0)):
        search.fill(wanted)
        search.press("Enter")
        assert (wanted, page.driver.evaluate("page.search.hits.length")) == (wanted, count)

    search.fill("charge")
    search.press("Enter")
    assert "charge card" in page.text("#details h3")
    assert page.texts(".count") == ["1 of 1 span"]
    trace = page.text("#details .facts tr:has-text('trace') code")
    search.fill(trace)
    search.press("Enter")
    assert page.driver.evaluate("page.search.hits.length") == 2


def test_long_requests_stand_beside_the_trigger(
    open_page: PageOpener, own_environment: Path
) -> None:
    """The trigger's has the first row; what ran beside it for long has the next ones."""
    page = open_page(blocked_page(own_environment))

    rows = page.driver.evaluate(
        "page.requests.rows.slice(0, 3).map((row) => row.map("
        "(each) => page.recording.name(page.requests.tops[each])))"
    )

    assert rows == [["GET /report"], ["POST /slow"], ["GET /items"] * 5]


def test_filters_narrow(open_page: PageOpener, own_environment: Path) -> None:
    """By failure, by the request's name and by duration; Clear takes all of them back."""
    page = open_page(lock_page(own_environment))

    def hits() -> int:
        found: int = page.driver.evaluate("page.search.hits.length")
        return found

    page.driver.get_by_label("failed").check()
    assert hits() == 2
    page.driver.get_by_label("failed").uncheck()
    page.driver.locator(".route", has_text="POST /orders").click()
    assert hits() == 2
    page.driver.get_by_role("button", name="Clear").click()
    least = page.driver.get_by_label("Longer than, in milliseconds")
    least.fill("1000")
    page.wait_until("page.search.hits.length === 2")
    page.driver.get_by_role("button", name="Clear").click()
    assert page.driver.evaluate("page.view.found") is None


def test_time_is_moved_by_keys_wheel_and_brush(
    open_page: PageOpener, own_environment: Path
) -> None:
    """Plus and minus zoom, arrows pan, 0 shows all, a drag over the overview chooses a part."""
    page = open_page(lock_page(own_environment))
    lanes, overview = page.driver.locator("canvas.lanes"), page.driver.locator("canvas.overview")
    lanes.focus()

    page.driver.keyboard.press("0")
    whole = page.time_in_sight
    page.driver.keyboard.press("+")
    near = page.time_in_sight
    page.driver.keyboard.press("ArrowRight")
    right = page.time_in_sight
    page.driver.keyboard.press("0")
    box = overview.bounding_box()
    assert box is not None
    page.driver.mouse.move(box["x"] + box["width"] / 2, box["y"] + 10)
    page.driver.mouse.down()
    page.driver.mouse.move(box["x"] + box["width"] / 2 + 100, box["y"] + 10, steps=4)
    page.driver.mouse.up()
    brushed = page.time_in_sight

    assert whole == page.driver.evaluate("page.view.axis")
    assert whole[0] < near[0] < near[1] < whole[1]
    assert right[0] > near[0]
    assert brushed[1] - brushed[0] < (whole[1] - whole[0]) / 5


def test_the_wheel_zooms_with_ctrl_only(open_page: PageOpener, own_environment: Path) -> None:
    """Without it the page scrolls, as everybody expects."""
    page = open_page(lock_page(own_environment))
    lanes = page.driver.locator("canvas.lanes")
    lanes.scroll_into_view_if_needed()
    lanes.hover()
    before = page.time_in_sight

    page.driver.mouse.wheel(0, 20)
    same = page.time_in_sight
    page.driver.keyboard.down("Control")
    page.driver.mouse.wheel(0, -200)
    page.driver.keyboard.up("Control")
    page.wait_until(f"page.view.from !== {before[0]}")

    assert same == before
    assert page.time_in_sight[1] - page.time_in_sight[0] < before[1] - before[0]


def test_the_tree_is_walked_by_keys(open_page: PageOpener, own_environment: Path) -> None:
    """Down and up go from span to span, left closes what is below, right opens it again."""
    page = open_page(lock_page(own_environment))
    tree = page.driver.get_by_role("tree")
    tree.focus()

    page.driver.keyboard.press("ArrowDown")
    assert "wait for lock" in page.text("#details h3")
    active = tree.get_attribute("aria-activedescendant")
    assert "wait for lock" in page.text(f"#{active}")
    page.driver.keyboard.press("Home")
    rows = page.driver.locator(".row").count()
    page.driver.keyboard.press("ArrowLeft")
    assert page.driver.locator(".row").count() == 1
    page.driver.keyboard.press("ArrowRight")
    assert page.driver.locator(".row").count() == rows


def test_links_lead_to_a_span_and_a_finding(open_page: PageOpener, own_environment: Path) -> None:
    """What is chosen is in the address, and the address chooses it again."""
    content = lock_page(own_environment)
    page = open_page(content)
    page.driver.get_by_label("Search spans").fill("charge")
    page.driver.get_by_label("Search spans").press("Enter")
    fragment = page.fragment

    assert fragment.startswith("#span=")
    assert "charge card" in open_page(content, fragment).text("#details h3")
    finding = open_page(content, "#finding=1")
    assert finding.driver.locator(".finding[aria-pressed=true]").count() == 1
    assert "GET /report" in open_page(content, "#span=</script>").text("#details h3")


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1400])
def test_nothing_stands_out_of_the_page(
    open_page: PageOpener, own_environment: Path, scheme: str, width: int
) -> None:
    """On a phone and on a screen, light and dark, nothing is wider than the page."""
    size = {"width": width, "height": 800}
    page = open_page(lock_page(own_environment), color_scheme=scheme, viewport=size)

    wide = page.driver.evaluate("document.documentElement.scrollWidth")

    assert wide <= width
    lightness = page.driver.evaluate(
        "getComputedStyle(document.body).backgroundColor.match(/\\d+/)[0]"
    )
    assert (int(lightness) > 128) == (scheme == "light")


def test_print_shows_all_rows_and_no_tools(open_page: PageOpener, own_environment: Path) -> None:
    """A printed page has what a reader needs, and no buttons."""
    page = open_page(lock_page(own_environment))

    page.driver.emulate_media(media="print")

    assert not page.driver.locator("#tools").is_visible()
    assert page.driver.locator(".row").first.is_visible()
    assert page.driver.pdf()[:4] == b"%PDF"


def test_what_was_recorded_is_text(open_page: PageOpener, own_environment: Path) -> None:
    """Names that want to be markup are shown; nothing runs, and nothing turns the text around."""
    page = open_page(hostile_page(own_environment))

    assert page.text("h1").startswith("slow local root </script><script>alert(1)")
    assert page.text("#details h3").endswith("\\u202eback␀")
    assert page.driver.locator("img, iframe, object").count() == 0
    assert page.driver.locator("script").count() == 3
    for place in range(page.driver.locator(".finding").count()):
        page.driver.locator(".finding").nth(place).click()
    page.driver.locator(".logs button").first.click()
    assert "alert(1)" in page.text("#details h3")


def test_huge_values_do_not_hold_up_the_page(
    open_page: PageOpener, own_environment: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of 10 MB and of 10,000 attributes a part is shown, and how much more there is."""
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT", "10000")
    page = open_page(hostile_page(own_environment))
    search = page.driver.get_by_label("Search spans")

    search.fill("long")
    search.press("Enter")
    assert "more characters" in page.texts("#details .attributes")[0]
    search.fill("many")
    search.press("Enter")
    rows = page.driver.locator("#details .attributes").first.locator("tr")
    few = rows.count()
    page.driver.get_by_role("button", name="Show all").click()

    assert few == 60
    assert "lost a part to a limit" in page.text("#missing ul")
    assert rows.count() > 1_000, "the recorder keeps what fits into a record"


def test_text_can_be_copied(open_page: PageOpener, own_environment: Path) -> None:
    """The report as Markdown and what is known of a span go into a ticket."""
    page = open_page(lock_page(own_environment))
    page.driver.evaluate(
        "Object.defineProperty(navigator, 'clipboard',"
        " {value: {writeText: async (text) => { window.copied = text; }}})"
    )

    page.driver.locator("#head button", has_text="Copy as text").click()
    assert page.driver.evaluate("window.copied").startswith("# Incident ")
    page.driver.locator("#details button", has_text="Copy as text").click()
    assert page.driver.evaluate("window.copied").startswith("Span\nGET /report\ntook: 2 s")


def test_the_flame_graph_is_of_what_is_chosen(open_page: PageOpener, own_environment: Path) -> None:
    """By what is looked at, thread, and what ran or waited; measurements are curves beside it."""
    page = open_page(lock_page(own_environment))
    chosen = page.driver.locator("#stacks select")
    note = page.driver.locator("#stacks [role=status]")
    assert note.inner_text().startswith("18 samples")
    assert "acquire" in page.texts("#stacks .functions .recorded.code")[0]

    chosen.nth(2).select_option("running")
    assert note.inner_text() == "No sample fits this choice."
    chosen.nth(2).select_option("waiting")
    chosen.nth(1).select_option("7")
    assert note.inner_text().startswith("18 samples")
    page.driver.locator(".row", has_text="GET /report").first.click()
    chosen.nth(0).select_option("span")
    assert note.inner_text().startswith("18 samples")

    charts = page.driver.locator("#charts canvas").first.get_attribute("aria-label")
    assert charts is not None
    assert "memory from 100 MiB to 100 MiB" in charts
