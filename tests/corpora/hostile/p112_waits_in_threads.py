# p112_waits_in_threads [process] 64 threads that fork and exec for ever
# expect: timeout|error|mem|signal ; invariants: no_survivor
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
import threading
def spin():
    while True:
        try:
            pid = os.fork()
            if pid == 0: os.execv("/bin/true", ["true"])
            os.waitpid(pid, 0)
        except BaseException: time.sleep(0.01)
ts = []
for _ in range(40):
    try: t = threading.Thread(target=spin); t.start(); ts.append(t)
    except RuntimeError: break
