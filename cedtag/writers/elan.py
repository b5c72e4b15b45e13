"""ELAN's EAF: a tier for each class that occurs, and the recording as linked media."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cedtag.records import SAMPLES_PER_MS, TimedSource
from cedtag.writers import storable
from cedtag.writers.media import media_type, media_url
from cedtag.writers.segments import percent_escaped, whole
from cedtag.writers.tiers import Tiers, TierWriter, tiled

if TYPE_CHECKING:
    from cedtag.records import FileEnd

_SCHEMA = "http://www.mpi.nl/tools/elan/EAFv3.0.xsd"
_INSTANCE = "http://www.w3.org/2001/XMLSchema-instance"
_TYPE = "default-lt"
_NOT_KNOWN = "1970-01-01T00:00:00+00:00"  # EAF wants a date; that of today would make every run another file
_NO_XML = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]|%(?=[0-9A-F]{2})")  # and what could be taken for its escape


class ElanWriter(TierWriter):
    """The text of an annotation is the score; those of a tier end where a later one begins."""

    def document(self, tiers: Tiers, end: FileEnd) -> bytes:
        """The file in UTF-8."""
        root = _document(tiers, end)
        ElementTree.indent(root)
        text: bytes = ElementTree.tostring(root, "UTF-8", xml_declaration=True)
        return text + b"\n"


def _document(tiers: Tiers, end: FileEnd) -> ElementTree.Element:
    source = end.source
    date = source.began if isinstance(source, TimedSource) else _NOT_KNOWN
    root = ElementTree.Element(
        "ANNOTATION_DOCUMENT",
        {
            "AUTHOR": "",
            "DATE": date,
            "FORMAT": "3.0",
            "VERSION": "3.0",
            f"{{{_INSTANCE}}}noNamespaceSchemaLocation": _SCHEMA,
        },
    )
    header = ElementTree.SubElement(root, "HEADER", MEDIA_FILE="", TIME_UNITS="milliseconds")
    address = media_url(source.name)
    media = {"MEDIA_URL": address, "MIME_TYPE": media_type(source.name)}
    if address.startswith("."):
        media["RELATIVE_MEDIA_URL"] = address
    ElementTree.SubElement(header, "MEDIA_DESCRIPTOR", media)
    order = ElementTree.SubElement(root, "TIME_ORDER")
    for label, found in tiers.items():
        _add_tier(root, order, label, list(tiled(found, whole(end.num_samples))))
    ElementTree.SubElement(
        root, "LINGUISTIC_TYPE", GRAPHIC_REFERENCES="false", LINGUISTIC_TYPE_ID=_TYPE, TIME_ALIGNABLE="true"
    )
    return root


def _add_tier(
    root: ElementTree.Element, order: ElementTree.Element, label: str, intervals: list[tuple[int, int, str]]
) -> None:
    tier = ElementTree.SubElement(
        root, "TIER", LINGUISTIC_TYPE_REF=_TYPE, TIER_ID=percent_escaped(_NO_XML, storable(label))
    )
    for start, stop, text in intervals:
        if not text:
            continue
        slots = [_slot(order, start), _slot(order, stop)]
        annotation = ElementTree.SubElement(tier, "ANNOTATION")
        number = len(order) // 2
        aligned = ElementTree.SubElement(
            annotation,
            "ALIGNABLE_ANNOTATION",
            ANNOTATION_ID=f"a{number}",
            TIME_SLOT_REF1=slots[0],
            TIME_SLOT_REF2=slots[1],
        )
        ElementTree.SubElement(aligned, "ANNOTATION_VALUE").text = text


def _slot(order: ElementTree.Element, sample: int) -> str:
    """The name of a new time slot."""
    name = f"ts{len(order) + 1}"
    ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=name, TIME_VALUE=str(sample // SAMPLES_PER_MS))
    return name
