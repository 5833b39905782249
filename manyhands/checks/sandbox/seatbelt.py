"""The profile that macOS's `sandbox-exec` gets; written, not run on a Mac by us."""

from __future__ import annotations

__all__ = ["seatbelt_profile"]


def seatbelt_profile(*, read: list[str], write: list[str]) -> str:
    """macOS sandbox profile: everything denied, then what an interpreter needs is opened.

    No network, no mach service but those that libc asks for at start, signals only inside.
    Every path is quoted as an SBPL string. Raises ValueError for a path with a control character.
    """

    def quoted(path: str) -> str:
        if any(ord(c) < 32 for c in path):
            raise ValueError(f"path {path!r} has a control character")
        return '"' + path.replace("\\", "\\\\").replace('"', '\\"') + '"'

    system = ["/usr/lib", "/usr/bin", "/bin", "/usr/share", "/System", "/Library/Frameworks",
              "/private/var/db/timezone", "/private/var/db/dyld"]  # fmt: skip
    readable = "\n".join(f"  (subpath {quoted(path)})" for path in (*system, *read, *write))
    writable = "\n".join(f"  (subpath {quoted(path)})" for path in write)
    return f"""(version 1)
(deny default)
(allow process-exec)
(allow process-fork)
(allow process-info* (target same-sandbox))
(allow signal (target same-sandbox))
(allow sysctl-read)
(allow file-read-metadata)
(allow file-read-data file-map-executable
{readable}
  (literal "/")
  (literal "/dev/null") (literal "/dev/zero") (literal "/dev/random") (literal "/dev/urandom"))
(allow file-write*
{writable})
(allow file-write-data (literal "/dev/null") (literal "/dev/zero"))
(allow mach-lookup
  (global-name "com.apple.system.opendirectoryd.libinfo")
  (global-name "com.apple.system.logger"))
(deny network*)
"""
