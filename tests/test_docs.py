"""The documents are true: their links lead somewhere, and their commands are understood by what they name."""

import configparser
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest

from parity.__main__ import COMMANDS
from parity.candidate.alignment.__main__ import parse as parse_align
from parity.convert.__main__ import parser as convert_parser
from parity.faults.__main__ import parser as faults_parser
from parity.imagenet.__main__ import parser as imagenet_parser
from parity.plugin.options import add_options
from parity.reference.golden.__main__ import parse as parse_golden
from parity.reference.trace.__main__ import parse as parse_trace
from parity.report.__main__ import parse as parse_report
from tests.parity.starting import start_here

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
PROGRAMS = ("pytest", "tox", "python", "pnasnet-convert", "pnasnet-parity", "torchrun", "git")
PARSERS = {
    "align": parse_align,
    "convert": lambda arguments: convert_parser().parse_args(arguments),
    "imagenet": lambda arguments: imagenet_parser().parse_args(arguments),
    "report": parse_report,
    "faults": lambda arguments: faults_parser().parse_args(arguments),
    "golden": parse_golden,
    "trace": parse_trace,
}


def commands() -> Iterator[tuple[str, str]]:
    """Yield the document and the line of each command in a block of code."""
    for document in DOCUMENTS:
        for language, block in re.findall(r"^```(\w*)\n(.*?)^```", document.read_text(), re.MULTILINE | re.DOTALL):
            if language:  # such as Python, which is no command
                continue
            for line in block.replace("\\\n", " ").splitlines():
                for part in line.split("  #")[0].split(" && "):
                    if part.split()[:1] and part.split()[0] in PROGRAMS:
                        yield document.name, part.strip()


COMMANDS_OF_DOCUMENTS = sorted(set(commands()))


def of(program: str) -> list[list[str]]:
    """Return the arguments of each command that starts so."""
    found = [shlex.split(line) for _, line in COMMANDS_OF_DOCUMENTS if line.split()[0] == program]
    return [words[1:] for words in found]


def test_there_are_commands_of_every_program() -> None:
    assert {line.split()[0] for _, line in COMMANDS_OF_DOCUMENTS} == set(PROGRAMS)
    assert len(COMMANDS_OF_DOCUMENTS) > 40


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_link_leads_somewhere(document: Path) -> None:
    for target, _, anchor in (link.partition("#") for link in re.findall(r"\]\(([^)\s]+)\)", document.read_text())):
        if target.startswith("http"):
            continue
        path = (document.parent / target).resolve() if target else document
        assert path.exists(), f"{document.name} links to {target}"
        if anchor:
            heads = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", head.lower()).replace(" ", "-") for head in heads}


@pytest.mark.parametrize("arguments", of("pytest"), ids=shlex.join)
def test_a_command_of_pytest_is_understood(arguments: list[str]) -> None:
    """Every option is pytest's or the suite's."""
    parser = pytest.Config.fromdictargs({}, [])._parser
    add_options(parser)
    _, unknown = parser.parse_known_and_unknown_args(arguments)
    assert unknown == []


def test_an_option_that_there_is_not_is_seen() -> None:
    """What the two tests of commands rest on."""
    parser = pytest.Config.fromdictargs({}, [])._parser
    add_options(parser)
    assert parser.parse_known_and_unknown_args(["parity", "--no-such-option"])[1] == ["--no-such-option"]
    with pytest.raises(SystemExit):
        PARSERS["imagenet"](["sample", "--no-such-option"])


SELECTING = [
    arguments
    for arguments in of("pytest")
    if "-k" in arguments and arguments[0] == "parity" and not any(word.startswith("--ca") for word in arguments)
]


@pytest.mark.slow
@pytest.mark.parametrize("arguments", SELECTING, ids=shlex.join)
def test_what_a_command_of_pytest_selects_is_there(arguments: list[str]) -> None:
    code, said = start_here(*arguments[1:], "--collect-only", "-q")
    assert code == 0, said


@pytest.mark.parametrize("arguments", of("pnasnet-parity"), ids=shlex.join)
def test_a_command_of_the_suite_is_understood(arguments: list[str]) -> None:
    name, *rest = (word for word in arguments if word not in ("[DIR", "...]"))
    assert name in COMMANDS
    # What a shell does with what is printed is no argument.
    PARSERS[name](rest[: rest.index(">")] if ">" in rest else rest)


@pytest.mark.parametrize("arguments", of("pnasnet-convert"), ids=shlex.join)
def test_a_conversion_is_understood(arguments: list[str]) -> None:
    PARSERS["convert"](arguments)


def test_every_environment_of_tox_is_there() -> None:
    settings = configparser.ConfigParser(interpolation=None)
    settings.read(ROOT / "tox.ini")
    known = {name for section in settings for name in re.findall(r"[\w-]+", section.partition("testenv:")[2])}
    text = "\n".join(document.read_text() for document in DOCUMENTS)
    named = {name for found in re.findall(r"tox run -e ([\w,-]+)", text) for name in found.split(",")}
    assert named <= known
    assert len(named) > 8
