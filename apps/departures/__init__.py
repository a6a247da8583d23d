"""Leaving: the export of a whole organization, its deletion after a grace period, the deletion of an account."""
