"""What is held about an enterprise, shown to the enterprise alone."""
