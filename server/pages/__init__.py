"""Pages for people: rendered here, Chinese first, without a script."""
