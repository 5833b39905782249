# r102_setrlimit_up [resource] raises every soft and hard limit, of itself and of the parent
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
import resource
for name in ("RLIMIT_CPU", "RLIMIT_DATA", "RLIMIT_FSIZE", "RLIMIT_NOFILE", "RLIMIT_NPROC", "RLIMIT_MEMLOCK"):
    which = getattr(resource, name); soft, hard = resource.getrlimit(which); print(name, soft, hard)
    if hard == resource.RLIM_INFINITY: esc(name + " has no limit"); continue
    def up(): resource.setrlimit(which, (hard * 2, hard * 2)); esc("raised " + name)
    safe(up)
    def parent(): resource.prlimit(os.getppid(), which, (1, 1)); esc("limits of the parent " + name)
    safe(parent)
