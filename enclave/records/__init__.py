"""Records of the departments: read strictly, checked, quarantined where an enterprise cannot be told, deduplicated."""
