"""What the gRPC services share: the map from errors to statuses, deserializers, interceptors, the spool's status."""
