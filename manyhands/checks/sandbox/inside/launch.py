"""The first program inside the sandbox: fences itself in, then runs the program.

Run by the hands' interpreter as `python launch.py SPEC`, SPEC being a dict, marshalled, in
hexadecimal:

    tier      "bwrap", "podman" (namespaces are already there) | "landlock" | "none" (limits only)
    limits    cpu_s, memory_bytes, file_bytes, descriptors, processes
    read      paths that may be read and executed;  write: paths that may be written
    program   the script and its arguments;  cwd: the folder that it starts in

The work is in `keeper.py`: a script is compiled at each start, a module once.
"""

import keeper  # type: ignore[import-not-found]

keeper.main()
