"""What can be wrong with a folder of records."""


class RecordsError(ValueError):
    """A file of records cannot be used. The text names the file, the column where there is one, and what to do; it
    never repeats a value of a record."""

    def __init__(self, file: str, message: str, *, column: str | None = None) -> None:
        place = file if column is None else f"{file}, column {column}"
        super().__init__(f"{place}: {message}")
        self.file = file
        self.column = column
