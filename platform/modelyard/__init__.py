"""The site package: settings, URLs, servers' entry points and the supervisor that runs them together."""
