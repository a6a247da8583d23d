"""The parts of the launcher: one attempt's talk with the portal, its inputs, its trainer's process, its files."""
