# f102_proc_self_tricks [filesystem] reaches outside through /proc/self/{root,cwd,fd,task}
# expect: ok|error ; invariants: no_secret
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
target = C.get("secret_file", os.path.expanduser("~/.ssh/id_rsa"))
for p in (f"/proc/self/root{target}", f"/proc/thread-self/root{target}", f"/proc/self/cwd/../../../../../..{target}", f"/proc/1/root{target}"):
    def look(): print(open(p).read())
    safe(look)
for fd in os.listdir("/proc/self/fd"):
    def via():
        print(fd, os.readlink(f"/proc/self/fd/{fd}"))
        print(open(f"/proc/self/fd/{fd}/..{target}").read())
    safe(via)
