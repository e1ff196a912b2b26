"""The way in: from a gRPC request to the spool."""
