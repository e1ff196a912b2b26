"""Shared by the gRPC services: the map from errors to statuses, deserializers, interceptors, the spool's status."""
