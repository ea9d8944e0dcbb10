"""The quality board as an operator meets it: REST, and a page that needs no script."""

from collections.abc import Iterator
from html.parser import HTMLParser

import httpx
import pytest
from xinyidai.quality import MEASURES, Cell

from enclave.quality.board import Board, write_board
from tests.support.platform import PlatformUnderTest

MONTHS = (202608, 202609, 202610)


def cells() -> list[Cell]:
    shares = {name: 0.9 for name in MEASURES}
    found = [
        Cell("tax_payment", "", 0, 300, 100, shares),
        Cell("judicial_enforcement", "", 0, 20, 20, {"coverage": 0.1}),
    ]
    found += [Cell("tax_payment", "税务局 <b>", month, 100, 95, {**shares, "timeliness": 0.5}) for month in MONTHS]
    return [*found, Cell("judicial_enforcement", "ZJFY", 202610, 20, 20, {"coverage": 0.1})]


@pytest.fixture(scope="module")
def http(platform: PlatformUnderTest) -> Iterator[httpx.Client]:
    """A platform whose enclave has a board."""
    snapshots = platform.bare.deployment.root / "enclave" / "data" / "snapshots"
    write_board(snapshots, (snapshots / "CURRENT").read_text(), Board("2026-10-31", tuple(cells())))
    yield platform.http


class Page(HTMLParser):
    """What the tests look at of a page, and whether every element was closed."""

    VOID = ("meta", "link", "br")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.rows: list[list[str]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.rows and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for found, attributes in self.seen if found == tag]


def test_the_board_over_rest(http: httpx.Client) -> None:
    body = http.get("/v1/quality").json()
    assert (body["as_of"], body["least_enterprises"], len(body["cells"])) == ("2026-10-31", 5, len(cells()))
    assert body["cells"][0] == {
        "category": "tax_payment", "source": "", "month": 0, "rows": 300, "enterprises": 100,
        "shares": {name: 0.9 for name in MEASURES},
    }  # fmt: skip
    assert body["cells"][1]["shares"] == {"coverage": 0.1}


def test_the_page_shows_every_measure_of_every_category(http: httpx.Client) -> None:
    answer = http.get("/quality")
    page = Page(answer.text)
    assert answer.headers["content-type"] == "text/html; charset=utf-8" and page.open == []
    heading, tax, court = page.rows[:3]
    assert [cell.split()[0] for cell in heading[3:]] == [
        "合规性", "及时性", "规范性", "完整性", "连续性", "覆盖面", "关联性",
    ]  # fmt: skip
    assert tax[0].startswith("纳税信息") and tax[1:4] == ["300", "100", "90.0 %"]
    assert court[3:] == ["—", "—", "—", "—", "—", "10.0 %", "—"]


def test_every_chart_has_a_text_and_a_table_beside_it(http: httpx.Client) -> None:
    page = Page(http.get("/quality?category=tax_payment").text)
    charts = page.all("svg")
    assert len(charts) == len(MEASURES)
    assert [chart["role"] for chart in charts] == ["img"] * len(MEASURES)
    assert charts[1]["aria-label"] == "及时性 / Timeliness: 50.0 % – 50.0 %"
    assert len(page.all("rect")) == len(MEASURES) * len(MONTHS)
    by_month = page.rows[4:]
    assert [row[0] for row in by_month] == ["2026-08", "2026-09", "2026-10"]
    assert all(row[4] == "50.0 %" for row in by_month)


def test_a_category_may_be_chosen_and_only_one_on_the_board(http: httpx.Client) -> None:
    page = Page(http.get("/quality?category=judicial_enforcement").text)
    assert len(page.all("svg")) == 1
    answer = http.get("/quality?category=<script>")
    assert (answer.status_code, answer.json()["reason"]) == (400, "REQUEST_INVALID") and "<script>" not in answer.text


def test_the_page_runs_nothing_and_loads_nothing_from_elsewhere(http: httpx.Client) -> None:
    answer = http.get("/quality")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy and "unsafe" not in policy and "script-src" not in policy
    page = Page(answer.text)
    assert page.all("script") == [] and page.all("style") == []
    assert not any(name == "style" or name.startswith("on") for _, attributes in page.seen for name in attributes)
    assert {link["href"] for link in page.all("link")} == {"/pages/style.css", "/pages/icon.svg"}
    style = http.get("/pages/style.css")
    assert style.headers["content-type"].startswith("text/css") and "url(" not in style.text


def test_names_from_outside_are_text_on_the_page(http: httpx.Client) -> None:
    text = http.get("/quality?category=tax_payment").text
    assert "税务局 &lt;b&gt;" in text and "税务局 <b>" not in text


def test_a_snapshot_without_a_board_says_so(http: httpx.Client, platform: PlatformUnderTest) -> None:
    snapshots = platform.bare.deployment.root / "enclave" / "data" / "snapshots"
    (snapshots / (snapshots / "CURRENT").read_text() / "quality.json").unlink()
    assert http.get("/v1/quality").json()["cells"] == []
    assert "暂无可显示的数据" in http.get("/quality").text
