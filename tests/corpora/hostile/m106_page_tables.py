# m106_page_tables [memory] page tables: one byte read of every 2 MiB of a mapping without pages of its own
# expect: mem|error|timeout ; invariants: bounded_mem
import ctypes
l = ctypes.CDLL(None, use_errno=True)
l.mmap.restype = ctypes.c_void_p
l.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
SPAN = 1 << 38
touched = 0
while touched < 500_000:  # 2 GB of page tables
    start = l.mmap(None, SPAN, 1, 2 | 0x20 | 0x4000, -1, 0)  # read-only, private, nothing reserved
    if start in (None, ctypes.c_void_p(-1).value):
        raise SystemExit("blocked: mmap")
    for at in range(0, SPAN, 2 << 20):
        ctypes.c_char.from_address(start + at).value
        touched += 1
print("ESCAPED:2 GB of page tables", flush=True)
