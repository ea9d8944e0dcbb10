"""From the bytes a department delivered to committed segments: read, check, align identities, store."""
