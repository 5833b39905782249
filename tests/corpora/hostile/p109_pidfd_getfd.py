# p109_pidfd_getfd [process] pidfd_open of supervisor and decoy, pidfd_getfd, pidfd_send_signal
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
for pid in (C.get("decoy_pid", 1), C.get("supervisor_pid", 1)):
    fd = call(434, 434, pid, 0)
    if fd >= 0:
        if call(438, 438, fd, 0, 0) >= 0: esc("pidfd_getfd")
        if call(424, 424, fd, 9, 0, 0) == 0: esc("pidfd_send_signal")
