"""What a user can give, and what is said about that which cannot be used."""

import json
import shlex
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from parity.core.layers import Network
from parity.core.specification import PHOTOGRAPHS
from parity.plugin.options import add_options
from parity.plugin.parse import parse_options
from parity.report.document import SCHEMA
from parity.session.options import Options

EXPECTED = "expected official, slim:PATH, pnasnet-tf:PATH, golden, or a trace"
# Bad options, and what the message about each contains.
BAD = {
    "--variant=tiny": ["--variant tiny", "large or mobile"],
    "--variant=Large": ["--variant Large", "large or mobile"],
    "--variant=": ["--variant", "large or mobile"],
    "--variant=mobile --variant=tiny": ["--variant tiny", "large or mobile"],
    "--image-size=0": ["--image-size", "'0'", "such as 331", "300x480"],
    "--image-size=-3": ["--image-size", "'-3'", "such as 331"],
    "--image-size=331x": ["--image-size", "'331x'", "HEIGHTxWIDTH"],
    "--image-size=axb": ["--image-size", "'axb'", "HEIGHTxWIDTH"],
    "--image-size=2": ["--image-size 2", "large needs images of at least 19x19 pixels"],
    "--image-size=18x224": ["--image-size 18x224", "large needs images of at least 19x19 pixels"],
    "--image-size=224x2": ["--image-size 224x2", "large needs images of at least 19x19 pixels"],
    "--seed=-1": ["--seed -1", "at least 0"],
    "--seed=x": ["--seed", "invalid int value", "'x'"],
    "--threads=0": ["--threads 0", "at least 1"],
    "--threads=-2": ["--threads -2", "at least 1"],
    "--threads=1025": ["--threads 1025", "at most 1,024"],
    "--reference=github": ["--reference: unknown reference 'github'", EXPECTED],
    "--reference=slim:": ["--reference: unknown reference 'slim:'", EXPECTED],
    "--reference=official:1": ["--reference: unknown reference 'official:1'", EXPECTED],
    "--reference=slim:/no/such": ["--reference", "/no/such", "nets/nasnet/pnasnet.py", "holds nets/"],
    "--reference=pnasnet-tf:/no/such": ["/no/such", "pnasnet.py, cell.py, utils.py", "chenxi116/PNASNet.TF"],
    "--reference=golden --reference=official": ["--reference golden", "give it alone"],
    "--reference=slim:/no/such --reference=golden": ["--reference", "/no/such", "nets/nasnet/pnasnet.py"],
    "--training --candidate=export": ["--training judges the port", "leave --candidate out"],
    "--training --full-imagenet": ["--training judges the port", "leave --full-imagenet out"],
    "--training --reference=golden": ["--training cannot go with --reference golden"],
    "--training --reference=official --reference=slim:/no/such": ["--reference", "/no/such"],
    "--images=/no/such.jpg": ["--images /no/such.jpg", "no such file or folder"],
    "--variant=mobile --checkpoint=/no/such.ckpt": ["--checkpoint", "no checkpoint /no/such.ckpt", ".index"],
}


def parse(*arguments: str) -> Options:
    """The options as pytest's own parser hands them over."""
    parser = pytest.Parser(_ispytest=True)
    taken = add_options(parser)
    namespace = parser.parse(arguments)
    config = SimpleNamespace(
        getoption=lambda name: getattr(namespace, name), invocation_params=SimpleNamespace(args=arguments)
    )
    return parse_options(cast(pytest.Config, config), taken=taken)


@pytest.fixture
def prefix(synthetic: Path, tmp_path: Path) -> Path:
    """A V2 checkpoint of Mobile."""
    for suffix in (".index", ".data-00000-of-00001"):
        (tmp_path / f"model.ckpt-7{suffix}").symlink_to(f"{synthetic}{suffix}")
    return tmp_path / "model.ckpt-7"


@pytest.fixture
def slim(tmp_path: Path) -> Path:
    """A folder that holds nets/, as far as can be seen without a look inside."""
    for name in ("pnasnet", "nasnet", "nasnet_utils"):
        path = tmp_path / f"slim/nets/nasnet/{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "slim"


def test_the_defaults() -> None:
    """Both networks at the sizes that are known, two photographs, the official source, a synthetic checkpoint."""
    options = parse()
    assert list(map(str, options.networks)) == ["large-331", "large-323", "large-97x131", "mobile-224", "mobile-97x131"]
    names = [path.name for network in options.networks for path in options.images_of(network)]
    assert names == ["chelsea.jpg", "coffee.jpg", "chelsea.jpg", "coffee.jpg", "chelsea.jpg"]
    assert (options.checkpoint, options.references, options.seed) == (None, ("official",), 0)
    assert options.threads >= 1
    assert options.arguments == ()


@pytest.mark.parametrize(
    ("arguments", "networks"),
    [
        ("--variant=mobile", ["mobile-224", "mobile-97x131"]),
        ("--variant=large", ["large-331", "large-323", "large-97x131"]),
        (
            "--variant=mobile --variant=large",
            ["mobile-224", "mobile-97x131", "large-331", "large-323", "large-97x131"],
        ),
        ("--variant=mobile --variant=mobile", ["mobile-224", "mobile-97x131"]),
        ("--image-size=256", ["large-256", "mobile-256"]),
        ("--variant=mobile --image-size=300x480 --image-size=224", ["mobile-300x480", "mobile-224"]),
        ("--variant=mobile --image-size=224 --image-size=224x224", ["mobile-224"]),
    ],
)
def test_networks_are_variants_at_sizes(arguments: str, networks: list[str]) -> None:
    """In the order given, each once."""
    assert list(map(str, parse(*arguments.split()).networks)) == networks


@pytest.mark.parametrize("arguments", BAD)
def test_what_cannot_be_used_is_a_usage_error(arguments: str) -> None:
    """The message names the option, repeats the value, and says what is expected."""
    with pytest.raises(pytest.UsageError) as caught:
        parse(*arguments.split())
    for part in BAD[arguments]:
        assert part in str(caught.value)


def test_the_weights_say_which_variant_they_are_of(prefix: Path) -> None:
    assert {network.variant for network in parse(f"--checkpoint={prefix}").networks} == {"mobile"}
    for variants in (["--variant=large"], ["--variant=mobile", "--variant=large"]):
        with pytest.raises(pytest.UsageError, match="holds the weights of PNASNet-5 mobile"):
            parse(f"--checkpoint={prefix}", *variants)


@pytest.mark.parametrize("suffix", [".index", ".data-00000-of-00001"])
def test_one_file_of_a_checkpoint_stands_for_the_whole(prefix: Path, suffix: str) -> None:
    checkpoint = parse(f"--checkpoint={prefix}{suffix}").checkpoint
    assert checkpoint
    assert "conv0/weights" in checkpoint.variables
    assert "is one of several files: the whole checkpoint" in checkpoint.notes[0]


def test_a_missing_checkpoint_names_those_that_are_near(prefix: Path) -> None:
    with pytest.raises(pytest.UsageError, match="there is no checkpoint") as caught:
        parse(f"--checkpoint={prefix.with_name('model.ckpt')}")
    assert prefix.name in str(caught.value)


def test_a_choice_of_weights_needs_some() -> None:
    with pytest.raises(pytest.UsageError, match="--weights chooses among those of --checkpoint"):
        parse("--weights=average")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--candidate-weights are of --candidate, which is not given"),
        (["--candidate=m:make"], "judged beside the official ones: add --checkpoint PATH, or --reference FILE.h5"),
        (["--candidate=compile", "CHECKPOINT", "--candidate-weights=own"], "compile has no weights of its own"),
        (["--candidate=m:make", "CHECKPOINT"], "there is no such file: expected reference, own, or the path"),
    ],
)
def test_weights_of_a_candidate_need_what_they_are_judged_by(prefix: Path, arguments: list[str], message: str) -> None:
    given = [f"--checkpoint={prefix}" if argument == "CHECKPOINT" else argument for argument in arguments]
    with pytest.raises(pytest.UsageError, match=message):
        parse("--candidate-weights=missing.pth", *given)


@pytest.mark.parametrize("value", ["", ".", "/"], ids=["empty", "here", "root"])
def test_a_folder_is_no_checkpoint(value: str) -> None:
    """As an unset variable in a shell gives it."""
    with pytest.raises(pytest.UsageError, match="--checkpoint"):
        parse("--variant=mobile", f"--checkpoint={value}")


def test_an_empty_folder_of_images(tmp_path: Path) -> None:
    """What would be taken for an image is said."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(pytest.UsageError, match=r"--images .*: this folder holds no file") as caught:
        parse(f"--images={tmp_path}")
    assert ".jpeg or .jpg or .png" in str(caught.value)


def test_images_are_files_and_folders_of_them(tmp_path: Path) -> None:
    """In the order given; those of a folder by name, whatever case their suffix is in; others are passed over."""
    for name in ("b.PNG", "a.jpeg", "notes.txt"):
        (tmp_path / name).write_text(name)
    coffee = PHOTOGRAPHS / "coffee.jpg"
    options = parse(f"--images={coffee}", f"--images={tmp_path}")
    assert options.images == (coffee, tmp_path / "a.jpeg", tmp_path / "b.PNG")
    assert len(set(options.image_hashes)) == 3


def test_images_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Each has its hash, in whichever folder it lies."""
    paths = [tmp_path / folder / "a.jpg" for folder in ("one", "two")]
    for path in paths:
        path.parent.mkdir()
        path.write_text(path.parent.name)
    options = parse(*(f"--images={path}" for path in paths))
    assert list(options.image_hashes) == paths
    assert len(set(options.image_hashes.values())) == 2


def test_a_folder_called_like_an_image_is_none(tmp_path: Path) -> None:
    (tmp_path / "album.jpg").mkdir()
    (tmp_path / "a.jpg").touch()
    assert parse(f"--images={tmp_path}").images == (tmp_path / "a.jpg",)


def test_what_can_be_used_is_kept(prefix: Path, slim: Path) -> None:
    given = ("--variant=mobile", f"--checkpoint={prefix}", f"--reference=slim:{slim}", "--seed=7", "--threads=3")
    options = parse(*given)
    assert options.networks == (Network("mobile", 224, 224), Network("mobile", 97, 131))
    assert options.checkpoint
    assert options.checkpoint.path == prefix
    assert (options.references, options.seed, options.threads) == ((f"slim:{slim}",), 7, 3)


def test_a_command_repeats_the_options(prefix: Path, slim: Path) -> None:
    """Every option that was given comes back, and reading them again gives the same options."""
    given = {
        *("--variant=mobile", "--image-size=300x480", "--image-size=224", f"--images={PHOTOGRAPHS / 'rocket.jpg'}"),
        *(f"--checkpoint={prefix}", f"--reference=slim:{slim}", "--seed=7"),
    }
    # The threads change nothing of what is compared.
    options = parse(*given, "--threads=3")
    program, node, *arguments = options.command_of("test_exact.py", "test_exact[mobile-224-conv0]").split()
    assert (program, node) == ("pytest", "'parity/test_exact.py::test_exact[mobile-224-conv0]'")
    assert set(arguments) == given
    assert parse(*arguments).arguments == options.arguments


def test_a_command_without_options_is_short() -> None:
    assert parse().command("-k", "cell_5") == "pytest parity -k cell_5"
    assert parse().command_of("test_exact.py", "test_exact") == "pytest parity/test_exact.py::test_exact"


def test_a_command_calls_the_suite_what_it_was_called() -> None:
    """As a module, or by the path from where pytest was started."""
    module, below = replace(parse(), module=True), replace(parse(), suite="../parity")
    assert module.command("-k", "cell_5") == "pytest --pyargs parity -k cell_5"
    assert module.command_of("test_exact.py", "test_exact") == "pytest --pyargs parity.test_exact::test_exact"
    assert below.command_of("test_exact.py", "test_exact") == "pytest ../parity/test_exact.py::test_exact"


def test_a_command_can_be_pasted(tmp_path: Path) -> None:
    """A path with a space reaches pytest as one argument."""
    image = tmp_path / "my cat.jpg"
    image.touch()
    assert shlex.split(parse(f"--images={image}").command()) == ["pytest", "parity", f"--images={image}"]


def test_a_place_where_no_report_can_be_written_is_refused_first(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(pytest.UsageError, match=r"--report \S*inside: .*inside cannot be written: .*a file"):
        parse(f"--report={tmp_path / 'file/inside'}")


def test_the_report_of_another_run_is_not_replaced(tmp_path: Path) -> None:
    """That of the same command is, and any with --force."""
    report = {
        "schema": SCHEMA,
        "run": {"command": "pytest -k conv0"},
        "judgement": {"words": "parity"},
        "provenance": {},
        "networks": [],
    }
    (tmp_path / "report.json").write_text(json.dumps(report))
    option = f"--report={tmp_path}"
    with pytest.raises(
        pytest.UsageError, match="the report of pytest -k conv0 lies there: name another folder, or add"
    ):
        parse(option)
    assert parse(option, "--force").report == tmp_path
    report["run"] = {"command": f"pytest {option}"}
    (tmp_path / "report.json").write_text(json.dumps(report))
    assert parse(option).report == tmp_path


@pytest.mark.parametrize(
    ("name", "words"), [("report.json", "is no report of parity"), ("report.html", "did not write")]
)
def test_files_of_others_are_not_replaced(name: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("[]")
    with pytest.raises(pytest.UsageError, match=f"{words}.*: name another folder, or add --force to replace it"):
        parse(f"--report={tmp_path}")


def test_faults_are_reproduced_in_a_folder(tmp_path: Path) -> None:
    assert parse(f"--reproduce={tmp_path / 'faults'}").reproduce == tmp_path / "faults"
    (tmp_path / "file").touch()
    with pytest.raises(pytest.UsageError, match=r"--reproduce .*: this is a file"):
        parse(f"--reproduce={tmp_path / 'file'}")
    with pytest.raises(pytest.UsageError, match="--reproduce is of the layers of pytest parity: leave --training out"):
        parse(f"--reproduce={tmp_path}", "--training")


def test_every_option_explains_itself() -> None:
    parser = pytest.Parser(_ispytest=True)
    assert add_options(parser) == frozenset()
    options: list[Any] = [*parser.getgroup("parity").options, *parser.getgroup("imagenet").options]
    assert len(options) == 26
    assert all(option.attrs()["help"] for option in options)


def test_a_path_may_begin_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A shell leaves `~` as it is behind an equals sign."""
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse("--report=~/r").report == tmp_path / "r"
    (tmp_path / "a.jpg").touch()
    assert parse("--images=~/a.jpg").images == (tmp_path / "a.jpg",)
