# s104_memfd_secret_sysv [memory] memfd_secret, SysV shared memory, message queues: memory that no monitor sees
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
if call(447, 447, 0) >= 0: esc("memfd_secret")
if call(29, 194, 0, ctypes.c_size_t(1 << 20), 0o1600) >= 0: esc("shmget")
if call(68, 186, 0, 0o1600) >= 0: esc("msgget")
if call(240, 180, b"/mh", 0o102, 0o600, 0) >= 0: esc("mq_open")
