"""docs/dependencies.md and pyproject.toml name the same packages, in the locked versions."""

import re
import tomllib
from importlib import metadata
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCUMENT = ROOT / "docs" / "dependencies.md"

# | [name](link) | version | licence | …
_ROW = re.compile(r"^\| \[([\w-]+)\]\(https://[^)]+\) \| ([\w.!]+) \| ([^|]+) \|", re.MULTILINE)


def rows() -> dict[str, tuple[str, str]]:
    """Return package → (version, licence) as the document has them."""
    found = _ROW.findall(DOCUMENT.read_text("utf-8"))
    assert len({name for name, _, _ in found}) == len(found), "a package has two rows"
    return {name: (version, licence.strip()) for name, version, licence in found}


def required() -> set[str]:
    with (ROOT / "pyproject.toml").open("rb") as file:
        project = tomllib.load(file)
    lists = [
        project["project"]["dependencies"],
        *project["project"]["optional-dependencies"].values(),
        *project["dependency-groups"].values(),
    ]
    return {re.split(r"[\[<>=~!; ]", text)[0] for listed in lists for text in listed}


def locked() -> dict[str, str]:
    text = (ROOT / "requirements" / "dev.lock").read_text("utf-8")
    return dict(re.findall(r"^([\w.-]+)==([^\s;\\]+)", text, re.MULTILINE))


def test_every_direct_dependency_has_a_row_and_every_row_is_one() -> None:
    assert set(rows()) == required()


def test_the_versions_are_those_that_are_locked() -> None:
    pinned = locked()
    assert {name: version for name, (version, _) in rows().items()} == {
        name: pinned[name] for name in rows()
    }


def test_the_licences_are_those_that_the_packages_declare() -> None:
    wrong = {}
    for name, (_, licence) in rows().items():
        about = metadata.metadata(name)
        declared = " ".join(
            [
                *(about.get_all("License-Expression") or []),
                *(about.get_all("License") or []),
                *(text for text in about.get_all("Classifier") or [] if "License" in text),
            ]
        )
        # BSD-3-Clause is "BSD License" in a classifier; one package declares nothing but a file.
        words = re.split(r"[ -]", licence)[0]
        if declared.strip() and words.lower() not in declared.lower():
            wrong[name] = (licence, declared[:60])
    assert wrong == {}
