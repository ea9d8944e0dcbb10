"""The main job end to end on synthetic data: a city, an enterprise, two banks, and what each of them saw."""
