# p110_priority_and_affinity [process] raises its priority, real-time class, I/O class, pins itself to all processors
# expect: ok|error ; invariants: no_escape_text
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
def nice(): os.setpriority(os.PRIO_PROCESS, 0, -20); esc("negative nice")
safe(nice)
def rt(): os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(50)); esc("SCHED_FIFO")
safe(rt)
def other(): os.sched_setaffinity(C.get("decoy_pid", 1), {0}); esc("affinity of the decoy")
safe(other)
def lower(): os.setpriority(os.PRIO_PROCESS, C.get("decoy_pid", 1), 19); esc("priority of the decoy")
safe(lower)
