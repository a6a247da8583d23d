"""Sharing one object with one person or one project: what stands beside the roles, never instead of them."""
