"""The durable store between accepting and delivering."""
