"""What the REST edge of every app shares: authentication, errors, pages, parsers, schema."""
