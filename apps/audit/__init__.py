"""The audit log: append-only events, sealed into one hash chain per organization."""
