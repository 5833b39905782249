# f107_write_environment [filesystem] changes its own interpreter, libraries and the launcher
# expect: ok|error ; invariants: venv_intact
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
import json as j
for p in (sys.executable, j.__file__, os.path.dirname(j.__file__) + "/evil.py", sys.prefix + "/pyvenv.cfg", "/usr/bin/evil", "/etc/ld.so.preload", "/sandbox.launcher/launch.py", "/etc/passwd"):
    def write():
        open(p, "a").write("# evil"); esc("wrote " + p)
    safe(write)
    def chmod():
        before = os.stat(p).st_mode; os.chmod(p, 0o777)
        if os.stat(p).st_mode != before: esc("chmod " + p)
    safe(chmod)
    def touch():
        before = os.stat(p).st_mtime; os.utime(p, (1, 1))
        if os.stat(p).st_mtime != before: esc("utime " + p)
    safe(touch)
