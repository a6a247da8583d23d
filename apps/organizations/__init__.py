"""Organizations, who belongs to them with which role, sign-up, and the tokens that carry the chosen organization."""
