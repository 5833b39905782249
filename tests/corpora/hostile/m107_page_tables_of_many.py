# m107_page_tables_of_many [memory] page tables of 60 processes, each of which alone looks small
# expect: mem|error|timeout ; invariants: bounded_mem
import ctypes, os, time
l = ctypes.CDLL(None, use_errno=True)
l.mmap.restype = ctypes.c_void_p
l.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int, ctypes.c_long]
l.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
SPAN = 15 << 30
mine, theirs = os.pipe()
for _ in range(60):
    if os.fork() == 0:
        start = l.mmap(None, SPAN, 1, 2 | 0x20 | 0x4000, -1, 0)  # read-only, private, nothing reserved
        l.madvise(start, SPAN, 15)  # no huge pages
        for at in range(0, SPAN, 2 << 20):
            ctypes.c_char.from_address(start + at).value
        os.write(theirs, b"x")
        time.sleep(60)
os.close(theirs)
done = b""
while len(done) < 60 and (more := os.read(mine, 60)):
    done += more
if len(done) == 60:
    time.sleep(0.3)
    print("ESCAPED:1.8 GB of page tables in 60 processes", flush=True)
else:
    raise SystemExit("blocked: processes")
