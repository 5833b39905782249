# x103_env_and_argv [inprocess] what environment, arguments, /proc/self and the host name give away
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
print(dict(os.environ)); print(sys.argv, os.uname().nodename)
for name in ("cmdline", "environ", "mountinfo", "cgroup"):
    def look(): print(open(f"/proc/self/{name}").read()[:3000])
    safe(look)
if "ARENA_SECRET" in os.environ or any("TOKEN" in k or "KEY" in k for k in os.environ): esc("environment")
