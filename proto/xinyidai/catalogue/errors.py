"""What can be wrong with a catalogue.

CatalogueError            the file breaks a rule; `where` says in which place, the text says what to mend
 ├─ UnknownCategory       a code was asked for that this catalogue lacks
 ├─ UnknownFeature        likewise
 └─ UnknownFigure         likewise
"""


class CatalogueError(ValueError):
    def __init__(self, where: str, message: str) -> None:
        super().__init__(f"{where}: {message}")
        self.where = where


class UnknownCategory(CatalogueError):
    pass


class UnknownFeature(CatalogueError):
    pass


class UnknownFigure(CatalogueError):
    pass
