"""What can be wrong with the wish for a synthetic city.

CityError    an argument is out of range, or the truth was to lie beside the records; the text says what to change
"""


class CityError(ValueError):
    pass
