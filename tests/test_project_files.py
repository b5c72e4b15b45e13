"""What other programs read of the repository can be read, and says the same everywhere."""

from __future__ import annotations

import re
import sys

import pytest
import yaml

from cedtag import __version__
from tests.pages import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # pytest brings it

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
WORKFLOW = ROOT / ".github" / "workflows" / "ci.yml"
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))


def load(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def oldest() -> dict[str, str]:
    """The lowest version that pyproject.toml allows of each package that cedtag or one of its extras needs."""
    extras = PROJECT["project"]["optional-dependencies"]
    needed = [*PROJECT["project"]["dependencies"], *(line for name in extras if name != "dev" for line in extras[name])]
    bounds = (re.match(r"([\w-]+)(?:\[\w+\])?>=([\d.]+)", requirement) for requirement in needed)
    return {bound[1]: bound[2] for bound in bounds if bound}


def test_the_oldest_versions_that_are_tested_are_those_that_are_allowed():
    tested = load(WORKFLOW)["jobs"]["oldest"]["env"]["OLDEST"].split()
    assert dict(pin.split("==") for pin in tested) == oldest()


def test_every_python_from_the_oldest_on_is_tested():
    pythons = load(WORKFLOW)["jobs"]["test"]["strategy"]["matrix"]["python"]
    assert f">={pythons[0]}" == PROJECT["project"]["requires-python"]
    assert load(WORKFLOW)["jobs"]["oldest"]["steps"][1]["with"]["python-version"] == pythons[0]


def test_the_workflow_runs_the_checks_of_the_readme():
    (command,) = re.findall(r"^pip install -e .* && pytest$", (ROOT / "README.md").read_text(encoding="utf-8"), re.M)
    run = [step.get("run") for job in load(WORKFLOW)["jobs"].values() for step in job["steps"]]
    assert set(command.split(" && ")) <= set(run)


def test_the_hooks_before_a_commit_are_the_checks_without_the_tests():
    (hooks,) = (repository["hooks"] for repository in load(ROOT / ".pre-commit-config.yaml")["repos"])
    assert [(hook["entry"], hook["language"]) for hook in hooks] == [
        ("ruff format", "system"),
        ("ruff check", "system"),
        ("mypy", "system"),
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.stem)
def test_issue_forms_have_what_they_need(form):
    parsed = load(form)
    assert {"name", "description", "body"} <= parsed.keys()
    ids = [field["id"] for field in parsed["body"]]
    assert len(ids) == len(set(ids))
    assert all(field["attributes"]["label"] for field in parsed["body"])


def test_a_bug_report_asks_for_the_output_of_doctor():
    (form,) = (form for form in FORMS if form.stem == "bug_report")
    (field,) = (field for field in load(form)["body"] if field["id"] == "doctor")
    assert "cedtag doctor" in field["attributes"]["label"]
    assert field["validations"]["required"]


def test_the_citation_is_of_this_version_and_names_the_paper():
    citation = load(ROOT / "CITATION.cff")
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert citation["cff-version"] == "1.2.0"
    assert (citation["title"], str(citation["version"])) == ("cedtag", __version__)
    assert citation["license"] == PROJECT["project"]["license"]
    (paper,) = citation["references"]
    assert [author["family-names"] for author in paper["authors"]] == ["Dinkel", "Wang", "Yan", "Zhang", "Wang"]
    assert paper["url"].endswith("2308.11957")
