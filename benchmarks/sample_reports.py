"""Reports of two real runs, one that passes and one of a port with symmetric padding, and pictures of them for docs/.

Prints how large each page is, how long it takes to make it, and how long to open it. Needs Chromium (apt-get install
chromium). Usage: python benchmarks/sample_reports.py [--keep DIR] [--docs DIR] [pytest's options, as --variant mobile]
"""

import argparse
import io
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

ROOT = Path(__file__).parents[1]
# Both halves of halving, padded as PyTorch's layers do; on odd maps that is what TensorFlow does, too.
SYMMETRIC = """
def pytest_collection_finish():
    from parity.candidate import model as candidate_model
    from parity.faults.padding import padded_conv, padded_pool, symmetric
    load = candidate_model.load_tf_variables
    def planted(model, variables):
        load(model, variables)
        for name, module in list(model.named_modules()):
            if getattr(module, "stride", None) in (2, (2, 2)) and name.endswith(("depthwise", "max_pool")):
                (padded_pool if name.endswith("max_pool") else padded_conv)(symmetric)(model, name)
    candidate_model.load_tf_variables = planted
"""
RUNS = {"passing": "", "failing": SYMMETRIC}
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LAPTOP, PHONE = (1280, 800), (390, 844)
# What a picture shows: the report, the window, dark or not, the element down to which it goes, and the layer's page.
PICTURES = {
    "report": ("failing", LAPTOP, False, "#network svg.network", ""),
    "report-dark": ("failing", LAPTOP, True, "#growth", ""),
    "report-layer": ("failing", LAPTOP, False, ".layer", "source"),
    "report-phone": ("failing", PHONE, False, "#begins", ""),
}


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="folder to leave the reports in (default: none)")
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", metavar="DIR", help="folder of the pictures")
    parser.add_argument("--skip-runs", action="store_true", help="take the reports that --keep DIR already holds")
    options, more = parser.parse_known_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.keep or Path(temporary)
        for name, plugin in RUNS.items():
            if not options.skip_runs:
                run(folder / name, plugin, more)
            measure(folder / name)
        with chromium() as browser:
            for name, picture in PICTURES.items():
                take(browser, folder, options.docs / f"{name}.png", *picture)
    return 0


def run(folder: Path, plugin: str, options: Sequence[str]) -> None:
    """One run with its report in `folder`; whether it passes or fails is its own business."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as place:
        (Path(place) / "planted_fault.py").write_text(plugin)
        path = os.pathsep.join(filter(None, (place, os.environ.get("PYTHONPATH"))))
        command = [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "planted_fault",
            "parity",
            f"--report={folder}",
            *options,
        ]
        started = time.perf_counter()
        subprocess.run(command, cwd=ROOT, env=os.environ | {"PYTHONPATH": path}, stdout=subprocess.DEVNULL)
    print(f"{folder.name}: the run took {time.perf_counter() - started:.0f} s")


def measure(folder: Path) -> None:
    """The page's size, and how long it takes to make it from report.json."""
    started = time.perf_counter()
    subprocess.run([sys.executable, "-m", "parity.report", folder], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    took = time.perf_counter() - started
    sizes = ", ".join(
        f"{name} {(folder / name).stat().st_size / 1e6:.2f} MB" for name in ("report.html", "report.json")
    )
    print(f"{folder.name}: {sizes}; made from report.json in {took:.1f} s")


@contextmanager
def chromium() -> Iterator[Browser]:
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        sys.exit("this takes Chromium: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def take(
    browser: Browser, folder: Path, target: Path, name: str, window: tuple[int, int], dark: bool, end: str, layer: str
) -> None:
    """A picture from the page's top to the end of an element, in at most 256 colours."""
    context = browser.new_context(
        viewport={"width": window[0], "height": window[1]}, color_scheme="dark" if dark else "light"
    )
    page = context.new_page()
    started = time.perf_counter()
    page.goto((folder / name / "report.html").resolve().as_uri())
    page.wait_for_selector("html[data-ready=yes]")
    print(f"{target.name}: opened in {time.perf_counter() - started:.2f} s")
    if layer:
        page.evaluate("location.hash = document.querySelector('#begins .card a').getAttribute('href')")
        page.wait_for_selector(".layer")
    settle(page)
    box = page.locator(end).first.bounding_box()
    assert box
    size = {"x": 0, "y": 0, "width": window[0], "height": box["y"] + box["height"] + 24}
    picture = Image.open(io.BytesIO(page.screenshot(full_page=True, clip=size)))  # type: ignore[arg-type]
    picture.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(target, optimize=True)
    context.close()


def settle(page: Page) -> None:
    """Brings every plot into view, so that it is drawn."""
    for plot in page.locator(".plot-area").all():
        plot.scroll_into_view_if_needed()
        plot.locator("canvas").wait_for()
    page.evaluate("scrollTo(0, 0)")
    page.wait_for_timeout(200)


if __name__ == "__main__":
    sys.exit(main())
