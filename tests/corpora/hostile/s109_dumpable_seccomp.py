# s109_dumpable_seccomp [syscall] tries to drop its own filter and regain privileges
# expect: ok|error|signal ; invariants: no_escape_text
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
if l.prctl(38, 0, 0, 0, 0) == 0: esc("no_new_privs cleared")
if l.prctl(22, 0, 0, 0, 0) == 0: esc("seccomp disabled")
if l.prctl(8, 1, 0, 0, 0) == 0: print("keepcaps")
for name in ("CapEff", "CapPrm", "CapBnd"):
    for line in open("/proc/self/status"):
        if line.startswith((name, "NoNewPrivs", "Seccomp:")): print(line.strip())
        if line.startswith("CapEff") and int(line.split()[1], 16): esc("has capabilities " + line.split()[1])
        if line.startswith("Seccomp:") and line.split()[1] != "2": esc("no filter")
        if line.startswith("NoNewPrivs") and line.split()[1] != "1": esc("new privileges possible")
