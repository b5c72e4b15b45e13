"""The page in a browser: it asks for nothing, filters, can be used by keys, and fits wide and narrow windows."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import pytest

from cedtag.inputs.start_time import timed_source
from cedtag.records import FileEnd, FileFailed, Source, Tag, TagResult
from cedtag.report.archive import collect
from cedtag.report.html import write_page
from tests.browser import CHROMIUM, Browser
from tests.sounds import bursts, write

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium")

HOSTILE = '<img src=x onerror="document.title=`taken`">'
LABELS = ("Bark", "Rain", "Siren", HOSTILE)


def results(folder: Path) -> Iterator[TagResult | FileEnd | FileFailed]:
    """300 recordings of a minute, an hour apart: Bark in every third, Siren in the first, one failed, one cut short."""
    for number in range(300):
        name = str(folder / ("sound.wav" if number == 0 else f"site {number % 3}/{number:03}.wav"))
        day, hour = divmod(number, 24)
        source = timed_source(Source(name, name, name), f"2024-05-{day + 1:02}T{hour:02}:30:00+02:00")
        if number == 7:
            yield FileFailed(source, "open", f"{name}: is no audio")
            continue
        for window in range(6):
            tags = [Tag(1, "", LABELS[1], 0.3), Tag(3, "", LABELS[3], 0.2)]
            if number % 3 == 0 and window < 2:
                tags.append(Tag(0, "", LABELS[0], 0.9))
            if number == 0:
                tags.append(Tag(2, "", LABELS[2], round(0.5 + 0.4 * math.sin(window), 4)))
            yield TagResult(source, window, window * 160_000, (window + 1) * 160_000, tuple(tags))
        yield FileEnd(source, 960_000, 6, ("decoded 1 of 2 frames",) if number == 8 else ())


@pytest.fixture(scope="module")
def page(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("archive")
    write(folder / "sound.wav", bursts(60, 8_000), 8_000)
    path = folder / "report.html"
    with path.open("wb") as out:
        write_page(out, collect(results(folder), folder), f"Title {HOSTILE}", {"model": "tiny"})
    return path


@pytest.fixture(scope="module")
def browser(page, tmp_path_factory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def opened(browser, page) -> Browser:
    browser.requests.clear()
    browser.complaints.clear()
    browser.open(page)
    return browser


def text(browser: Browser, selector: str) -> str:
    return browser.run(f"document.querySelector({selector!r}).textContent")


def listed(browser: Browser) -> int:
    """How many recordings the list holds, in sight or not."""
    return browser.run("Number(document.querySelector('.recording')?.getAttribute('aria-setsize') ?? 0)")


def wait_until(browser: Browser, condition: str) -> None:
    browser.run(f"new Promise(done => {{ const look = () => ({condition}) ? done() : setTimeout(look, 20); look() }})")


def choose(browser: Browser, element: str, value: str, event: str = "input") -> None:
    """Give a form element a value as its user does, and wait for the next picture."""
    browser.run(
        f"""new Promise(done => {{ const e = document.getElementById({element!r}); e.value = {value!r};
        e.dispatchEvent(new Event({event!r}, {{bubbles: true}}));
        requestAnimationFrame(() => requestAnimationFrame(done)) }})"""
    )


def test_it_opens_with_no_request_but_for_the_recording_beside_it(opened, page):
    wait_until(opened, "document.getElementById('audio').readyState > 0")
    asked = [address for address in opened.requests if not address.startswith("data:")]
    assert list(dict.fromkeys(asked)) == [page.as_uri(), (page.parent / "sound.wav").as_uri()]
    assert opened.complaints == []
    assert text(opened, "#summary") == "300 recordings · 5.0 h of sound · 4 classes heard · 2 with problems"


def test_names_and_labels_are_text(opened):
    assert opened.run("document.querySelectorAll('img').length") == 0
    assert opened.run("document.title") == f"Title {HOSTILE}"
    assert HOSTILE in opened.run("document.getElementById('classes').textContent")


def test_it_lets_nothing_out(opened):
    assert opened.run("fetch('http://127.0.0.1:9/').then(() => 'sent', () => 'refused')") == "refused"
    assert opened.run("fetch('sound.wav').then(() => 'sent', () => 'refused')") == "refused"
    inline = "const s = document.createElement('script'); s.textContent = 'window.taken = 1'; document.body.append(s)"
    opened.run(inline)
    assert opened.run("window.taken === undefined")


def test_classes_are_shown_by_hours_and_filter_when_clicked(opened):
    assert text(opened, "#classes li:first-child .name") == "Rain"
    assert text(opened, "#classes li:first-child .value") == "5.0 h"
    assert listed(opened) == 300
    opened.click("#classes li:nth-child(3) button")
    assert text(opened, "#classes [aria-pressed=true] .name") == "Bark"
    assert listed(opened) == 100
    assert text(opened, "#answer") == "100 of 300 recordings; Bark is heard for 33 min of 1.7 h."
    opened.click("#chips button")
    assert listed(opened) == 300


def test_a_class_is_typed_and_scores_names_and_problems_filter(opened):
    opened.run("document.getElementById('class-input').focus()")
    opened.type("siren")
    opened.press("Enter")
    assert listed(opened) == 1
    choose(opened, "score", "95")
    assert listed(opened) == 0
    opened.click("#filters [type=reset]")
    wait_until(opened, "document.getElementById('chips').childElementCount === 0")
    assert listed(opened) == 300
    choose(opened, "text", "SITE 1/")
    assert listed(opened) == 100
    choose(opened, "text", "")
    choose(opened, "status", "problems", "change")
    assert listed(opened) == 2
    choose(opened, "status", "failed", "change")
    assert "is no audio" in text(opened, ".recording")


def test_typing_a_part_of_a_name_filters_at_once(opened):
    opened.run("document.getElementById('class-input').focus()")
    opened.type("ba")
    wait_until(opened, "document.querySelector('.recording')?.getAttribute('aria-setsize') === '100'")
    assert [text(opened, "#classes li .name"), opened.run("document.querySelectorAll('#classes li').length")] == [
        "Bark",
        1,
    ]
    assert text(opened, "#answer") == "100 of 300 recordings; “ba” is heard for 33 min of 1.7 h."
    opened.press("Enter")
    assert text(opened, "#chips").startswith("Bark")
    assert opened.run("document.getElementById('class-input').value") == ""
    opened.click("#chips button")
    opened.run("document.getElementById('class-input').focus()")
    opened.type("xyz")
    wait_until(opened, "!document.querySelector('.recording')")
    assert text(opened, "#classes") == "No class that is heard is called “xyz”."
    opened.click("#filters [type=reset]")
    wait_until(opened, "document.querySelector('.recording')")
    assert listed(opened) == 300


def test_the_names_of_classes_are_offered(opened):
    offered = opened.run("[...document.getElementById('class-input').list.options].map((one) => one.value)")
    assert offered == [HOSTILE, *LABELS[:3]]


def test_settings_are_readable_and_a_map_of_one_day_has_its_date(browser, tmp_path):
    source = timed_source(Source("a.wav", "a.wav", "a.wav"), "2024-05-02T01:30:00+02:00")
    rows = [TagResult(source, 0, 0, 160_000, (Tag(0, "", "Bark", 0.9),)), FileEnd(source, 480_000, 3)]
    settings: dict[str, Any] = {"model": "tiny", "thresholds": {"Bark": 0.2, "Rain": 0.3}, "labels": ["Bark", "Rain"]}
    settings |= {"exclude": [], "refine": {"window": 1.0}, "where": None, "group": False, "raw": None}
    path = tmp_path / "day.html"
    with path.open("wb") as out:
        write_page(out, collect(rows, tmp_path), "One day", settings)
    browser.open(path)
    shown = text(browser, "#settings").partition(" · ")[2]
    assert shown == "model tiny · thresholds Bark 0.2, Rain 0.3 · labels Bark, Rain · refine window 1"
    drawn = """(() => { const c = document.getElementById('clock'), ratio = window.devicePixelRatio || 1;
        const top = c.getContext('2d').getImageData(34 * ratio, 0, c.width - 34 * ratio, 16 * ratio).data;
        return top.some((value, at) => at % 4 === 3 && value > 0) })()"""
    assert browser.run(drawn)
    cell = """[...document.getElementById('clock').getContext('2d').getImageData(
        40 * (window.devicePixelRatio || 1), (18 + 11 + 5) * (window.devicePixelRatio || 1), 1, 1).data]"""
    red, _, blue, _ = browser.run(cell)
    assert blue - red > 100  # the accent, for the hour with the most


def test_an_hour_of_the_clock_filters(opened):
    opened.run("document.getElementById('clock').focus()")
    opened.press("ArrowRight")
    assert text(opened, "#clock-text") == "Thu, 2 May 2024, 00:00: 1 min of 1 min recorded"
    opened.press("Enter")
    assert listed(opened) == 1
    assert "Thu, 2 May 2024, 00:00" in text(opened, "#chips")


def test_only_rows_in_sight_are_made_and_all_can_be_reached(opened):
    assert opened.run("document.querySelectorAll('.recording').length") < 40
    opened.run("document.getElementById('list').scrollTop = 1e9")
    opened.run("new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    assert opened.run("Math.max(...[...document.querySelectorAll('.recording')].map(r => r.ariaPosInSet))") == 300


def test_keys_move_through_recordings_and_along_the_timeline(opened):
    opened.run("document.getElementById('list').focus()")
    opened.press("ArrowDown")
    opened.press("ArrowDown")
    assert text(opened, "#detail-title") == "002.wav"
    assert opened.run("document.getElementById('list').getAttribute('aria-activedescendant')") == "row-2"
    opened.press("ArrowUp")
    opened.press("ArrowUp")
    opened.run("document.getElementById('timeline').focus()")
    opened.press("ArrowRight")
    assert text(opened, "#readout").startswith("0:00.0 \u2013 0:10.0 (00:30:05)  Bark 0.90 · Siren 0.50 · Rain 0.30")
    opened.press("ArrowRight")
    assert text(opened, "#readout").startswith("0:10.0 \u2013 0:20.0")


def test_a_click_on_the_timeline_plays_from_there(opened):
    wait_until(
        opened, "(document.getElementById('audio').muted = true) && document.getElementById('audio').readyState > 0"
    )
    opened.click("#timeline .u-over")
    assert abs(opened.run("document.getElementById('audio').currentTime") - 30) < 2


def test_a_recording_with_problems_says_which_and_a_missing_one_that_it_is(opened):
    opened.click("#problems li:nth-child(2) button")
    assert text(opened, "#detail-note") == "decoded 1 of 2 frames"
    wait_until(opened, "document.getElementById('audio').hidden")
    assert text(opened, "#audio-text").startswith("There is nothing to listen to")


def test_the_theme_follows_the_system_and_the_button(opened):
    background = "getComputedStyle(document.body).backgroundColor"
    light = opened.run(background)
    opened.click("#theme")
    dark = opened.run(background)
    opened.click("#theme")
    assert (light != dark, opened.run(background)) == (True, light)


def test_it_can_be_printed(opened):
    assert opened.pdf().startswith(b"%PDF-")


@pytest.mark.parametrize("width", [400, 1400])
@pytest.mark.parametrize("dark", [False, True])
def test_it_fits_the_window_and_can_be_read(page, tmp_path, width, dark):
    browser = Browser(tmp_path / "profile", width, 800, dark=dark)
    try:
        browser.open(page)
        assert browser.run("document.documentElement.scrollWidth") == width
        assert least_contrast(browser) >= 4.5
    finally:
        browser.close()


def least_contrast(browser: Browser) -> float:
    """The least contrast of a text with what it stands on, as WCAG reckons it."""
    return browser.run("""(() => {
        const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
        const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
            .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
            .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
        const behind = (e) => { for (; e; e = e.parentElement) {
            const c = rgb(getComputedStyle(e).backgroundColor); if (c.length < 4 || c[3] > 0) return c; } };
        let least = 21;
        for (const e of document.querySelectorAll("body *")) {
            if (!e.offsetParent || ![...e.childNodes].some(n => n.nodeType === 3 && n.data.trim())) continue;
            const [a, b] = [light(rgb(getComputedStyle(e).color)), light(behind(e))];
            least = Math.min(least, (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05));
        }
        return least;
    })()""")
