"""People: users, their profiles, sessions and refresh tokens."""
