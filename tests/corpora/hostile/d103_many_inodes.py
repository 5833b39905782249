# d103_many_inodes [disk] 100,000 empty files, links and folders in /tmp and the working folder
# expect: disk|error ; invariants: bounded_disk
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
for i in range(100_000):
    try: open(f"n{i}", "w").close(); os.symlink("x", f"l{i}")
    except OSError as e: print(e); sys.exit(1)
time.sleep(2)
