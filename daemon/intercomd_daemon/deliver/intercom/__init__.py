"""The Intercom API: requests, the HTTP client, and the classification of responses."""
