"""What every app stands on: identity, policy, operations, auditing, outbox, errors, realtime, storage and the edges'
shared parts. It knows no other app; they register with it."""
