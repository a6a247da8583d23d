"""How datasets and their uploads are written as JSON, and what is read of it."""
