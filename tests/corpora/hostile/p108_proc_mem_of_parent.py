# p108_proc_mem_of_parent [process] opens /proc/PID/{mem,environ,maps,fd,root,cwd} of parent, init and supervisor
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
me = os.getpid()
for pid in (os.getppid(), 1, C.get("supervisor_pid", 1)):
    if pid == me: continue
    for name in ("mem", "environ", "maps"):
        def look():
            f = open(f"/proc/{pid}/{name}", "rb")
            if name == "environ":
                text = f.read(); print(text[:80])
                if b"ARENA" in text: esc("environment of the supervisor")
            elif name == "mem": f.seek(1 << 20); f.read(1); esc(f"memory of {pid}")
        safe(look)
    for name in ("root", "cwd"):
        def enter():
            p = f"/proc/{pid}/{name}"; os.listdir(p + C.get("fake_home", "/root")); esc(p)
        safe(enter)
