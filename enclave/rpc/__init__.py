"""The edge: gRPC in, gRPC out, and nothing decided here."""
