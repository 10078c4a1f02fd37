"""The layers of the house: imports go down only, heavy packages are imported when used, `eval` nowhere."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

LAYERS = [
    ["errors", "concurrency", "messages", "evaluate/intervals", "evaluate/table"],
    ["files", "loggers", "run/program", "step"],
    ["settings", "tasks", "web"],
    ["requests", "tree", "train/stages"],
    ["answer", "cost", "engine", "interpreter"],
    ["values", "formats", "judge", "evaluate/grading", "run/nodes"],
    ["search", "verifiers"],
    ["methods", "scheduler"],
    ["common"],
    ["config", "run/record"],
    ["services", "monitor", "run/dataset", "run/description", "run/offline", "evaluate/lines"],
    ["solver", "run/results", "evaluate/accuracy", "evaluate/trials"],
    ["run/progress", "view/parts", "view/assemble", "view/turns"],
    ["run/run", "run/merge", "evaluate/budgets", "evaluate/comparison", "evaluate/report"],
    ["serve"],
    ["evaluate/experiments", "evaluate/plots", "train/slices"],
    ["train/config"],
    ["train/examples", "train/plan", "train/processes"],
    ["train/resume"],
    ["train/collect", "train/data", "train/feedback"],
    ["train/analysis", "train/model", "train/packing"],
    ["train/export", "train/plots", "train/trainer"],
    ["train/learners", "train/summary", "train/training"],
    ["train/tuning", "train/probe"],
    ["train/rounds", "train/__main__"],
    ["view/questions"],
    ["view/summary"],
    ["view/build"],
    ["view/follow"],
    ["view/serve"],
    ["view/program"],
    ["run/cli"],
]
ROOMS = ("evaluate", "run", "train", "view")
"""Packages whose modules stand on several levels."""
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names}
HEAVY = {"torch", "transformers", "vllm", "accelerate", "peft"}
# Modules of train that are built on torch.
LEARNING = {
    f"train/{name}"
    for name in (
        "data", "packing", "model", "export", "trainer", "training", "resume", "learners", "processes",
        "tuning", "probe",
    )
}  # fmt: skip
# Modules of the engines that are read before one is loaded.
LIGHT = ("arguments.py", "checkpoint.py", "load.py", "spec.py", "table.py", "__init__.py")
SANDBOXED = ("interpreter/worker", "judge/worker")


def package_files(repo: Path) -> list[Path]:
    return sorted((repo / "mcts_math").rglob("*.py"))


def imports(tree: ast.AST) -> Iterator[tuple[str, bool]]:
    """(module, at module level) of every import."""
    top = set(map(id, ast.iter_child_nodes(tree)))
    for node in ast.walk(tree):
        names = [a.name for a in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            in_room = node.module in {f"mcts_math.{room}" for room in ROOMS}  # whose names are modules
            names = [f"{node.module}.{a.name}" for a in node.names] if in_room else [node.module]
        for name in names:
            yield name, id(node) in top


def part(path: Path, repo: Path) -> str:
    """Name of the layer's member: a module, a package, or a module of a room that spans several layers."""
    return member(path.relative_to(repo / "mcts_math").with_suffix("").parts)


def member(parts: tuple[str, ...]) -> str:
    return "/".join(parts[:2]) if parts[0] in ROOMS and parts[1:] not in ((), ("__init__",)) else parts[0]


def test_every_module_has_a_layer(repo: Path) -> None:
    parts = {part(path, repo) for path in package_files(repo)} - {"__init__", *ROOMS}
    assert parts == set(LEVEL)


def test_imports_go_down_only(repo: Path) -> None:
    wrong = []
    for path in package_files(repo):
        own = part(path, repo)
        for module, _ in imports(ast.parse(path.read_text())):
            if module.startswith("mcts_math.") and own not in ("__init__", *ROOMS):
                other = member(tuple(module.split(".")[1:]))
                if other != own and LEVEL[other] >= LEVEL[own]:
                    wrong.append(f"{path}: imports {module}")
    assert wrong == []


def test_heavy_packages_are_imported_in_engines_only(repo: Path) -> None:
    for path in package_files(repo):
        for module, at_top in imports(ast.parse(path.read_text())):
            if module.split(".")[0] in HEAVY:
                assert part(path, repo) in {"engine", "values"} | LEARNING or (
                    part(path, repo) == "train/slices" and not at_top
                ), path
                assert not at_top or path.name not in LIGHT, path


@pytest.mark.parametrize(
    "program",
    [
        "eval_output_jsonl",
        "offline_inference",
        "solver_demo",
        "mcts_math.solver",
        "mcts_math.train.collect",
        "mcts_math.engine.serve",
    ],
)
def test_programs_start_without_torch_and_sympy(repo: Path, program: str) -> None:
    """Import time, counted in modules rather than seconds."""
    code = f"import sys, {program}; print(sorted({HEAVY | {'sympy'}!r} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], cwd=repo, capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_nothing_is_evaluated_outside_the_sandbox(repo: Path) -> None:
    for path in package_files(repo):
        if any(folder in str(path) for folder in SANDBOXED):
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                assert node.func.id not in ("eval", "exec", "compile", "__import__"), f"{path}:{node.lineno}"
            if isinstance(node, (ast.Import, ast.ImportFrom)):
                names = [a.name for a in node.names]
                assert "parse_expr" not in names, f"{path}:{node.lineno}"
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
                called = ast.unparse(node.func)
                assert called not in ("pickle.load", "pickle.loads", "torch.compile"), f"{path}:{node.lineno}"
                if called == "torch.load":
                    assert "weights_only=True" in ast.unparse(node), f"{path}:{node.lineno}"


def test_asyncio_and_processes_stay_in_their_places(repo: Path) -> None:
    allowed = {
        "asyncio": {
            "concurrency",
            "scheduler",
            "engine",
            "values",
            "interpreter",
            "answer",
            "judge",
            "services",
            "solver",
            "run/run",
            "run/progress",
            "serve",
            "train/slices",
            "web",
        },
        "subprocess": {"interpreter", "answer", "train/rounds"},
        "signal": {"interpreter", "answer", "judge", "run/program"},
    }
    for path in package_files(repo):
        for module, _ in imports(ast.parse(path.read_text())):
            if module in allowed:
                assert part(path, repo) in allowed[module], f"{path} imports {module}"


def test_search_is_pure(repo: Path) -> None:
    """A search may not read a clock, a file or the network, nor draw unseeded numbers."""
    for path in (repo / "mcts_math" / "search").glob("*.py"):
        modules = {module.split(".")[0] for module, _ in imports(ast.parse(path.read_text()))}
        assert modules <= {
            "__future__",
            "collections",
            "dataclasses",
            "hashlib",
            "math",
            "mcts_math",
            "pydantic",  # options are models of settings
            "random",
            "re",
            "typing",
        }
