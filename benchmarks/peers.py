"""Judges every known candidate and writes the table of docs/peers.md: python benchmarks/peers.py CHECKOUTS [NAME ...].

CHECKOUTS is a folder with checkouts of chenxi116/PNASNet.pytorch and chenxi116/PNASNet.TF. With names, only those
candidates are judged anew, and the other rows stay. One that is not installed keeps its row, too, and is named.
"""

import argparse
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console

PAGE = Path(__file__).parents[1] / "docs/peers.md"
START, END = "<!-- the table: python benchmarks/peers.py -->\n", "<!-- end of the table -->\n"
COLUMNS = ("candidate", "network", "layers shown", "verdict", "first culprit", "what it does there")
HEAD = f"| {' | '.join(COLUMNS)} |\n|{' --- |' * len(COLUMNS)}\n"
LARGE, EACH = ("large-331", "large-323"), ("large-331", "mobile-224")
# The candidates, in the table's order, with the networks that they are judged as.
CANDIDATES = {
    "timm": LARGE,
    "pretrainedmodels": LARGE,
    "pytorchcv": LARGE,
    "pnasnet-pytorch:PNASNet.pytorch": LARGE,
    "pnasnet-tf:PNASNet.TF": LARGE,
    "channels_last": EACH,
    "inference": EACH,
    "export": EACH,
    "compile": EACH,
    "onnxruntime": EACH,
    "openvino": EACH,
}


def judge(candidate: str, network: str, folder: Path) -> dict[str, Any]:
    """The report of one run; its network has the verdict."""
    variant, size = network.split("-")
    options = [f"--candidate={candidate}", f"--variant={variant}", f"--image-size={size}", f"--report={folder}"]
    command = [sys.executable, "-m", "pytest", "parity", "-q", "--no-header", "-p", "no:cacheprovider", *options]
    done = subprocess.run(command, capture_output=True, text=True)
    if not (folder / "report.json").exists():
        raise RuntimeError(
            next(
                (line for line in done.stdout.splitlines() + done.stderr.splitlines() if "ERROR" in line),
                done.stdout[-300:],
            )
        )
    return dict(json.loads((folder / "report.json").read_text()))


def row(candidate: str, network: str, report: dict[str, Any]) -> str:
    """The table's line on one run."""
    (found,) = report["networks"]
    names, unobservable, judgement = found["names"], len(found["unobservable"]), report["judgement"]
    total = len(found["layers"]["kind"])
    shown = f"{total - unobservable} of {total}"
    failed = [gate["gate"] for gate in found["gates"] if "0" in gate["passed"]]
    passed = [gate["gate"] for gate in found["gates"] if gate["passed"] and "0" not in gate["passed"]]
    verdict = f"passes: {', '.join(passed)}" if not failed else f"**fails**: {', '.join(failed)}"
    culprit, does = "", ""
    if culprits := (found["verdict"] or {}).get("culprits", []):
        first, *more = culprits
        culprit = f"`{names[first['name']]}`" + (f" and {len(more)} more" if more else "")
        does = "; ".join(hint.removeprefix("it gives: ") for hint in first["hints"]) or first["says"]
    if not failed and judgement["kind"] not in ("parity", "partial"):
        verdict = judgement["words"]
    return f"| {candidate.partition(':')[0]} | {network} | {shown} | {verdict} | {culprit} | {does} |\n"


def known_rows(table: str) -> dict[tuple[str, str], str]:
    """The lines that the page has, by candidate and network."""
    rows = re.findall(r"^\| ([\w-]+) \| (\w+-\d+) \|.*$", table, re.MULTILINE)
    lines = [line for line in table.splitlines(keepends=True) if re.match(r"\| [\w-]+ \| \w+-\d+ ", line)]
    return dict(zip(rows, lines, strict=True))


def judged(checkouts: Path, names: list[str], rows: dict[tuple[str, str], str]) -> Iterator[tuple[str, str]]:
    """Judges the candidates called `names` into `rows`; yields each as it is done, with what is to be said."""
    for candidate, networks in CANDIDATES.items():
        kind, _, checkout = candidate.partition(":")
        if names and kind not in names:
            continue
        spec = f"{kind}:{checkouts / checkout}" if checkout else candidate
        for network in networks:
            with TemporaryDirectory() as folder:
                try:
                    rows[kind, network] = row(candidate, network, judge(spec, network, Path(folder)))
                    yield f"{kind} {network}", rows[kind, network].strip()
                except RuntimeError as error:
                    yield f"{kind} {network}", f"not judged: {error}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("checkouts", type=Path)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(name.partition(':')[0] for name in CANDIDATES)}")
    arguments = parser.parse_args()
    before, _, rest = PAGE.read_text().partition(START)
    table, _, after = rest.partition(END)
    rows, console = known_rows(table), Console(highlight=False, soft_wrap=True)
    with console.status("judging"):
        for what, said in judged(arguments.checkouts.resolve(), arguments.names, rows):
            console.print(f"{what}: {said}", markup=False)
            keys = [(name.partition(":")[0], network) for name, networks in CANDIDATES.items() for network in networks]
            lines = "".join(rows[key] for key in keys if key in rows)
            PAGE.write_text(before + START + HEAD + lines + END + after)


if __name__ == "__main__":
    main()
