"""What passed through the platform, append-only."""
