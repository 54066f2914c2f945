"""Which code of the suite runs: its version, where it lies, of which commit it is, and what it computes by."""

import ast
import hashlib
import importlib.metadata
import importlib.util
import io
import json
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from parity.core.machine import version

PACKAGE = Path(__file__).parents[1]
DISTRIBUTION = "pnasnet-parity"
PACKAGES = ("parity", "pnasnet_torch", "tf_reference")


@dataclass(frozen=True)
class Origin:
    """Which code that is: the file or folder it lies in, its version, and its commit; empty where it is not known."""

    path: str
    version: str = ""
    commit: str = ""

    def __str__(self) -> str:
        text = f"{self.version} in {self.path}".strip() if self.path else self.version
        return f"{text} (commit {self.commit})" if self.commit else text


def origin_of(module: str, root: Path | None = None) -> Origin:
    """Return where a module, which may lie in the folder `root`, comes from, without importing it."""
    package = module.partition(".")[0]
    if package in PACKAGES:
        return Origin(str(PACKAGE.parent / package), version(DISTRIBUTION), commit())
    place = root or _place(package)
    if place is None:
        return Origin("", version(package))
    return Origin(str(place), _version_of(package), commit_of(place))


def _place(package: str) -> Path | None:
    """Return the folder of a package, or the file of a module that is none."""
    try:
        spec = importlib.util.find_spec(package)
    except ValueError:  # of a module that somebody made while running
        return None
    if spec is None or not spec.origin:
        return None
    file = Path(spec.origin)
    return file.parent if spec.submodule_search_locations else file


def _version_of(package: str) -> str:
    """Return the version of an installed package, or else what an imported one says itself."""
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return str(getattr(sys.modules.get(package), "__version__", ""))


def commit_of(place: Path) -> str:
    """Return the commit of the checkout that a file or folder lies in, in 12 digits; empty where it is not known.

    It ends with ", changed" if files of the checkout were.
    """
    folders = [place, *place.parents]
    # A repository around an environment is somebody else's, that the package is only installed in.
    if any(folder.name in ("site-packages", "dist-packages") for folder in folders):
        return ""
    for folder in folders:
        if (folder / ".git").exists():
            # Without tags (--exclude), which `git describe` would name instead of the commit.
            command = ["git", "describe", "--always", "--abbrev=12", "--dirty=, changed", "--exclude=*"]
            try:
                completed = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=10)
            except (OSError, subprocess.SubprocessError):
                return ""
            return completed.stdout.strip()
    return ""


def commit() -> str:
    """Return the commit that the suite's code is of, as `commit_of` does, or that an installation from git was made of.

    A repository further up than the checkout is not asked.
    """
    if (PACKAGE.parent / ".git").exists():
        return commit_of(PACKAGE)
    try:
        # pip notes there where a distribution came from, if not from an index.
        origin_text = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    if not origin_text:
        return ""
    origin = json.loads(origin_text)
    return str(origin.get("vcs_info", {}).get("commit_id", ""))[:12]


def suite() -> Origin:
    """Return which code the suite itself is."""
    return Origin(str(PACKAGE.parent), version(DISTRIBUTION), commit())


def digest_of_logic(*modules: str) -> str:
    """Return the SHA-256 of what the modules, and all of the project's that they import, compute by.

    Comments, docstrings and blank lines are left out: they change nothing that is computed.
    """
    texts: dict[str, str] = {}
    left = list(modules)
    while left:
        name = left.pop()
        path = _file_of(name)
        if name not in texts and path:
            texts[name] = path.read_text(encoding="utf-8")
            left += _imports(texts[name])
    content = ""
    # By name, so that the order of imports does not matter.
    for name in sorted(texts):
        content += f"{name}\n{logic(texts[name])}\n"
    return hashlib.sha256(content.encode()).hexdigest()


# A command asks several times, and each module is parsed once.
@cache
def logic(text: str) -> str:
    """Return a module's text without comments, docstrings and blank lines."""
    lines = text.splitlines()
    # Found by the tokenizer: a "#" may also stand in a string.
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in _statements(text):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            for row in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
                # Emptied, and not removed: the rows of the docstrings that follow are counted in the whole text.
                lines[row - 1] = ""
    stripped = map(str.rstrip, lines)
    return "\n".join(filter(None, stripped))


@cache
def _statements(text: str) -> list[ast.AST]:
    """Return a module and all statements in it, at any depth; not the expressions, which are nine tenths of a tree."""
    statements: list[ast.AST] = []
    left: list[ast.AST] = [ast.parse(text)]
    while left:
        node = left.pop()
        statements.append(node)
        for name in ("body", "orelse", "finalbody", "handlers", "cases"):
            left += getattr(node, name, [])
    return statements


def _file_of(name: str) -> Path | None:
    """Return the file of a module of the project; none for any other."""
    if name.partition(".")[0] not in PACKAGES:
        return None
    place = PACKAGE.parent / name.replace(".", "/")
    for path in (place / "__init__.py", place.with_suffix(".py")):
        if path.is_file():
            return path
    return None


def _imports(text: str) -> Iterator[str]:
    """Yield the modules that a module with this text imports, anywhere in it: functions import what is heavy."""
    for node in _statements(text):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                # What is imported from a package may be a module of it, or a name that one of its modules defines.
                inner = f"{node.module}.{alias.name}"
                if _file_of(inner):
                    yield inner
                else:
                    yield _defining(node.module, alias.name)


def _defining(package: str, name: str) -> str:
    """Return the module that a name comes from: where a package loads its names lazily, the one that its stub says."""
    stub = PACKAGE.parent / package.replace(".", "/") / "__init__.pyi"
    if stub.is_file():
        for node in _statements(stub.read_text(encoding="utf-8")):
            if isinstance(node, ast.ImportFrom):
                names = [alias.name for alias in node.names]
                if name in names:
                    return f"{package}.{node.module}"
    return package
