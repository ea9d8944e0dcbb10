"""What anybody can verify of a transparency log, offline and trusting no relay."""
