"""What went wrong, as one sentence for people who did not write the code."""

from __future__ import annotations

import errno
import shutil

SPACE = "free space or choose another folder"
FIXES = {
    errno.ENOENT: "name one that is there",
    errno.EISDIR: "name a file",
    errno.ENOTDIR: "name a folder",
    errno.EEXIST: "name another",
    errno.EACCES: "change its permissions, or name another",
    errno.EPERM: "change its permissions, or name another",
    errno.EROFS: "name a place that can be written to",
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EFBIG: SPACE,
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "name one that is no circle of links",
}
LONGEST = 560  # characters of a sentence; what is longer holds something absurd, such as a path of thousands
MEMORY = "there is not enough memory for this command; give it less at once (texts, bytes), or take a smaller model"


def sentence(error: Exception, path: object = None) -> str:
    """The error's own words on one line; with its kind where the words alone would not say.

    Of an error of the system that names no file, ``path`` is the one that was being written, where it is known. What
    has no words of this package is a surprise: the sentence then tells how to see where it comes from.
    """
    words = " ".join(str(error).split())
    if isinstance(error, shutil.Error):  # one triple for each file of a folder that was to be copied
        _, name, reason = error.args[0][0]
        return f"{name}: {' '.join(str(reason).split())}; {SPACE}"
    if isinstance(error, OSError):
        fix = FIXES.get(error.errno or 0)
        name = error.filename if error.filename is not None else path if fix else None
        if name is not None:
            return f"{name}: {error.strerror}" + (f"; {fix}" if fix else "")
    if out_of_memory(error):
        return MEMORY
    if isinstance(error, RecursionError):
        return "a file that was read is nested too deeply, or holds itself; --debug shows where"
    if type(error) is ValueError or type(error).__module__.startswith("zonkey."):
        return words
    return f"{type(error).__name__}{': ' if words else ''}{words[:400]}; --debug shows where it comes from"


def shortened(words: str) -> str:
    """A sentence that fits on a screen: its begin, which names the thing, and its end, which has the fix."""
    half = LONGEST // 2
    return words if len(words) <= LONGEST else f"{words[:half]} ... {words[-half:]}"


def out_of_memory(error: Exception) -> bool:
    """Python's, and torch's on any device, without importing torch."""
    kinds = {kind.__name__ for kind in type(error).__mro__}
    return bool(kinds & {"MemoryError", "OutOfMemoryError"}) or "can't allocate memory" in str(error)
