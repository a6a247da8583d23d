"""Single sign-on: each organization may have people signed in by a provider of its own (OpenID Connect)."""
