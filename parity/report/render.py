"""Render the document as one page that needs nothing else: no network, no other file."""

import base64
import gzip
import hashlib
import html
import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from parity.core.files import replacing
from parity.report.modules import joined

JSON, HTML = "report.json", "report.html"
PAGE = Path(__file__).with_name("page")


def render(document: Mapping[str, Any]) -> str:
    """Return the page (HTML), in which the page's own script alone may run, by its hash.

    The document and the plotting library lie in it compressed, as base64, which has no character that could end their
    elements.
    """
    script = _script()
    parts = {
        "title": html.escape(_title(document)),
        "style": _read("style.css"),
        "script": script,
        "hash": base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii"),
        "data": compressed(json.dumps(document, allow_nan=False, separators=(",", ":"))),
        "vega": _vega(),
    }
    # In one pass: what is put in for one mark may look like another.
    beginning, *pieces = _read("page.html").split("{{")
    page = [beginning]
    for piece in pieces:
        name, _, after = piece.partition("}}")
        page += [parts[name], after]
    return "".join(page)


def write(data: Mapping[str, Any], folder: Path) -> None:
    """Write the document and its page, each whole or not at all."""
    with replacing(folder / JSON) as temporary:
        text = json.dumps(data, allow_nan=False, separators=(",", ":"))
        temporary.write_text(f"{text}\n", encoding="utf-8")
    with replacing(folder / HTML) as temporary:
        temporary.write_text(render(data), encoding="utf-8")


def compressed(text: str) -> str:
    """Return the text as gzip in base64; the same for the same text."""
    content = gzip.compress(text.encode(), 9, mtime=0)
    return base64.b64encode(content).decode("ascii")


@cache
def _vega() -> str:
    """Return the plotting library with all that it needs, compressed."""
    import vl_convert

    return compressed(vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;"))


@cache
def _script() -> str:
    """Return the page's scripts as one, which is the same for every document."""
    return joined(PAGE)


@cache
def _read(name: str) -> str:
    return (PAGE / name).read_text(encoding="utf-8")


def _title(document: Mapping[str, Any]) -> str:
    networks = ", ".join(network["name"] for network in document["networks"])
    return f"{document['judgement']['words']} · {networks}"
