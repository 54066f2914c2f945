"""Join the page's scripts, which are ES modules, to one script: a page that is a file can ask for no other."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

# The only two forms, each at the beginning of its line: so plain patterns do for a parser.
IMPORT = re.compile(r'^import \{([\w$,\s]+)\} from "\./([\w-]+\.js)";$', re.MULTILINE)
EXPORT = re.compile(r"^export (?=(?:(?:async )?function|class|const) ([\w$]+)\b)", re.MULTILINE)
# Whatever else begins with one of the words, and modules that are asked for while the script runs.
OTHER_FORM = re.compile(r"^\s*(?:import|export)\b.*|\bimport\s*[(.].*", re.MULTILINE)
# Where the joined script keeps what each module exports.
EXPORTS = "exported"


class ModuleError(Exception):
    """What keeps modules from being joined."""


@dataclass(frozen=True)
class Module:
    """One file: the names that it imports, by file, those that it exports, and its `body` without either word."""

    file: str
    imports: Mapping[str, tuple[str, ...]]
    exports: tuple[str, ...]
    body: str


def joined(folder: Path, main: str = "main.js") -> str:
    """Join `main` and all that it imports from its `folder`, each behind what it imports.

    Every module keeps a scope of its own, so that two may use one name. Raises ModuleError for a file that is not
    there, a form that is not known, a name that is not exported, and modules that import each other in a circle.
    """
    modules = reached(folder, main)
    for module in modules.values():
        _check_names(module, modules)
    scopes = [_scope(modules[file]) for file in _ordered(modules)]
    return "\n".join(['"use strict";', f"const {EXPORTS} = {{}};", *scopes])


def reached(folder: Path, main: str = "main.js") -> dict[str, Module]:
    """Read `main` and all that it imports, by file. Raises ModuleError as `joined` does."""
    modules: dict[str, Module] = {}
    open_files = [main]
    while open_files:
        file = open_files.pop()
        if file not in modules:
            modules[file] = _read(folder, file)
            open_files.extend(modules[file].imports)
    return modules


def _read(folder: Path, file: str) -> Module:
    try:
        text = (folder / file).read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise ModuleError(f"{file} is imported, and is not there") from error
    return parsed(file, text)


def parsed(file: str, text: str) -> Module:
    """Take a module apart. Raises ModuleError for an import or export of another form than the two that are known."""
    imports: dict[str, tuple[str, ...]] = {}
    for names, source in IMPORT.findall(text):
        earlier = imports.get(source, ())
        imports[source] = (*earlier, *_listed(names))
    exports = tuple(EXPORT.findall(text))
    body = EXPORT.sub("", IMPORT.sub("", text))
    other = OTHER_FORM.search(body)
    if other:
        raise ModuleError(f"{file}: this form of import or export is not known: {other[0].strip()}")
    return Module(file, imports, exports, body.strip())


def _listed(names: str) -> Iterator[str]:
    """Yield the names between an import's braces, behind the last of which there may be a comma."""
    for name in names.split(","):
        if name.strip():
            yield name.strip()


def _check_names(module: Module, modules: Mapping[str, Module]) -> None:
    for source, names in module.imports.items():
        for name in names:
            if name not in modules[source].exports:
                raise ModuleError(f"{module.file} imports {name}, which {source} does not export")


def _ordered(modules: Mapping[str, Module]) -> list[str]:
    """Return the files, each behind those that it imports; the same order for the same modules."""
    imports = {file: modules[file].imports for file in sorted(modules)}
    try:
        return list(TopologicalSorter(imports).static_order())
    except CycleError as error:
        raise ModuleError(f"modules import each other in a circle: {', '.join(error.args[1])}") from error


def _scope(module: Module) -> str:
    """Return the module as a function that is called at once, and leaves behind what is exported."""
    lines = [f'{EXPORTS}["{module.file}"] = (() => {{']
    for source, names in module.imports.items():
        imported = ", ".join(names)
        lines.append(f'const {{ {imported} }} = {EXPORTS}["{source}"];')
    exported = ", ".join(module.exports)
    lines += [module.body, f"return {{ {exported} }};", "})();"]
    return "\n".join(lines)
