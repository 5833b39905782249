# p114_hides_from_monitor [process] makes itself undumpable, so that nobody can look at it, then fills memory
# expect: mem|error|timeout ; invariants: bounded_mem
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
l.prctl(4, 0, 0, 0, 0)
if os.stat("/proc/self/fd").st_uid != os.getuid(): esc("undumpable")
for i in range(6):
    if os.fork() == 0:
        l.prctl(4, 0, 0, 0, 0); x = []
        for _ in range(400): x.append(bytearray(b"x" * (1 << 20)))
        time.sleep(20); os._exit(0)
time.sleep(20); sys.exit(1)
