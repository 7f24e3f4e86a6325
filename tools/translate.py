"""Brings the catalogues of translations up to date with the phrases, and compiles them.

The translations are in `locale/<language>/LC_MESSAGES/<package>.po` of each package: write those that `make words` says
are missing, and run it again. The compiled `.mo` lies beside it and is what the package reads.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path
from string import Formatter

from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_file
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from sg_common.words.languages import LANGUAGES, SOURCE
from sg_common.words.phrases import CATALOGUES

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = sorted(path for path in ROOT.glob("*/*/src/*") if list(path.glob("words*")))
# Where the texts are among the arguments: `reason` and `counted` have a code first.
KEYWORDS = {"reason": (2,), "counted": (2, 3), "said": None}
OURS = "Silver Guardian"


def template(package: Path) -> Catalog:
    """Every phrase of a package, in order."""
    catalogue = Catalog()
    for module in sorted([*package.glob("words.py"), *package.glob("words/*.py")]):
        for _, message, _, _ in extract_from_file("python", module, keywords=KEYWORDS):
            catalogue.add(message)
    return catalogue


def updated(source: Path, language: str, phrases: Catalog) -> Catalog:
    """The catalogue there with these phrases, no others, and the translations that it has of them."""
    catalogue = Catalog(
        locale=language,
        header_comment="",
        project=OURS,
        version="1",
        msgid_bugs_address=OURS,
        last_translator=OURS,
        language_team=OURS,
        fuzzy=False,
    )
    if source.exists():
        with source.open("rb") as file:
            catalogue = read_po(file, locale=language)
    made = catalogue.creation_date
    catalogue.update(phrases, no_fuzzy_matching=True)
    catalogue.obsolete.clear()
    catalogue.creation_date = catalogue.revision_date = made
    return catalogue


def gaps(text: str) -> set[str]:
    """The names of what a phrase leaves open."""
    return {name for _, name, _, _ in Formatter().parse(text) if name is not None}


def fault(message: Message) -> str | None:
    """What is wrong with a translation."""
    texts, said = ([text] if isinstance(text, str) else list(text) for text in (message.id, message.string or ""))
    if message.fuzzy or not all(said):
        return "is not translated"
    wanted = set().union(*map(gaps, texts))
    return None if all(gaps(text) == wanted for text in said) else "has other gaps"


def main() -> int:
    """Write the catalogues, or with `--check` compare them; 1 where something is to be done."""
    check, faults = "--check" in sys.argv[1:], 0
    for package in PACKAGES:
        for language in LANGUAGES:
            if language == SOURCE:
                continue
            source = package / CATALOGUES / language / "LC_MESSAGES" / f"{package.name}.po"
            catalogue = updated(source, language, template(package))
            text, compiled = io.BytesIO(), io.BytesIO()
            write_po(text, catalogue, width=120, no_location=True)
            write_mo(compiled, catalogue)
            for path, content in ((source, text.getvalue()), (source.with_suffix(".mo"), compiled.getvalue())):
                if not check:
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(content)
                elif not path.exists() or path.read_bytes() != content:
                    print(f"{path.relative_to(ROOT)} is out of date: run `make words`", file=sys.stderr)
                    faults += 1
            for message in catalogue:
                if message.id and (wrong := fault(message)):
                    print(f"{source.relative_to(ROOT)}: {message.id} {wrong}", file=sys.stderr)
                    faults += 1
    return min(faults, 1)


if __name__ == "__main__":
    raise SystemExit(main())
