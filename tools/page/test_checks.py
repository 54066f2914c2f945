"""Whether the checks of the page's scripts can fail. Part of `tox run -e lint`, which alone has node."""

import re

import pytest

from .conftest import HERE, Copy

LONG = "export function counted(number) {\n" + "  console.log(number);\n" * 25


@pytest.mark.parametrize("script", ["types", "lint"])
def test_sound_scripts_pass(copy: Copy, script: str) -> None:
    code, said = copy.check(script)
    assert code == 0, said


def test_planted_errors_of_types_are_found(copy: Copy) -> None:
    """A field by its former name, a name that is not exported, a text for a number, and what may be missing."""
    copy.plant("model.js", "verdict?.culprits", "verdict?.sources")
    copy.plant("banner.js", "import { address, broken }", "import { address, split }")
    copy.plant("tiles.js", "seconds(value(gate.data.seconds))", "seconds(gate.data.seconds)")
    copy.plant("story.js", "network.verdict?.downstream", "network.verdict.downstream")
    code, said = copy.check("types")
    assert code != 0
    for message in (
        r"page/model\.js.* 'sources' does not exist",
        r"page/banner\.js.* no exported member 'split'",
        r"page/tiles\.js.* 'Numeral' is not assignable to parameter of type 'number'",
        r"page/story\.js.* 'network\.verdict' is possibly 'null'",
    ):
        assert re.search(message, said), said


@pytest.mark.parametrize(
    ("sound", "faulty", "message"),
    [
        pytest.param("  const size = ", "  const unused = 1;\n  const size = ", "noUnusedVariables", id="unused"),
        pytest.param("  const size = ", "  const one = 1,\n    size = ", "useSingleVarDeclarator", id="two at once"),
        pytest.param("? one : many", "? one : number ? many : one", "noNestedTernary", id="chain"),
        pytest.param("export function counted(number) {\n", LONG, "noExcessiveLinesPerFunction", id="long"),
        pytest.param("  const size = ", "  const size  = ", "format", id="format"),
    ],
)
def test_a_planted_error_of_style_is_found(copy: Copy, sound: str, faulty: str, message: str) -> None:
    copy.plant("text.js", sound, faulty)
    code, said = copy.check("lint")
    assert code != 0
    assert message in said


def test_the_packages_are_pinned_without_a_registry() -> None:
    lock = (HERE / "package-lock.json").read_text(encoding="utf-8")
    assert '"integrity"' in lock
    assert '"resolved"' not in lock
