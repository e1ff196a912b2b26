"""Shared by the gRPC services: statuses of errors, deserializers, interceptors, and the spool's status."""
