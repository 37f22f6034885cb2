"""KSR.corex: files of scripts; the other functions are builtins."""

from sipwright import log
from sipwright.kemi.calls import ksr

__all__ = ["file_read", "file_write"]

# As many as a message that takes it up may have.
_MOST_BYTES = 1 << 20


@ksr("corex.file_read")
def file_read(path: str) -> str:
    """The text of a file, of a megabyte at most; an empty str when it cannot be read."""
    try:
        with open(path, "rb") as file:
            data = file.read(_MOST_BYTES + 1)
    except OSError as error:
        log.error(f"KSR.corex.file_read: {path}: {error.strerror}")
        return ""
    if len(data) > _MOST_BYTES:
        log.error(f"KSR.corex.file_read: {path} has more than {_MOST_BYTES} bytes")
        return ""
    return data.decode("utf-8", "surrogateescape")


@ksr("corex.file_write")
def file_write(path: str, text: str) -> int:
    """Makes the text the content of a file: 1, or -1 when it cannot be written."""
    try:
        with open(path, "wb") as file:
            file.write(text.encode("utf-8", "surrogateescape"))
    except OSError as error:
        log.error(f"KSR.corex.file_write: {path}: {error.strerror}")
        return -1
    return 1
