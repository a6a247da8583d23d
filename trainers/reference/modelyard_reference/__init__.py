"""The reference trainer: the whole trainer contract in a program that needs the standard library only."""
