# m101_shared_anonymous [memory] 3 GB of shared anonymous memory and of /dev/shm, spread over children
# expect: mem|error|ok|disk|signal|timeout ; invariants: bounded_mem
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
import mmap
for i in range(6):
    if os.fork() == 0:
        keep = []
        for j in range(50):
            try: m = mmap.mmap(-1, 10 << 20); m.write(b"x" * (10 << 20)); keep.append(m)
            except OSError: break
        time.sleep(3); os._exit(0)
for _ in range(6): os.wait()
