"""The Intercom API and nothing else: requests, the client, and what its responses say."""
