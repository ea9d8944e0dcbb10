"""The catalogue: which categories, record fields, features and cells there are. Data first, with one loader."""

from xinyidai.catalogue.errors import CatalogueError, UnknownCategory, UnknownFeature, UnknownFigure
from xinyidai.catalogue.loader import builtin_catalogue, load_catalogue, parse_catalogue
from xinyidai.catalogue.model import (
    ARROW_TYPES,
    Application,
    Catalogue,
    Category,
    Cell,
    CellKind,
    Direction,
    Feature,
    FeatureKind,
    Field,
    Figure,
    Layout,
    Publicity,
    Rule,
    Step,
    Text,
)

__all__ = [
    "ARROW_TYPES",
    "Application",
    "Catalogue",
    "CatalogueError",
    "Category",
    "Cell",
    "CellKind",
    "Direction",
    "Feature",
    "FeatureKind",
    "Field",
    "Figure",
    "Layout",
    "Publicity",
    "Rule",
    "Step",
    "Text",
    "UnknownCategory",
    "UnknownFeature",
    "UnknownFigure",
    "builtin_catalogue",
    "load_catalogue",
    "parse_catalogue",
]
