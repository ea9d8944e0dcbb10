"""What can be wrong with the vault."""


class VaultError(ValueError):
    """The vault is damaged, busy or asked for what it does not have. The text repeats no record's value."""


class CategoryDestroyed(VaultError):
    """The key of the category was destroyed; its records are gone for good and no new ones are taken."""

    def __init__(self, category: str) -> None:
        super().__init__(f"the key of {category} was destroyed; nothing can be read from or written to it any more")
        self.category = category
