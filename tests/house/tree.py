"""The files of this repository, as the house rules see them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("harness", "scenarios", "fake_provider", "targets", "results")
TEXT_ENDINGS = {
    ".py",
    ".md",
    ".toml",
    ".sql",
    ".json",
    ".html",
    ".css",
    ".js",
    ".yml",
    ".yaml",
    ".txt",
    ".lock",
    "",
}


def python_files(*folders: str) -> list[Path]:
    """The Python files of these top-level folders (all packages when none is named), sorted."""
    return sorted(
        path
        for folder in folders or PACKAGES
        for path in (ROOT / folder).rglob("*.py")
        if "node_modules" not in path.parts
    )


def text_files() -> list[Path]:
    """Every file that is shipped or read: the packages, the tests and what lies at the top."""
    inside = [
        path
        for folder in (*PACKAGES, "tests", "bench", ".ci")
        for path in (ROOT / folder).rglob("*")
        if "__pycache__" not in path.parts and "node_modules" not in path.parts
    ]
    return sorted(
        path for path in [*ROOT.glob("*"), *inside] if path.is_file() and path.suffix in TEXT_ENDINGS
    )
