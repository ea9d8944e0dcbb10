"""A synthetic city: made-up enterprises with records in all 21 categories. None of it is about a real enterprise."""

from clients.city.errors import CityError
from clients.city.generator import CitySummary, generate_city

__all__ = ["CityError", "CitySummary", "generate_city"]
