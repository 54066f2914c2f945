"""The page as a file: escaped, whole, small; and the command that makes it again."""

import base64
import gzip
import hashlib
import json
import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from parity.core.command import USAGE_ERROR, run
from parity.report import render as module
from parity.report.__main__ import PROG, main
from parity.report.document import SCHEMA
from parity.report.render import render
from tests.limits import file_size_limit

from .conftest import HOSTILE

HOSTILE_TEXT = f"</script><script>alert(1)</script>{HOSTILE}{{{{data}}}}"


class Elements(HTMLParser):
    """All elements with their attributes and texts."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None], str]] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attributes), ""))

    def handle_data(self, data: str) -> None:
        tag, attributes, text = self.found[-1] if self.found else ("", {}, "")
        self.found[-1:] = [(tag, attributes, text + data)]


def embedded(page: str, name: str) -> str:
    """What lies compressed in the page under that id."""
    match = re.search(rf'<script type="application/gzip;base64" id="{name}">([\w+/=]+)</script>', page)
    assert match
    return gzip.decompress(base64.b64decode(match[1])).decode()


def test_the_page_holds_the_document(data: dict[str, Any]) -> None:
    assert json.loads(embedded(render(data), "data")) == data


def test_the_same_document_gives_the_same_page(data: dict[str, Any]) -> None:
    assert render(data) == render(json.loads(json.dumps(data)))


def test_nothing_in_the_document_becomes_an_element(data: dict[str, Any]) -> None:
    """Whatever is put in its texts, the page has the same elements."""
    plain = [tag for tag, _, _ in Elements(render(data)).found]
    data["networks"][0]["name"] = data["run"]["command"] = data["judgement"]["words"] = HOSTILE_TEXT
    page = render(data)
    assert [tag for tag, _, _ in Elements(page).found] == plain
    assert "alert(1)" not in re.sub(r"<title>.*</title>", "", page)
    assert json.loads(embedded(page, "data"))["run"]["command"] == HOSTILE_TEXT


def test_an_element_that_is_not_escaped_would_be_found(data: dict[str, Any]) -> None:
    page = render(data).replace("</main>", f"{HOSTILE}</main>")
    assert len(Elements(page).found) == len(Elements(render(data)).found) + 1


def test_the_page_asks_for_nothing(data: dict[str, Any]) -> None:
    """No element has an address, and its policy forbids all requests and all scripts but its own."""
    page = render(data)
    elements = Elements(page).found
    addresses = [text for _, attributes, _ in elements for name in ("src", "href") if (text := attributes.get(name))]
    assert all(text.startswith(("#", "data:")) for text in addresses)
    policy = next(row["content"] for _, row, _ in elements if row.get("http-equiv") == "Content-Security-Policy")
    own = re.search(r"<script>(.*)</script>", page, re.DOTALL)
    assert own
    digest = base64.b64encode(hashlib.sha256(own[1].encode()).digest()).decode()
    assert policy
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}' 'unsafe-eval'" in policy


def test_no_script_parses_text_into_elements() -> None:
    """The page's scripts build elements; none of them knows a way to have one parsed."""
    for path in module.PAGE.glob("*.js"):
        assert not re.search(r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|fetch\(", path.read_text()), path


def test_an_empty_page_is_half_a_megabyte(data: dict[str, Any]) -> None:
    """Most of it the plotting library."""
    assert len(render(data)) < 600_000


def test_the_command_renders_a_folder_or_a_file(
    data: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module.write(data, tmp_path)
    page = (tmp_path / "report.html").read_text()
    (tmp_path / "report.html").unlink()
    assert main([str(tmp_path)]) == 0
    assert (tmp_path / "report.html").read_text() == page
    assert main([str(tmp_path / "report.json"), "--output", str(tmp_path / "other.html")]) == 0
    assert (tmp_path / "other.html").read_text() == page
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / "report.html"), str(tmp_path / "other.html")]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other.html", "report.html", "report.json"]


def test_a_file_that_may_be_anything_is_replaced_with_force_alone(
    data: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    module.write(data, tmp_path)
    command = [str(tmp_path), "--output", str(tmp_path / "report.json")]
    before = (tmp_path / "report.json").read_text()
    assert run(main, PROG, command) == USAGE_ERROR
    assert "report.json: already there; --force replaces it" in capsys.readouterr().err
    assert (tmp_path / "report.json").read_text() == before
    assert run(main, PROG, [*command, "--force"]) == 0
    assert (tmp_path / "report.json").read_text() == (tmp_path / "report.html").read_text()


def test_the_systems_reason_is_said(data: dict[str, Any], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    module.write(data, tmp_path)
    assert run(main, PROG, [str(tmp_path), "--output", str(tmp_path)]) == USAGE_ERROR
    assert f"{tmp_path} cannot be written: Is a directory: name a file" in capsys.readouterr().err
    with file_size_limit(1000):
        assert run(main, PROG, [str(tmp_path)]) == USAGE_ERROR
    assert "report.html cannot be written: File too large" in capsys.readouterr().err
    assert sorted(path.name for path in tmp_path.iterdir()) == ["report.html", "report.json"]


# As a filter of somebody's may leave it.
FILTERED = f'{{"schema": "{SCHEMA}", "run": {{}}, "judgement": {{}}, "provenance": {{}}, "networks": []'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "report.json: there is no such file; pytest parity --report DIR writes one", id="missing"),
        pytest.param("{", "is no report of parity, or was cut off: it is no JSON (", id="no JSON"),
        pytest.param("[]", "is no report of parity: it has no schema", id="no document"),
        pytest.param(f'{{"schema": "{SCHEMA}"}}', "lacks judgement, networks, provenance, run", id="no sections"),
        pytest.param(f"{FILTERED}}}", "a part of it is missing ('command')", id="parts"),
        pytest.param(f'{FILTERED}, "more": NaN}}', "it is no JSON (NaN is no JSON)", id="no number"),
        pytest.param('{"schema": "pnasnet-parity-report/99"}', "its schema is pnasnet-parity-report/99", id="version"),
    ],
)
def test_what_is_no_report_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str | None, said: str
) -> None:
    if content is not None:
        (tmp_path / "report.json").write_text(content)
    assert run(main, PROG, [str(tmp_path)]) == USAGE_ERROR
    assert said in capsys.readouterr().err
    assert not (tmp_path / "report.html").exists()
