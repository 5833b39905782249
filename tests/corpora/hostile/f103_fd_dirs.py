# f103_fd_dirs [filesystem] inherited directory descriptors and openat with ..
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
for fd in range(3, 256):
    def up():
        os.fstat(fd); print("inherited", fd)
        inside = os.open("../" * 20 + target.lstrip("/"), os.O_RDONLY, dir_fd=fd); print(os.read(inside, 200))
    try: os.fstat(fd)
    except OSError: continue
    safe(up)
