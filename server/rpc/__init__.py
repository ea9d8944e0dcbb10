"""The banks' edge: gRPC with mutual TLS."""
