# p101_vfork_flood [process] os.posix_spawn in a loop, 200 sleepers in their own sessions
# expect: ok|error|timeout ; invariants: no_survivor
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
for i in range(200):
    safe(os.posix_spawn, "/bin/sleep", ["sleep", "1000"], {}, setsid=True)
