# m103_mlock_and_oom [memory] locks memory, makes itself the last that the OOM killer takes
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
if l.mlockall(3) == 0: print("locked what there is")
def adj(): os.write(os.open("/proc/self/oom_score_adj", os.O_WRONLY), b"-1000"); esc("oom_score_adj")
safe(adj)
