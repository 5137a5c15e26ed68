"""What the documents say is so: links, functions, tests, commands, keys and modules exist."""

import re
import shlex
import sys
import tomllib
from pathlib import Path

import pytest
import typer

from femli.__main__ import app
from femli.case import load

TOP = Path(__file__).parents[1]
README = TOP / "README.md"
PAGES = sorted(
    page for folder in ("", "docs/", "meshes/", "docker/", "benchmarks/") for page in TOP.glob(f"{folder}*.md")
)
ROOMS = sorted(path.name for path in (TOP / "femli").glob("*.py"))
LINK = re.compile(r"!?\[[^\]]*\]\(([^)\s]+)\)")


def _words(page: Path) -> str:
    """The text of a page without its blocks of code."""
    return re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def _blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


def _anchor(heading: str) -> str:
    """The anchor that GitHub gives a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(TOP)))
def test_links_lead_somewhere(page):
    # Exact: each relative link is a file of the project, each anchor a heading of it.
    broken = []
    for link in LINK.findall(_words(page)):
        if link.startswith(("http://", "https://", "mailto:")):
            continue
        file, _, anchor = link.partition("#")
        target = (page.parent / file).resolve() if file else page
        headings = (
            re.findall(r"^#+ (.*)$", _words(target), flags=re.MULTILINE) if target.suffix == ".md" and anchor else []
        )
        if not target.exists() or (anchor and anchor not in map(_anchor, headings)):
            broken.append(link)
    assert not broken


def _table() -> list[list[str]]:
    """Rows of the table of equations: cells of functions and tests."""
    section = README.read_text(encoding="utf-8").split("## Equation, function, test")[1].split("\n## ")[0]
    rows = [line.strip("|").split(" | ") for line in section.splitlines() if line.startswith("| ")][1:]
    return [[cell.strip() for cell in row] for row in rows]


def test_functions_and_tests_of_the_table_exist():
    # Exact: `room.name` is defined at the top of femli/room.py, `file.py::test` in tests/file.py.
    rows = _table()
    assert len(rows) >= 10 and all(len(row) == 3 for row in rows)
    missing = []
    for _, functions, tests in rows:
        for room, name in (text.split(".") for text in re.findall(r"`([^`]+)`", functions)):
            source = (TOP / "femli" / f"{room}.py").read_text(encoding="utf-8")
            if not re.search(rf"^(def|class) {name}\b", source, flags=re.MULTILINE):
                missing.append(f"{room}.{name}")
        for file, name in (text.split("::") for text in re.findall(r"`([^`]+)`", tests)):
            path = TOP / "tests" / file
            if not path.is_file() or f"def {name}(" not in path.read_text(encoding="utf-8"):
                missing.append(f"{file}::{name}")
    assert not missing


def test_module_map_is_complete():
    # Exact: every file of femli/ has its place in the map, and the map names no other.
    section = README.read_text(encoding="utf-8").split("## Module map")[1].split("\n## ")[0]
    named = re.findall(r"`(\w+\.py)`", "\n".join(line.split("|")[1] for line in section.splitlines() if "|" in line))
    assert sorted(named) == ROOMS


def _commands() -> list[str]:
    """Each `femli ...` line in the pages' shell blocks, without comment and mpiexec."""
    lines = [
        line for page in PAGES for block in _blocks(page, "sh") for line in block.replace("\\\n", " ").splitlines()
    ]
    starts = r"^(exec )?(\S*mpiexec -n \d+ |srun --mpi=pmi2 )?"
    bare = [re.sub(starts, "", line.split(" #")[0].strip()) for line in lines]
    return sorted({re.sub(r"^\S*bin/femli", "femli", line) for line in bare if re.match(r"(\S*bin/)?femli ", line)})


def test_commands_are_there():
    assert len(_commands()) >= 8


@pytest.mark.parametrize("command", _commands())
def test_commands_parse(command):
    # Exact: the command line takes it, and the case files that it names load with its overrides.
    words = [word for word in shlex.split(command)[1:] if not word.startswith("$")]  # variables of a script
    group = typer.main.get_command(app)
    context = group.make_context("femli", list(words), resilient_parsing=False)
    sub = group.get_command(context, words[0])
    assert sub is not None
    parsed = sub.make_context(words[0], words[1:], parent=context).params
    if parsed.get("case_file") is not None and str(parsed["case_file"]).startswith("cases"):
        load(TOP / parsed["case_file"], parsed["overrides"] or ())


@pytest.mark.parametrize("page", [page for page in PAGES if _blocks(page, "toml")], ids=lambda page: page.name)
def test_cases_in_the_text_load(page, tmp_path):
    # Exact: what is printed as a whole case is one; a single section is valid TOML at least.
    for block in _blocks(page, "toml"):
        data = tomllib.loads(block)
        if {"geometry", "load"} <= set(data):
            (tmp_path / "case.toml").write_text(block, encoding="utf-8")
            load(tmp_path / "case.toml")


def test_case_file_page_has_every_key(monkeypatch):
    # Exact: the tables are what the model that reads case files says of itself.
    monkeypatch.syspath_prepend(str(TOP / "docs"))
    import case_file_tables

    text = case_file_tables.PAGE.read_text(encoding="utf-8")
    shown = text.split(case_file_tables.BEGIN)[1].split(case_file_tables.END)[0]
    assert shown == case_file_tables.tables(), "run docs/case_file_tables.py"
    sys.modules.pop("case_file_tables", None)


def test_columns_and_arrays_are_described():
    # Exact: every column of the tables and every array of the fields is named on their pages, unit included.
    pages = ("results.md", "void-statistics.md")
    page = "".join((TOP / "docs" / name).read_text(encoding="utf-8") for name in pages)
    source = "".join(path.read_text(encoding="utf-8") for path in (TOP / "femli").glob("outputs*.py"))
    names = set(re.findall(r'"([a-z_]+ \[[^\]]+\])"', source))
    assert len(names) > 20
    assert not [name for name in names if f"`{name}`" not in page]
