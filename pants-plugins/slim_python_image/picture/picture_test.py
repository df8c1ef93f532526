"""Treemaps as values, as SVG that every reader of XML takes, and as a page."""

from __future__ import annotations

import html.parser
import random
import re
import xml.etree.ElementTree as ET
from typing import Any

import pytest

from slim_python_image.picture.page import comparison, differences, page
from slim_python_image.picture.parts import BASE, OTHER, WHEEL, platforms
from slim_python_image.picture.svg import WIDTH, drawing
from slim_python_image.picture.treemap import Rectangle, squarify
from slim_python_image.picture.words import bytes_text, fitted

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "<script>alert('&\"\x00\x1b')</script>]]>"


def content(name: str, size: int, kind: str = "wheel", version: str = "1.0") -> dict[str, Any]:
    return {"type": kind, "name": name, "version": version, "unpacked_size": size}


def layer(title: str, *contents: dict[str, Any], size: int | None = None) -> dict[str, Any]:
    total = sum(one.get("unpacked_size", 0) for one in contents) if size is None else size
    return {"title": title, "size": total // 2, "unpacked_size": total, "contents": list(contents)}


def report(
    *layers: dict[str, Any], target: str = "src/app:image", name: str = "linux/amd64"
) -> dict[str, Any]:
    one = {"platform": name, "layers": list(layers)}
    return {"target": target, "digest": "sha256:" + "a" * 64, "platforms": [one]}


LAYERS = (
    layer("libraries", content("libc6", 9_000_000, "deb"), content("tzdata", 1_000_000, "deb")),
    layer("torch 2.0", content("torch", 50_000_000)),
    layer("sources", content("first-party code", 20_000, "source", "")),
)


# --- rectangles ---------------------------------------------------------------------------------------


def overlap(one: Rectangle, other: Rectangle) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)


@pytest.mark.parametrize("seed", range(20))
def test_areas_are_shares_and_share_no_place(seed: int) -> None:
    dice = random.Random(seed)  # noqa: S311 (no secret)
    sizes = sorted(
        (dice.randrange(1, 10 ** dice.randrange(1, 9)) for _ in range(dice.randrange(1, 60))), reverse=True
    )
    place = Rectangle(10, 20, dice.randrange(20, 900), dice.randrange(20, 900))
    found = squarify(sizes, place)
    whole = place.width * place.height
    for size, one in zip(sizes, found):
        assert one.width * one.height == pytest.approx(whole * size / sum(sizes), rel=1e-6, abs=1e-6)
        assert one.x >= place.x - 1e-6
        assert one.y >= place.y - 1e-6
        assert one.x + one.width <= place.x + place.width + 1e-6
        assert one.y + one.height <= place.y + place.height + 1e-6
    pairs = [(one, other) for number, one in enumerate(found) for other in found[:number]]
    assert sum(overlap(*pair) for pair in pairs) < 1e-6 * whole


def test_rectangles_are_as_square_as_the_paper_has_them() -> None:
    # Bruls, Huizing, van Wijk: the example of their figure 4.
    found = squarify([6, 6, 4, 3, 2, 2, 1], Rectangle(0, 0, 6, 4))
    assert [(round(one.width, 2), round(one.height, 2)) for one in found[:4]] == [
        (3, 2),
        (3, 2),
        (1.71, 2.33),
        (1.29, 2.33),
    ]


def test_what_has_no_bytes_has_no_place() -> None:
    assert [one.width * one.height for one in squarify([5, 0, 0], Rectangle(0, 0, 10, 10))] == [100, 0, 0]
    assert squarify([0, 0], Rectangle(0, 0, 10, 10)) == [Rectangle(0, 0, 0, 0)] * 2
    assert squarify([1], Rectangle(0, 0, 0, 10)) == [Rectangle(0, 0, 0, 0)]


# --- what is drawn ------------------------------------------------------------------------------------


def test_a_layer_whose_content_is_not_known_is_one_part() -> None:
    (one,) = platforms(report(layer("RUN apt-get", size=700), layer("venv", content("a", 10), size=15)))
    assert [(part.kind, part.label, part.size) for part in one.parts()] == [
        (BASE, "RUN apt-get", 700),
        (WHEEL, "a 1.0", 10),
        (OTHER, "made for venv", 5),
    ]


def test_a_report_of_before_there_were_sizes() -> None:
    old = [{key: value for key, value in content(name, 1).items() if key != "unpacked_size"} for name in "ab"]
    (one,) = platforms(report(layer("two", *old, size=30), layer("one", old[0], size=20)))
    assert [(part.label, part.size) for part in one.parts()] == [("2 parts of two", 30), ("a 1.0", 20)]


def texts(picture: str) -> list[str]:
    return [one.text or "" for one in ET.fromstring(picture).iter(f"{SVG}text")]  # noqa: S314 (our own)


def test_a_drawing_says_what_it_is_in_units() -> None:
    picture = drawing(platforms(report(*LAYERS)), "title")
    said = texts(picture)
    assert said[:2] == [
        "src/app:image for linux/amd64",
        "57.2 MiB unpacked, 28.6 MiB compressed, in 3 layers",
    ]
    assert {
        "torch 2.0: 47.7 MiB",
        "torch 1.0",
        "47.7 MiB",
        "libc6 1.0",
        "Debian package",
        "distribution",
    } <= set(said)
    hints = [one.text or "" for one in ET.fromstring(picture).iter(f"{SVG}title")]  # noqa: S314
    assert "distribution torch 1.0: 47.7 MiB unpacked, 83.3 %" in hints
    assert "layer sources: 19.5 KiB unpacked, 9.8 KiB compressed" in hints


def test_a_drawing_is_the_same_each_time_and_marks_what_changed() -> None:
    drawn = [drawing(platforms(report(*LAYERS)), "t", {(WHEEL, "torch")}) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert drawn[0].count(' changed"') == 1
    assert ' changed"' not in drawing(platforms(report(*LAYERS)), "t")


def test_texts_stay_in_their_places() -> None:
    many = [
        content(f"distribution-with-a-long-name-{number}", 10_000_000 // (number + 1))
        for number in range(200)
    ]
    picture = drawing(platforms(report(*LAYERS, layer("many", *many))), "t")
    rectangles = [
        [float(one.get(side, 0)) for side in ("x", "y", "width", "height")]
        for one in ET.fromstring(picture).iter(f"{SVG}rect")  # noqa: S314
    ]
    for one in ET.fromstring(picture).iter(f"{SVG}text"):  # noqa: S314
        x, y, size = (float(one.get(name, 0)) for name in ("x", "y", "font-size"))
        wide = x + len(one.text or "") * size * 0.58
        assert wide <= WIDTH
        assert any(r[0] <= x and wide <= r[0] + r[2] + 1 and r[1] <= y <= r[1] + r[3] for r in rectangles)


def test_names_of_others_are_escaped() -> None:
    hostile = report(layer(HOSTILE, content(HOSTILE, 10, version=HOSTILE)), target=HOSTILE, name=HOSTILE)
    picture = drawing(platforms(hostile), HOSTILE, set())
    assert not list(ET.fromstring(picture).iter(f"{SVG}script"))  # noqa: S314
    written = page(HOSTILE, comparison(hostile, report(*LAYERS), HOSTILE))
    assert "<script" not in written
    assert "\x00" not in written


# --- words --------------------------------------------------------------------------------------------


def test_words() -> None:
    assert [bytes_text(n) for n in (0, 999, 1024, 1536, 200 * 1024, 3 << 20, 5 << 30, -2048)] == [
        "0 B", "999 B", "1.0 KiB", "1.5 KiB", "200 KiB", "3.0 MiB", "5.0 GiB", "-2.0 KiB",
    ]  # fmt: skip
    assert [fitted("distribution", width, 10) for width in (120, 60, 39)] == ["distribution", "distr…", ""]


# --- the page -----------------------------------------------------------------------------------------


class Tags(html.parser.HTMLParser):
    """Checks that what is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)
        if tag not in {"meta", "br"}:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_a_page_compares() -> None:
    old = report(*LAYERS[:2], layer("gone", content("attrs", 4096)))
    new = report(LAYERS[0], layer("torch 2.1", content("torch", 51_048_576, version="2.1")), LAYERS[2])
    (before,), (now,) = platforms(old), platforms(new)
    found = differences(before, now)
    assert [(one.name, one.change) for one in found] == [
        ("torch", 1_048_576),
        ("first-party code", 20_000),
        ("attrs", -4096),
    ]
    written = page("t", comparison(old, new, "layer `x` changed"))
    tags = Tags()
    tags.feed(written)
    assert tags.open == []
    assert tags.seen.count("svg") == 2
    assert written.count(' changed"') == 4
    rows = re.findall(r"<tr><td>.*?</tr>", written)
    assert any("torch" in row and ">2.1<" in row and "+1.0 MiB" in row for row in rows)
    assert any("attrs" in row and "-4.0 KiB" in row for row in rows)
    assert "layer `x` changed" in written


def test_a_platform_that_only_one_has() -> None:
    old, new = report(*LAYERS, name="linux/arm64"), report(*LAYERS)
    written = page("t", comparison(old, new, ""))
    assert written.count("There is none.") == 2
    assert [one.earlier for one in differences(None, platforms(new)[0])] == [None] * 4
