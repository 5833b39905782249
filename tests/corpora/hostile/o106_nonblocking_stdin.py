# o106_nonblocking_stdin [output] makes shared descriptors non-blocking and reopens standard input
# expect: ok|error|timeout ; invariants: bounded_time
import json, os, sys, time, ctypes
C = json.load(open("_attack.json")) if os.path.exists("_attack.json") else {}
def esc(what): print("ESCAPED:" + what, flush=True)
def safe(f, *a, **k):
    try: return f(*a, **k)
    except BaseException as e: print("blocked:", type(e).__name__, str(e)[:120], flush=True); return None
l = ctypes.CDLL(None, use_errno=True)
x86 = os.uname().machine == "x86_64"
def call(n86, n64, *a):
    r = l.syscall(ctypes.c_long(n86 if x86 else n64), *a); print(n86, r, ctypes.get_errno()); return r
for fd in (0, 1, 2): safe(os.set_blocking, fd, False)
for p in ("/dev/stdin", "/dev/stdout", "/proc/self/fd/1"):
    def again(): open(p, "rb+", buffering=0).read(1)
    safe(again)
