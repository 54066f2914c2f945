"""Which code of the suite runs: its version, where it lies, of which commit it is, and what it computes by."""

import ast
import hashlib
import importlib.metadata
import io
import json
import subprocess
import tokenize
from collections.abc import Iterator
from pathlib import Path

from parity.core.machine import version

PACKAGE = Path(__file__).parents[1]
DISTRIBUTION = "pnasnet-parity"
PACKAGES = ("parity", "pnasnet_torch", "tf_reference")


def commit() -> str:
    """The commit of the checkout that the code lies in, with "changed" if it was; of an installation from git, that
    one's; empty where neither is known."""
    checkout = PACKAGE.parent
    if (checkout / ".git").exists():
        try:
            command = ["git", "describe", "--always", "--abbrev=12", "--dirty=, changed", "--exclude=*"]
            return subprocess.run(
                command, cwd=checkout, capture_output=True, text=True, check=True, timeout=10
            ).stdout.strip()
        except (OSError, subprocess.SubprocessError):
            return ""
    try:
        origin = importlib.metadata.distribution(DISTRIBUTION).read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return ""
    found = json.loads(origin) if origin else {}
    return str(found.get("vcs_info", {}).get("commit_id", ""))[:12]


def code_in_words() -> str:
    """Version, place and commit, in one line."""
    known = commit()
    return f"{DISTRIBUTION} {version(DISTRIBUTION)} in {PACKAGE.parent}" + (f" (commit {known})" if known else "")


def digest_of_logic(*modules: str) -> str:
    """Return the SHA-256 of what the modules, and all of the project's that they import, compute by.

    Comments, docstrings and blank lines are left out: they change nothing that is computed.
    """
    found: dict[str, Path] = {}
    left = list(modules)
    while left:
        name = left.pop()
        path = _file_of(name)
        if name not in found and path:
            found[name] = path
            left += _imports(name, path)
    content = "".join(f"{name}\n{logic(found[name].read_text(encoding='utf-8'))}\n" for name in sorted(found))
    return hashlib.sha256(content.encode()).hexdigest()


def logic(text: str) -> str:
    """Return a module's text without comments, docstrings and blank lines."""
    lines = text.splitlines()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        if ast.get_docstring(node, clean=False) is not None:
            docstring = node.body[0]
            for row in range(docstring.lineno, (docstring.end_lineno or docstring.lineno) + 1):
                lines[row - 1] = ""
    return "\n".join(line.rstrip() for line in lines if line.strip())


def _file_of(name: str) -> Path | None:
    """Return the file of a module of the project; none for any other."""
    if name.partition(".")[0] not in PACKAGES:
        return None
    place = PACKAGE.parent / name.replace(".", "/")
    return next((path for path in (place / "__init__.py", place.with_suffix(".py")) if path.is_file()), None)


def _imports(name: str, path: Path) -> Iterator[str]:
    """Yield the modules that a module imports, anywhere in it."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if _file_of(inner) else _defining(node.module, alias.name)


def _defining(package: str, name: str) -> str:
    """Return the module that a name comes from: where a package loads its names lazily, the one that its stub says."""
    stub = PACKAGE.parent / package.replace(".", "/") / "__init__.pyi"
    if stub.is_file():
        for node in ast.walk(ast.parse(stub.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
                return f"{package}.{node.module}"
    return package
