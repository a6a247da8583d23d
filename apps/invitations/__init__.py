"""Invitations: an address invited to an organization, a project or a dataset, and what comes of it."""
