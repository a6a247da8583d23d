"""Formats of annotated sets: one internal model, and for each format a module that detects, parses and writes it."""
