"""Reads sets in formats that datumaro knows and writes them as DICE, for the portal that starts it."""
