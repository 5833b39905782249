# p113_subreaper_and_pdeathsig [process] becomes a subreaper itself, clears the parent-death signal, daemonises
# expect: ok ; invariants: no_survivor
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
l.prctl(36, 1, 0, 0, 0); l.prctl(1, 0, 0, 0, 0)
if os.fork() == 0:
    l.prctl(1, 0, 0, 0, 0); os.setsid()
    if os.fork() == 0:
        while True: time.sleep(1)
    os._exit(0)
