"""``ro-crate-metadata.json``: what a bundle's files are, as RO-Crate 1.2 asks.

RO-Crate (https://w3id.org/ro/crate/1.2) is a convention for archives of research data: one JSON-LD
file describes the archive, its files and where they come from.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, NamedTuple

from ablate.report import Report
from ablate.study.bundle.form import METADATA, REPORTS, BundleContents, kind_of

_PROFILE = "https://w3id.org/ro/crate/1.2"
# The context of RO-Crate need not know the term.
_CONTEXT = [f"{_PROFILE}/context", {"sha256": "https://schema.org/sha256"}]


class FileFacts(NamedTuple):
    """What the metadata says of a file: its size in bytes and its SHA-256."""

    size_bytes: int
    sha256: str


def crate_of(
    report: Report, contents: BundleContents, files: Mapping[str, FileFacts], published: float
) -> str:
    """The metadata as JSON.

    Args:
        report: The report in the bundle.
        contents: What the bundle says of itself.
        files: All other files, by path.
        published: Unix seconds of the last thing in the bundle that has a date.
    """
    program = {"@id": "#ablate", "@type": "SoftwareApplication", "name": "ablate"}
    packages = [
        {"@id": f"#{name}", "@type": "SoftwareApplication", "name": name, "version": version}
        for name, version in contents.packages.items()
    ]
    graph: list[dict[str, Any]] = [
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": _reference(_PROFILE),
            "about": _reference("./"),
        },
        {
            "@id": "./",
            "@type": "Dataset",
            "name": report.title,
            "description": _description(report),
            "datePublished": datetime.fromtimestamp(published, UTC).isoformat(timespec="seconds"),
            "hasPart": [_reference(name) for name in files],
            "mentions": [_reference("#report")],
            **({"citation": [_reference("#published")]} if report.published else {}),
        },
        {
            "@id": "#report",
            "@type": "CreateAction",
            "name": "Builds the report from the other files",
            "instrument": _reference("#ablate"),
            "object": [_reference(f"sweeps/{contents.sweep}.json")],
            "result": [_reference(name) for name in REPORTS.values()],
        },
        program
        | {
            "version": contents.ablate,
            "softwareRequirements": [_reference(each["@id"]) for each in packages],
        },
        *packages,
    ]
    if report.published:
        source = report.published.source
        graph.append(
            {
                "@id": "#published",
                "@type": "ScholarlyArticle",
                "name": source.paper,
                "description": f"Table {source.table}: {source.caption}",
            }
        )
    graph += [_file(name, facts) for name, facts in files.items()]
    return json.dumps({"@context": _CONTEXT, "@graph": graph}, indent=1, ensure_ascii=False) + "\n"


def _description(report: Report) -> str:
    made = f"The runs of sweep {report.sweep}, their raw counts of pixels by image, and its report."
    return f"{made} {report.watermark}" if report.watermark else made


def _file(name: str, facts: FileFacts) -> dict[str, Any]:
    kind = kind_of(name)
    assert kind is not None
    return {
        "@id": name,
        "@type": "File",
        "name": name.rpartition("/")[2],
        "description": kind.description,
        "encodingFormat": kind.media_type,
        "contentSize": str(facts.size_bytes),
        "sha256": facts.sha256,
    }


def _reference(name: str) -> dict[str, str]:
    return {"@id": name}


def digests_of(metadata: Any) -> dict[str, str]:
    """The SHA-256 of every file that a parsed metadata file describes, by path.

    What is no such description is passed over: a user may add to the metadata.
    """
    graph = metadata.get("@graph") if isinstance(metadata, dict) else None
    entries = [each for each in graph if isinstance(each, dict)] if isinstance(graph, list) else []
    return {
        each["@id"]: each["sha256"]
        for each in entries
        if each.get("@type") == "File"
        and isinstance(each.get("@id"), str)
        and isinstance(each.get("sha256"), str)
    }
