"""The browser interface and the HTTP API."""
