"""Fields of a PMML document: which variable they read, and how a comparison with them becomes an edge of it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import reduce
from operator import or_
from typing import Final

from bank_sdk.errors import SpecialValueUnmapped
from bank_sdk.models.importers.edges import Edge, after, float32, float32_edge, shifted_edge
from bank_sdk.models.importers.markup import Element
from bank_sdk.models.importers.pmml_regions import Region
from bank_sdk.models.importers.source import finite
from bank_sdk.models.importers.terms import number_of

_MEND: Final = "export the model with its own bins, without transformations of the inputs"
MAX_BINS: Final = 512
MAX_COMPARISONS: Final = 100_000
_BOUNDED: Final = "{}: numbers outside the declared ones have no score in the source; here they score as in their bin"
_NUMERIC: Final = frozenset(("integer", "float", "double"))


@dataclass(frozen=True, slots=True)
class Field:
    """A number or category that is a function of one variable."""

    variable: str
    categorical: bool
    data_type: str
    chain: tuple[Edge, ...] = ()
    """From the variable outwards: functions that never fall."""
    bins: Mapping[str, Region] | None = None
    """Of a discretized field: each value it takes, in the form of `canonical`, and the values of the variable in it."""
    values: tuple[str, ...] = ()
    """The categories that are declared valid; none: all are."""
    replacement: str | None = None
    """What a missing value counts as."""
    bounded: bool = False
    """Whether only some numbers are declared valid."""
    invalid_as_missing: bool = False
    invalid_as_is: bool = False

    @property
    def absent(self) -> Region:
        """Where the field is missing; a discretized one, where no bin is."""
        return Region.missing_only() if self.bins is None else ~reduce(or_, self.bins.values(), Region())

    def below(self, raw: str, place: str, *, inclusive: bool) -> float:
        """The edge below which the comparison `< raw`, or `<= raw`, holds."""
        value = finite(raw, place)
        if self.data_type == "float":
            value = float32(value)
        edge = after(value) if inclusive else value
        for function in reversed(self.chain):
            edge = function(edge)
        return edge


class Fields:
    """Everything the predicates of one model may name."""

    def __init__(
        self, known: Mapping[str, Field], functions: Mapping[str, Element], spent: list[int], notes: dict[str, None]
    ) -> None:
        self._known = dict(known)
        self._functions = functions
        # One count, and one list, for all models of a document.
        self._spent = spent
        self._notes = notes

    @classmethod
    def of_document(cls, document: Element) -> "Fields":
        known = {}
        for declared in document.one("DataDictionary").all("DataField"):
            known[declared.need("name")] = _declared(declared)
        transformations = document.first("TransformationDictionary")
        functions = (
            {} if transformations is None else {f.need("name"): f for f in transformations.all("DefineFunction")}
        )
        fields = cls(known, functions, [0], {})
        if transformations is not None:
            fields._derive(transformations)
        return fields

    def within(self, model: Element) -> "Fields":
        """With the treatments of the model's mining schema and its local transformations."""
        fields = Fields(self._known, self._functions, self._spent, self._notes)
        schema = model.first("MiningSchema")
        for entry in () if schema is None else schema.all("MiningField"):
            name = entry.need("name")
            if name in fields._known:
                fields._known[name] = treated = _treated(fields._known[name], entry)
                if treated.bounded and not treated.invalid_as_is and entry.get("usageType", "active") == "active":
                    self._notes[_BOUNDED.format(name[:80])] = None
        local = model.first("LocalTransformations")
        if local is not None:
            fields._derive(local)
        return fields

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader of the report should know about the fields, as far as models were read."""
        return tuple(self._notes)

    def spend(self, element: Element, comparisons: int) -> None:
        """Bounds the work a document can ask for."""
        self._spent[0] += comparisons
        if self._spent[0] > MAX_COMPARISONS:
            element.malformed(f"the document compares more than {MAX_COMPARISONS} values")

    def find(self, element: Element, name: str) -> Field:
        if name not in self._known:
            element.unsupported(
                f"field {name[:80]!r} is neither in the data dictionary nor a known derived field", _MEND
            )
        return self._known[name]

    def _derive(self, transformations: Element) -> None:
        for derived in transformations.all("DerivedField"):
            found = self._derived(derived)
            if found is not None:
                self._known[derived.need("name")] = found

    def _derived(self, derived: Element) -> Field | None:
        """None for a transformation without a counterpart: refused only if the model uses it."""
        expression = derived.first("FieldRef", "Apply", "Discretize")
        if expression is None:
            return None
        if expression.tag == "Apply":
            return self._applied(expression)
        inner = self._known.get(expression.need("field"))
        if inner is None or (expression.tag == "FieldRef" and expression.get("mapMissingTo")):
            return None
        if expression.tag == "Discretize":
            return None if inner.categorical or inner.bins is not None else _discretized(expression, inner)
        if inner.categorical or inner.bins is not None or derived.get("dataType") == inner.data_type:
            return inner
        return _cast(inner, derived.get("dataType"))

    def _applied(self, call: Element) -> Field | None:
        """x + (a + r * |x|) as JPMML writes it for KBinsDiscretizer, in place or as a function of its own."""
        body, argument = call, call.first("FieldRef")
        if call.get("function") in self._functions:
            function = self._functions[call.get("function")]
            parameters = [parameter.need("name") for parameter in function.all("ParameterField")]
            found = function.first("Apply")
            if found is None or len(parameters) != 1 or len(call.children) != 1:
                return None
            body, name = found, parameters[0]
        else:
            name = "" if argument is None else argument.need("field")
        inner = None if argument is None else self._known.get(argument.need("field"))
        shift = _shift(body, name)
        if inner is None or shift is None or inner.categorical or inner.bins is not None:
            return None
        return replace(inner, data_type="double", chain=(*inner.chain, shifted_edge(*shift)))


def _declared(declared: Element) -> Field:
    for value in declared.all("Value"):
        if value.get("property") == "missing" and value.need("value") != "NaN":
            raise SpecialValueUnmapped(
                f"{declared.need('name')}: {value.need('value')[:40]!r} is declared to mean missing",
                place=value.place,
                mend="map it to missing before scoring and export without the declaration",
            )
    kind = declared.get("dataType")
    numeric = kind in _NUMERIC and declared.get("optype") != "categorical"
    chain = (float32_edge,) if kind == "float" and numeric else ()
    valid = [v.need("value") for v in declared.all("Value") if v.get("property", "valid") == "valid"]
    bounded = numeric and (bool(valid) or declared.first("Interval") is not None)
    values = () if numeric else tuple(valid)
    return Field(declared.need("name"), not numeric, kind, chain, values=values, bounded=bounded)


def _treated(known: Field, entry: Element) -> Field:
    if entry.get("outliers", "asIs") != "asIs":
        entry.unsupported(f"outliers are treated as {entry.get('outliers')[:40]!r}", "bin outliers instead")
    invalid = entry.get("invalidValueTreatment", "returnInvalid")
    if invalid == "asValue" or entry.get("missingValueTreatment") == "returnInvalid":
        entry.unsupported("a treatment of missing or invalid values that has no counterpart", "give them bins")
    if known.bounded and invalid == "asMissing" and entry.get("usageType", "active") == "active":
        entry.unsupported("numbers outside the declared ones count as missing", "give them bins, and treat them asIs")
    return replace(
        known,
        replacement=entry.attributes.get("missingValueReplacement", known.replacement),
        invalid_as_missing=invalid == "asMissing",
        invalid_as_is=invalid == "asIs",
    )


def _cast(inner: Field, data_type: str) -> Field | None:
    if data_type == "float":
        return replace(inner, data_type="float", chain=(*inner.chain, float32_edge))
    return replace(inner, data_type=data_type) if data_type == "double" else None


def _discretized(expression: Element, inner: Field) -> Field:
    bins: dict[str, Region] = {}
    rest = Region.numbers()
    for entry in expression.all("DiscretizeBin"):
        if len(bins) >= MAX_BINS:
            expression.malformed(f"has more than {MAX_BINS} bins")
        interval = entry.one("Interval")
        closure, lower, upper = interval.need("closure"), -float("inf"), float("inf")
        if closure not in ("closedOpen", "openClosed", "openOpen", "closedClosed"):
            interval.malformed(f"closure {closure[:20]!r} is none")
        if "leftMargin" in interval.attributes:
            lower = inner.below(interval.need("leftMargin"), interval.place, inclusive=closure.startswith("open"))
        if "rightMargin" in interval.attributes:
            upper = inner.below(interval.need("rightMargin"), interval.place, inclusive=closure.endswith("Closed"))
        _put(bins, entry.need("binValue"), Region.between(lower, upper) & rest)
        rest &= ~Region.between(lower, upper)
    if "mapMissingTo" in expression.attributes:
        _put(bins, expression.need("mapMissingTo"), Region.missing_only())
    if "defaultValue" in expression.attributes:
        _put(bins, expression.need("defaultValue"), rest)
    return replace(inner, categorical=True, data_type="string", chain=(), bins=bins)


def _put(bins: dict[str, Region], label: str, region: Region) -> None:
    """Several bins may have the same value."""
    key = canonical(label)
    bins[key] = bins[key] | region if key in bins else region


def canonical(label: str) -> str:
    """Values of a discretized field may be numbers: "1" is "1.0"."""
    number = number_of(label)
    return label if number is None else repr(number)


def _shift(body: Element, name: str) -> tuple[float, float] | None:
    """The constants of x + (a + r * |x|), None for any other expression."""
    outer = _operands(body, "+", ("FieldRef", "Apply"))
    inner = None if outer is None else _operands(outer[1], "+", ("Constant", "Apply"))
    product = None if inner is None else _operands(inner[1], "*", ("Constant", "Apply"))
    magnitude = None if product is None else _operands(product[1], "abs", ("FieldRef",))
    if outer is None or inner is None or product is None or magnitude is None:
        return None
    if outer[0].get("field") != name or magnitude[0].get("field") != name:
        return None
    absolute, relative = (finite(constant.text.strip(), constant.place) for constant in (inner[0], product[0]))
    return (absolute, relative) if absolute >= 0 and 0 <= relative < 1 else None


def _operands(call: Element, function: str, tags: tuple[str, ...]) -> list[Element] | None:
    """The arguments of exactly this call without options for missing values."""
    same = call.attributes == {"function": function} and tuple(child.tag for child in call.children) == tags
    return call.children if same else None
