"""XML for files nobody vouches for: no document type, no entities, bounded size, depth and number of elements."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NoReturn
from xml.parsers import expat

from bank_sdk.errors import FileMalformed, UnsupportedElement
from bank_sdk.models.importers.source import RawFile, finite

MAX_ELEMENTS: Final = 100_000
MAX_DEPTH: Final = 64
MAX_ATTRIBUTES: Final = 64


@dataclass(slots=True)
class Element:
    """`place` is its XPath; names are without namespaces; text is the element's own. Printing shows no content."""

    tag: str
    attributes: Mapping[str, str] = field(repr=False)
    place: str
    children: list["Element"] = field(default_factory=list, repr=False)
    text: str = field(default="", repr=False)
    counts: dict[str, int] = field(default_factory=dict, repr=False)

    def all(self, *tags: str) -> Iterator["Element"]:
        return (child for child in self.children if child.tag in tags)

    def first(self, *tags: str) -> "Element | None":
        return next(self.all(*tags), None)

    def one(self, *tags: str) -> "Element":
        found = self.first(*tags)
        if found is None:
            self.malformed(f"has no {' or '.join(tags)}")
        return found

    def get(self, name: str, default: str = "") -> str:
        return self.attributes.get(name, default)

    def need(self, name: str) -> str:
        if name not in self.attributes:
            self.malformed(f"has no attribute {name}")
        return self.attributes[name]

    def number(self, name: str, default: float | None = None) -> float:
        """Finite."""
        if default is not None and name not in self.attributes:
            return default
        return finite(self.need(name), f"{self.place}/@{name}")

    def malformed(self, message: str) -> NoReturn:
        raise FileMalformed(message, place=self.place)

    def unsupported(self, message: str, mend: str) -> NoReturn:
        raise UnsupportedElement(message, place=self.place, mend=mend)


def parse_xml(file: RawFile) -> Element:
    """The root. Raises `FileMalformed`."""
    builder = _Builder(file.name)
    try:
        builder.parser.Parse(file.raw, True)
    except expat.ExpatError as error:
        raise FileMalformed(f"not XML: {error}", place=file.name) from error
    except (LookupError, ValueError) as error:
        raise FileMalformed("not XML in an encoding that is read", place=file.name) from error
    if builder.root is None:
        raise FileMalformed("not XML: no element", place=file.name)
    return builder.root


class _Builder:
    def __init__(self, name: str) -> None:
        self.name = name
        self.root: Element | None = None
        self.open: list[Element] = []
        self.count = 0
        self.parser = expat.ParserCreate(namespace_separator=" ")
        self.parser.buffer_text = True
        self.parser.StartDoctypeDeclHandler = self._doctype
        self.parser.EntityDeclHandler = self._entity
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text

    def _doctype(self, *_: object) -> None:
        raise FileMalformed(
            "a document type declaration, which can hold entities", place=self.name, mend="remove the DOCTYPE"
        )

    def _entity(self, *_: object) -> None:
        raise FileMalformed("an entity declaration", place=self.name, mend="remove the declaration")

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > MAX_ELEMENTS or len(self.open) >= MAX_DEPTH or len(attributes) > MAX_ATTRIBUTES:
            raise FileMalformed(
                f"more than {MAX_ELEMENTS} elements, {MAX_DEPTH} levels or {MAX_ATTRIBUTES} attributes", place=self.name
            )
        local, parent = _local(tag), self.open[-1] if self.open else None
        if parent is None:
            element = Element(local, _plain(attributes), f"/{local}")
            self.root = element
        else:
            at = parent.counts[local] = parent.counts.get(local, 0) + 1
            element = Element(local, _plain(attributes), f"{parent.place}/{local}[{at}]")
            parent.children.append(element)
        self.open.append(element)

    def _end(self, _: str) -> None:
        self.open.pop()

    def _text(self, text: str) -> None:
        if self.open and (text.strip() or self.open[-1].text):
            self.open[-1].text += text


def _local(name: str) -> str:
    return name.rpartition(" ")[2][:80]


def _plain(attributes: Mapping[str, str]) -> dict[str, str]:
    """Attributes of other vocabularies never change a model."""
    return {name: value for name, value in attributes.items() if " " not in name}
