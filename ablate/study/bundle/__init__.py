"""A sweep in one archive: everything that its numbers can be recomputed from, and its report.

``write_bundle`` copies what the sweep's runs have left into a folder, builds the report from that
copy alone, describes every file as RO-Crate asks, and packs the folder. ``verify_bundle`` unpacks
an archive as what it may be, hostile, compares every file with its digest, recomputes every
number, builds the report anew and compares it with the one inside.
"""

from ablate.study.bundle.checking import verify_bundle
from ablate.study.bundle.writing import write_bundle

__all__ = ["verify_bundle", "write_bundle"]
