# d102_sparse_and_fallocate [disk] sparse file of 60 TB, fallocate of 3 GB, holes punched
# expect: ok|error|disk|signal ; invariants: bounded_disk
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
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def sparse(): os.truncate(os.open("s", os.O_RDWR | os.O_CREAT), 60 << 40); esc("60 TB file")
safe(sparse)
for i in range(60):
    def alloc():
        fd = os.open(f"a{i}", os.O_RDWR | os.O_CREAT); os.posix_fallocate(fd, 0, 50 << 20); os.close(fd)
    safe(alloc)
time.sleep(1)
