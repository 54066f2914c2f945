"""The page's scripts as one: in their order, each in a scope of its own, and nothing that is not understood."""

from pathlib import Path

import pytest

from parity.report.modules import ModuleError, joined, parsed, reached
from parity.report.render import PAGE

DOM = """\
const kept = 1;
export function h() {}
export async function read() {}
export class Part {}
export const SIZE = 2;
"""
MAIN = """\
import { h, SIZE } from "./dom.js";
import {
  Part,
} from "./dom.js";

const kept = h(SIZE);
"""
# Two modules that import each other.
DOM_OF_A = 'import { a } from "./a.js";\nexport const h = a;\n'
A_OF_DOM = 'import { h } from "./dom.js";\nexport const a = h;\n'
JOINED = """\
"use strict";
const exported = {};
exported["dom.js"] = (() => {
const kept = 1;
function h() {}
async function read() {}
class Part {}
const SIZE = 2;
return { h, read, Part, SIZE };
})();
exported["main.js"] = (() => {
const { h, SIZE, Part } = exported["dom.js"];
const kept = h(SIZE);
return {  };
})();"""


def written(folder: Path, **texts: str) -> Path:
    for name, text in texts.items():
        (folder / f"{name}.js").write_text(text)
    return folder


def test_each_module_has_a_scope_behind_what_it_imports(tmp_path: Path) -> None:
    assert joined(written(tmp_path, main=MAIN, dom=DOM)) == JOINED


def test_a_module_that_several_import_is_there_once(tmp_path: Path) -> None:
    texts = {
        "main": 'import { b } from "./b.js";\nimport { a } from "./a.js";\n',
        "a": "export const a = 1;\n",
        "b": 'import { a } from "./a.js";\nexport const b = a;\n',
    }
    script = joined(written(tmp_path, **texts))
    places = [script.index(f'exported["{file}"] =') for file in ("a.js", "b.js", "main.js")]
    assert places == sorted(places)
    assert script.count('exported["a.js"] =') == 1


@pytest.mark.parametrize(
    "line",
    [
        "export default function h() {}",
        "export { h };",
        'export { h } from "./dom.js";',
        'export * from "./dom.js";',
        "export let h = 1;",
        "export const { h } = window;",
        "export function* h() {}",
        'import h from "./dom.js";',
        'import * as dom from "./dom.js";',
        'import "./dom.js";',
        "import { h } from './dom.js';",
        'import { h } from "./dom.js"',
        'import { h } from "../dom.js";',
        'import { h } from "dom";',
        '  import { h } from "./dom.js";',
        'const dom = await import("./dom.js");',
        "const place = import.meta.url;",
    ],
)
def test_any_other_form_is_refused(line: str) -> None:
    with pytest.raises(ModuleError, match=r"main\.js: this form of import or export is not known"):
        parsed("main.js", f"const one = 1;\n{line}\n")


def test_words_in_a_text_are_no_form() -> None:
    text = "// import nothing\nconst exported = /export\\s/;\n/** @import { h } from './dom.js' */\n"
    assert parsed("main.js", text).body == text.strip()


@pytest.mark.parametrize(
    ("texts", "said"),
    [
        pytest.param(
            {"dom": "function h() {}\n"}, r"main\.js imports h, which dom\.js does not export", id="not exported"
        ),
        pytest.param({"dom": "export const hh = 1;\n"}, "imports h, which", id="a name that only begins so"),
        pytest.param({}, r"dom\.js is imported, and is not there", id="no file"),
        pytest.param({"dom": DOM_OF_A, "a": A_OF_DOM}, r"in a circle: \w+\.js, \w+\.js, \w+\.js", id="circle"),
        pytest.param({"dom": 'import { h } from "./dom.js";\nexport const h = 1;\n'}, "in a circle", id="itself"),
    ],
)
def test_an_import_of_what_is_not_there_is_refused(tmp_path: Path, texts: dict[str, str], said: str) -> None:
    folder = written(tmp_path, main='import { h } from "./dom.js";\n', **texts)
    with pytest.raises(ModuleError, match=said):
        joined(folder)


def test_the_page_s_scripts_are_joined() -> None:
    """All that lie in the folder; nothing is left over that only a module may hold."""
    assert reached(PAGE).keys() == {path.name for path in PAGE.glob("*.js")}
    script = joined(PAGE)
    assert not [line for line in script.splitlines() if line.startswith(("import", "export "))]
    # A browser would end the page's script here.
    assert "</script" not in script
