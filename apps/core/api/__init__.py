"""What the REST edge of every app shares: authentication, errors, pages, parsers, schema."""

#: What the addresses of the public API begin with.
PREFIX = "/api/v1/"
