"""How much one upload may hold."""

from dataclasses import dataclass

MEBIBYTE = 1 << 20


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one upload; `total_bytes` is the smaller of the platform's bound and what is left of the quota."""

    members: int = 250_000
    total_bytes: int = 50 << 30
    member_bytes: int = 4 << 30
    #: Content may be this many times as large as its packed form, once it exceeds `ratio_floor` bytes.
    ratio: int = 200
    ratio_floor: int = 16 * MEBIBYTE
    path_bytes: int = 1024
    component_bytes: int = 255
    depth: int = 32
    #: Wall-clock time for the whole extraction.
    seconds: float = 3600.0
