"""The layers of the package, as a table, and what checks a source tree against it.

Apart from `test_layering.py` so that the checks can also run on small wrong trees, and fail.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = "otel_flight"

LAYERS: Final[tuple[tuple[str, ...], ...]] = (
    ("_version", "errors", "ground"),
    ("settings",),
    ("names", "words"),
    ("records",),
    ("interpreter",),
    ("redaction",),
    ("ring",),
    ("recording",),
    ("sources",),
    ("triggers",),
    ("incidents",),
    ("assembly",),
    ("environment_variables",),
    ("delivery",),
    ("report",),
    ("notification",),
    ("worker",),
    ("agent",),
    ("running",),
    ("recorder", "flight_processor"),
    ("installation",),
    ("auto_instrumentation",),
    ("cli",),
    ("testing",),
    ("",),  # otel_flight/__init__.py, which only re-exports
)
"""What is directly under the root, lowest layer first; within a layer, imports make no circle."""

BESIDE: Final[tuple[tuple[str, ...], ...]] = (
    ("sources", "triggers"),
    ("delivery", "report"),
    ("auto_instrumentation", "cli", "testing"),
)
"""Layers of the same height: none may import another of its row."""

LATE: Final[Mapping[str, frozenset[str]]] = {
    "": frozenset(
        {
            "assembly",
            "incidents.incident",
            "incidents.manifest",
            "incidents.window",
            "running.statistics",
        }
    ),
    "installation": frozenset({"assembly"}),
    "recorder": frozenset({"assembly", "incidents.incident", "running.run", "running.statistics"}),
    "running.factory": frozenset(
        {
            "assembly",
            "incidents.flight_file",
            "incidents.incident",
            "running.run",
            "running.self_metrics",
            "running.statistics",
        }
    ),
    "running.runs": frozenset({"running.run", "running.statistics"}),
}
"""What these modules may import when it is needed, and for types: a process that makes no span
starts without what records."""

LIVE: Final = (
    "running",
    "recorder",
    "flight_processor",
    "installation",
    "auto_instrumentation",
    "testing",
)
"""What needs a running recorder, and so must not be needed to read what a dead process left."""

READERS: Final = ("cli", "report")

CONCRETE: Final[Mapping[str, frozenset[str]]] = {
    "sources": frozenset({"base"}),
    "triggers": frozenset({"base"}),
    "incidents.findings": frozenset({"rule", "rulebook"}),
    "cli.commands": frozenset(),
}
"""Folders of concrete things that do not know each other, with the bases that all of them have."""

SHARED_BELOW: Final = frozenset({"sources", "triggers"})
"""Of these, the ones whose sub-folders hold what the concrete things share; in the sub-folders of
the others there are more concrete things."""

NAMED_BY_ASSEMBLY_ONLY: Final = ("sources", "triggers", "incidents.findings")

SAYS_NOTHING: Final = frozenset({"common", "helpers", "manager", "misc", "utils"})
"""Names of files and folders that do not say which idea is inside."""

MOST_LINES: Final = 300


@dataclass(frozen=True)
class Import:
    """One import of the package by itself."""

    line: int
    target: str
    """The module below the root, such as `recording.records`; the root itself is empty."""
    is_nested: bool
    """Whether it stands inside a function."""


@dataclass(frozen=True)
class Module:
    """One source file of the package."""

    name: str
    """Below the root, such as `recording.records`; a package has the name of its folder."""
    is_package: bool
    lines: int
    imports: tuple[Import, ...]
    escapes: tuple[str, ...]
    """Ways around the rules: relative and dynamic imports, TYPE_CHECKING."""

    @property
    def top(self) -> str:
        """The module or package directly under the root that this one is in."""
        return self.name.partition(".")[0]


def read_modules(root: Path) -> dict[str, Module]:
    """Read every source file below `root`, the folder of the package, by its name."""
    paths = {_name_of(path, root): path for path in sorted(root.rglob("*.py"))}
    return {name: _read(name, path, frozenset(paths)) for name, path in paths.items()}


def violations(modules: Mapping[str, Module]) -> list[str]:
    """Check everything; the result has one sentence for each violation, none when all is well."""
    found = [
        sentence
        for module in modules.values()
        for check in (_check_file, _check_imports)
        for sentence in check(module)
    ]
    return found + list(_check_cycles(modules))


def _name_of(path: Path, root: Path) -> str:
    parts = path.relative_to(root).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _read(name: str, path: Path, known: frozenset[str]) -> Module:
    source = path.read_text(encoding="utf-8")
    tree = ast.parse(source, str(path))
    return Module(
        name=name,
        is_package=path.name == "__init__.py",
        lines=len(source.splitlines()),
        imports=tuple(_imports_of(tree, known, is_nested=False)),
        escapes=tuple(_escapes_of(tree)),
    )


def _imports_of(node: ast.AST, known: frozenset[str], *, is_nested: bool) -> Iterator[Import]:
    for child in ast.iter_child_nodes(node):
        for target in _targets_of(child, known):
            yield Import(getattr(child, "lineno", 0), target, is_nested)
        is_function = isinstance(child, (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda))
        yield from _imports_of(child, known, is_nested=is_nested or is_function)


def _targets_of(node: ast.AST, known: frozenset[str]) -> Iterator[str]:
    """Yield the modules that a statement imports: of `from package import module`, the module."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        parent = node.module or ""
        inner = parent.removeprefix(ROOT).lstrip(".")
        names = [
            f"{parent}.{alias.name}" if f"{inner}.{alias.name}".lstrip(".") in known else parent
            for alias in node.names
        ]
    else:
        return
    for name in dict.fromkeys(names):
        if name == ROOT or name.startswith(f"{ROOT}."):
            yield name.removeprefix(ROOT).lstrip(".")


def _escapes_of(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield f"line {node.lineno} imports relatively"
        elif (isinstance(node, ast.alias) and node.name == "TYPE_CHECKING") or (
            isinstance(node, ast.Attribute) and node.attr == "TYPE_CHECKING"
        ):
            yield f"line {node.lineno} uses TYPE_CHECKING"
        elif isinstance(node, ast.Call) and _is_dynamic_import(node):
            yield f"line {node.lineno} imports dynamically"


def _is_dynamic_import(call: ast.Call) -> bool:
    name = getattr(call.func, "attr", getattr(call.func, "id", None))
    argument = call.args[0] if call.args else None
    return (
        name in {"import_module", "__import__"}
        and isinstance(argument, ast.Constant)
        and str(argument.value).split(".")[0] == ROOT
    )


def _height_of(top: str) -> int | None:
    for height, layer in enumerate(LAYERS):
        if top in layer:
            return height
    return None


def _check_file(module: Module) -> Iterator[str]:
    if _height_of(module.top) is None:
        yield f"{module.name} is in no layer: add it to LAYERS"
    if module.lines > MOST_LINES:
        yield f"{module.name} has {module.lines} lines, more than {MOST_LINES}"
    for part in module.name.split("."):
        if not SAYS_NOTHING.isdisjoint(part.split("_")):
            yield f"{module.name}: the name {part} does not say what is inside"
    for escape in module.escapes:
        if escape.endswith("TYPE_CHECKING") and module.name in LATE:
            continue
        yield f"{module.name}: {escape}"


def _check_imports(module: Module) -> Iterator[str]:
    for each in module.imports:
        where = f"{module.name or ROOT} line {each.line}"
        if each.is_nested and each.target not in LATE.get(module.name, ()):
            yield f"{where} imports {each.target or ROOT} inside a function"
        complaints = (rule(module, each.target) for rule in _RULES)
        if complaint := next(filter(None, complaints), None):
            yield f"{where} imports {each.target or ROOT}: {complaint}"


def _is_own_package(module: Module, target: str) -> str | None:
    is_runner = module.name.endswith("__main__")
    is_inside = module.name != target and (target == "" or module.name.startswith(f"{target}."))
    return "a package's own modules do not import it" if is_inside and not is_runner else None


def _is_upwards(module: Module, target: str) -> str | None:
    top = target.partition(".")[0]
    own, other = _height_of(module.top), _height_of(top)
    if own is None or other is None or module.top == top:
        return None
    if other > own:
        return "it is in a higher layer"
    if any(module.top in row and top in row for row in BESIDE):
        return "it is in the layer beside"
    return None


def _is_sideways(module: Module, target: str) -> str | None:
    for folder in CONCRETE:
        own, other = _concrete_within(folder, module.name), _concrete_within(folder, target)
        if own and other and other != own:
            return f"what stands alone in {folder} does not know its neighbours"
        if other and not own and module.name.startswith(f"{folder}."):
            return f"what is shared in {folder} does not know who shares it"
    return None


def _concrete_within(folder: str, name: str) -> str:
    """Return the name of the concrete thing that a module is part of; empty if of none."""
    inner = name.removeprefix(f"{folder}.")
    if inner == name or inner in CONCRETE[folder]:
        return ""
    if folder in SHARED_BELOW:
        return "" if "." in inner else inner
    # A command may be a folder of its own; a finding is a file in the folder of its kind.
    return inner if folder == "incidents.findings" else inner.partition(".")[0]


def _is_live(module: Module, target: str) -> str | None:
    if module.top in READERS and target.partition(".")[0] in LIVE:
        return "reading what a dead process left needs nothing live"
    return None


def _is_concrete(module: Module, target: str) -> str | None:
    for folder in NAMED_BY_ASSEMBLY_ONLY:
        is_neighbour = module.name.startswith(f"{folder}.")
        if _concrete_within(folder, target) and not is_neighbour:
            return None if module.top == "assembly" else "only the assembly names it"
    return None


_RULES: Final = (_is_own_package, _is_upwards, _is_sideways, _is_live, _is_concrete)
"""Each says what is wrong with an import, or None; the first complaint is the one reported."""


def _check_cycles(modules: Mapping[str, Module]) -> Iterator[str]:
    """Take away what is below every circle, then what is above them all; the rest is circles."""
    left = {
        name: {each.target for each in module.imports if each.target in modules} - {name}
        for name, module in modules.items()
    }
    while free := [name for name, targets in left.items() if not targets & left.keys()]:
        for name in free:
            del left[name]
    while above := [name for name in left if not any(name in other for other in left.values())]:
        for name in above:
            del left[name]
    if left:
        yield f"these import each other in a circle: {', '.join(sorted(left))}"
