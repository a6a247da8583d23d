"""Small text files from outside: bounded, decoded without guessing."""

from apps.datasets.defects import WARNING, BadInput, DefectLog

UTF16 = (b"\xff\xfe", b"\xfe\xff")


def decode(data: bytes, path: str, log: DefectLog, *, limit: int) -> str:
    """Return the text of UTF-8 (with or without mark) or marked UTF-16; BadInput for anything else."""
    if len(data) > limit:
        raise BadInput("text.too_big", path, bytes=len(data), limit=limit)
    try:
        if data.startswith(UTF16):
            text = data.decode("utf-16")
            log.add("text.utf16", WARNING, path)
        else:
            text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadInput("text.encoding", path) from None
    if "\0" in text:
        raise BadInput("text.encoding", path)
    return text
